"""A client of the simulated server without sockets: it makes calls and gets messages."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pocketquant.domain.bars import Bars
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire.faults import Faults
from pocketquant.simulator.wire.outgoing import Action, Send
from pocketquant.simulator.wire.session import Conversation
from pocketquant.simulator.wire.tally import Tally
from pocketquant.tradingview import frames, messages

TUESDAY_AFTERNOON = 1_763_480_420  # 2025-11-18 15:40:20 UTC: every exchange but NSE is open

Message = dict[str, Any]


class Client:
    """Talks to one connection's server side while time stands still."""

    def __init__(self, conversation: Conversation, now: int) -> None:
        self.conversation = conversation
        self.now_ms = now * 1000
        self.actions: list[Action] = []

    def call(self, method: str, *params: object) -> list[Message]:
        """Call a method; return the messages that answer it."""
        return self.send(messages.call(method, *params))

    def send(self, text: str) -> list[Message]:
        """Send any text; return the messages that answer it."""
        self.actions = self.conversation.receive(text, self.now_ms)
        return messages_of(self.actions)

    def wait(self, seconds: float, step_seconds: float = 1.0) -> list[Message]:
        """Let time pass; return the messages pushed meanwhile."""
        self.actions, end_ms = [], self.now_ms + int(seconds * 1000)
        while self.now_ms < end_ms:
            self.now_ms = min(end_ms, self.now_ms + int(step_seconds * 1000))
            self.actions += self.conversation.push(self.now_ms)
        return messages_of(self.actions)

    def open_chart(self, symbol: str, name: str = "cs_1") -> None:
        """Create a chart session with one symbol in it, `sym_1`."""
        self.call("chart_create_session", name, "")
        self.call("resolve_symbol", name, "sym_1", f'={{"symbol":"{symbol}"}}')

    def create_series(
        self, symbol: str, resolution: str = "1", count: int = 10, *more: str
    ) -> list[Message]:
        """Create a chart session and a series, `sds_1`, in it; return the messages."""
        self.open_chart(symbol)
        return self.call("create_series", "cs_1", "sds_1", "s1", "sym_1", resolution, count, *more)


def messages_of(actions: list[Action]) -> list[Message]:
    """Return the messages that the actions send."""
    text = "".join(action.text for action in actions if isinstance(action, Send))
    return [json.loads(payload) for payload in frames.FrameDecoder().feed(text)]


@pytest.fixture
def now() -> int:
    """A time at which every exchange but NSE is open."""
    return TUESDAY_AFTERNOON


@pytest.fixture
def market() -> Market:
    """A market with three captured bars of SP:SPX."""
    rows = [[1_686_231_000.0 + 86_400 * day, 1.0, 3.0, 0.5, 2.0, 10.0 + day] for day in range(3)]
    return Market({"SP:SPX": Bars(np.array(rows).T)})


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def client(market: Market, faults: Faults, tally: Tally, now: int) -> Client:
    """A client that has received the hello."""
    conversation = Conversation(market, faults, tally)
    conversation.open(now * 1000)
    return Client(conversation, now)


@pytest.fixture
def methods() -> Callable[[list[Message]], list[str]]:
    """Returns the methods of messages."""
    return lambda received: [message["m"] for message in received]
