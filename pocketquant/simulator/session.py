"""The server's half of one conversation: texts in, texts and closing out. Time is an argument."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from pocketquant.domain.errors import ProtocolViolation
from pocketquant.simulator import answers, misbehaviour, tokens, world
from pocketquant.simulator.faults import OF_A_SERIES, Fault, FaultKind, Faults
from pocketquant.simulator.market import Market, Resolution, Stretch
from pocketquant.simulator.outgoing import Action, Close, Event, Send
from pocketquant.simulator.tally import Tally
from pocketquant.tradingview import frames, messages
