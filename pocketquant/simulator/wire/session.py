"""The server's side of one connection: takes texts, returns texts to send. Time is an argument."""

from collections.abc import Callable
from typing import Any

from pocketquant.domain.errors import ProtocolViolation
from pocketquant.simulator.market.prices import Market
from pocketquant.simulator.wire import answers, misbehaviour, tokens
from pocketquant.simulator.wire.charts import SimulatedChartSession
from pocketquant.simulator.wire.faults import OF_A_CONNECTION, FaultKind, Faults
from pocketquant.simulator.wire.loading import ANONYMOUS, PREMIUM
from pocketquant.simulator.wire.outgoing import (
    Action,
    CallRefused,
    Close,
    ConnectionEnded,
    Event,
    Send,
)
from pocketquant.simulator.wire.quotes import SimulatedQuoteSession
from pocketquant.simulator.wire.recordings import RecordedChartSession, Recording
from pocketquant.simulator.wire.tally import Tally
from pocketquant.tradingview import frames, messages

ECHO_SECONDS = 60.0

_MAX_SESSIONS = 200
_MAX_CALL_BYTES = 1024 * 1024


class Conversation:
    """One connection, from the hello to its end.

    Call `receive` with each text of the client, `beat` at each heartbeat, and `push` periodically
    while it `is_live`. Each returns actions; a `Close` is the last one.
    """

    def __init__(
        self,
        market: Market,
        faults: Faults,
        tally: Tally,
        latency_seconds: float = 0.0,
        echo_seconds: float = ECHO_SECONDS,
        recording: Recording | None = None,
    ) -> None:
        self._market = market
        self._faults = faults
        self._tally = tally
        self._latency_seconds = latency_seconds
        self._echo_seconds = echo_seconds
        self._recording = recording
        self._decoder = frames.FrameDecoder(_MAX_CALL_BYTES)
        self._plan = ANONYMOUS
        self._charts: dict[str, SimulatedChartSession | RecordedChartSession] = {}
        self._quotes: dict[str, SimulatedQuoteSession] = {}
        self._is_silent = False
        self._beats = 0
        self._echoed_at_ms = 0

    @property
    def is_live(self) -> bool:
        """Whether it may have updates to push."""
        return bool(self._quotes) or any(chart.is_live for chart in self._charts.values())

    @property
    def has_quotes(self) -> bool:
        return bool(self._quotes)

    def is_behind(self, now_ms: int) -> bool:
        """Return whether there is more to push than the last call returned."""
        return any(quotes.is_behind(now_ms) for quotes in self._quotes.values())

    def open(self, now_ms: int) -> list[Action]:
        """Greet the client, before its first text."""
        self._echoed_at_ms = now_ms
        return [Send(frames.encode(answers.hello(now_ms)))]

    def beat(self, now_ms: int) -> list[Action]:
        """Send a heartbeat, or close the connection if the client echoed none for too long."""
        if self._is_silent:
            return []
        if now_ms - self._echoed_at_ms > self._echo_seconds * 1000:
            self._tally.unanswered_heartbeats += 1
            return [Close()]
        self._beats += 1
        return [Send(frames.encode(f"~h~{self._beats}"))]

    def receive(self, text: str, now_ms: int) -> list[Action]:
        """Answer the calls in one text, in their order."""
        if self._is_silent:
            return []
        actions: list[Action] = []
        try:
            for payload in self._decoder.feed(text):
                actions += self._answer(payload, now_ms)
        except ProtocolViolation:
            return [*actions, *_protocol_error("wrong data")]
        except ConnectionEnded as error:
            return [*actions, *_protocol_error(str(error))]
        return actions

    def push(self, now_ms: int) -> list[Action]:
        """Send updates: quotes that are due, and the newest bars of live series."""
        if self._is_silent:
            return []
        updates = [frame for quotes in self._quotes.values() for frame in quotes.push(now_ms)]
        active = self._faults.triggered(OF_A_CONNECTION) if updates else {}
        self._tally.quotes += len(updates)
        updates += [frame for chart in self._charts.values() for frame in chart.push(now_ms)]
        self._is_silent |= FaultKind.QUOTES_STALL in active or FaultKind.QUOTES_DROP in active
        return misbehaviour.pushing(updates, active)

    def hand_over(self) -> str | None:
        """Return the name of a complete quote session, whose own updates then stop; or None."""
        for quotes in self._quotes.values():
            if quotes.is_complete:
                quotes.hibernate()
                return quotes.name
        return None

    def _answer(self, payload: str, now_ms: int) -> list[Action]:
        if frames.is_heartbeat(payload):
            self._echoed_at_ms = now_ms
            return []
        method, params = messages.read_call(payload)
        if method in _OF_CONNECTION:
            return _OF_CONNECTION[method](self, params, now_ms)
        session = params[0] if params and isinstance(params[0], str) else ""
        if session in self._charts:
            return self._call_chart(session, method, params, now_ms)
        if session in self._quotes:
            return self._call_quotes(session, method, params, now_ms)
        raise ConnectionEnded(answers.unknown_session_text(method, params))

    def _accept(self, _params: list[Any], _now_ms: int) -> list[Action]:
        return []

    def _set_auth_token(self, params: list[Any], now_ms: int) -> list[Action]:
        token = _only_text(params)
        if self._faults.trigger(FaultKind.BAD_TOKEN):
            raise ConnectionEnded("bad auth token")
        if token not in tokens.ANONYMOUS and not tokens.is_good(token, now_ms // 1000):
            raise ConnectionEnded("bad auth token")
        self._plan = ANONYMOUS if token in tokens.ANONYMOUS else PREMIUM
        return []

    def _create_chart(self, params: list[Any], _: int) -> list[Action]:
        name = self._new_session(params)
        if self._recording is not None:
            self._charts[name] = RecordedChartSession(name, self._recording)
            return []
        self._charts[name] = SimulatedChartSession(
            name, self._plan, self._market, self._faults, self._tally, self._latency_seconds
        )
        return []

    def _create_quotes(self, params: list[Any], _: int) -> list[Action]:
        name = self._new_session(params)
        self._quotes[name] = SimulatedQuoteSession(name, self._market, self._faults)
        return []

    def _new_session(self, params: list[Any]) -> str:
        if len(self._charts) + len(self._quotes) >= _MAX_SESSIONS:
            raise ConnectionEnded("max sessions rate reached")
        return _only_text(params[:1])

    def _call_chart(
        self, session: str, method: str, params: list[Any], now_ms: int
    ) -> list[Action]:
        if method == "chart_delete_session":
            del self._charts[session]
            return []
        try:
            actions = self._charts[session].answer(method, params, now_ms)
        except CallRefused as error:
            del self._charts[session]
            return _critical_error(session, str(error), answers.call_text(method, params))
        self._is_silent = self._charts[session].is_silent
        return actions

    def _call_quotes(
        self, session: str, method: str, params: list[Any], now_ms: int
    ) -> list[Action]:
        if method == "quote_delete_session":
            del self._quotes[session]
            return []
        try:
            updates = self._quotes[session].answer(method, params, now_ms)
        except CallRefused:
            return _critical_error(session, "invalid_parameters", method)
        self._tally.quotes += len(updates)
        return misbehaviour.pushing(updates, {})


_OF_CONNECTION: dict[str, Callable[[Conversation, list[Any], int], list[Action]]] = {
    "set_auth_token": Conversation._set_auth_token,
    "set_locale": Conversation._accept,
    "set_data_quality": Conversation._accept,
    "chart_create_session": Conversation._create_chart,
    "quote_create_session": Conversation._create_quotes,
}


def _only_text(params: list[Any]) -> str:
    match params:
        case [str(text)]:
            return text
    raise ConnectionEnded("wrong data")


def _critical_error(*params: str) -> list[Action]:
    return [Send(Event("critical_error", params).framed(0))]


def _protocol_error(reason: str) -> list[Action]:
    return [Send(Event("protocol_error", (reason,)).framed(0)), Close()]
