"""`BeginningSession`: asks a quote session when the provider's history of many symbols begins.

It opens no socket: `receive` takes texts, `outgoing` returns the calls and heartbeats to send.
Symbols that the provider refuses have no beginning.
"""

from collections.abc import Iterable

from pocketquant.domain.backfills import Beginning
from pocketquant.domain.batches import batched
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.symbols import Symbol
from pocketquant.tradingview import frames, messages
from pocketquant.tradingview.history import count_or_none
from pocketquant.tradingview.messages import FIRST_DAY, FIRST_MINUTE, Message
from pocketquant.tradingview.quotes import SYMBOLS_A_CALL
from pocketquant.tradingview.reasons import error_for_reason
from pocketquant.tradingview.symbol_texts import quote_text


class BeginningSession:
    """One quote session on its own connection; `found` holds the known beginnings so far."""

    def __init__(self, symbols: Iterable[Symbol], token: str, name: str) -> None:
        self.found: dict[Symbol, Beginning] = {}
        self.error: PocketQuantError | None = None
        self._session = f"qs_{name}"
        self._awaited = {quote_text(symbol): symbol for symbol in symbols}
        self._decoder = frames.FrameDecoder()
        self._outgoing = [messages.call("set_auth_token", token)]
        self._call("quote_create_session")
        self._call("quote_set_fields", FIRST_DAY, FIRST_MINUTE)
        for names in batched(self._awaited, SYMBOLS_A_CALL):
            self._call("quote_add_symbols", *names)

    @property
    def is_over(self) -> bool:
        """Whether each symbol was answered."""
        return not self._awaited

    def receive(self, text: str) -> None:
        """Process a WebSocket text of any number of frames, or a part of one."""
        try:
            for payload in self._decoder.feed(text):
                self._handle(messages.read(payload))
        except PocketQuantError as error:
            self.error = error

    def outgoing(self) -> list[str]:
        """Return the frames to send now, each once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _call(self, method: str, *params: str) -> None:
        self._outgoing.append(messages.call(method, self._session, *params))

    def _handle(self, message: Message) -> None:
        match message:
            case messages.Heartbeat():
                self._outgoing.append(frames.encode(message.payload))
            case messages.Qsd() if message.session == self._session:
                self._take(message)
            case messages.QuoteCompleted() if message.session == self._session:
                self._awaited.pop(message.name, None)
            case messages.CriticalError() if message.session == self._session:
                raise error_for_reason("quotes", str(message.reason), str(message.detail))
            case messages.ProtocolError():
                raise error_for_reason("quotes", str(message.reason))

    def _take(self, message: messages.Qsd) -> None:
        answer = message.answer
        symbol = self._awaited.get(answer.name)
        if symbol is None:
            return
        if not answer.is_ok:
            del self._awaited[answer.name]
            return
        known = self.found.get(symbol, Beginning())
        self.found[symbol] = Beginning(
            count_or_none(answer.fields.get(FIRST_DAY)) or known.day,
            count_or_none(answer.fields.get(FIRST_MINUTE)) or known.minute,
        )
