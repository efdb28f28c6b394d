"""`ChartSession`: reads a series page by page, from new to old, until there is a reason to stop.

    create_series → page → request_more_data → page → … → stop

It opens no socket: `receive` takes texts, `outgoing` returns the calls and heartbeats to send,
`check` notices silence. A page must be stored before `next_page` requests the one before it: the
server repeats pages to a client that does not wait for the end of one.

Bars are merged by their times; the indexes of the wire die with the connection. A page counts as
progress if it has a bar older than all before. `delete` requests the end of its sessions; its
caller closes the connection, or keeps it for another session.
"""

from pocketquant.domain.bars import Bars
from pocketquant.domain.errors import ProviderTimeout
from pocketquant.domain.intervals import DAY, Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import EARLIEST_START, MAX_BARS, History, Page, Stop, SyncRequest
from pocketquant.tradingview import messages
from pocketquant.tradingview.history import Answer, Ids, SeriesSession, count_or_none
from pocketquant.tradingview.messages import FIRST_DAY, FIRST_MINUTE, REPORT_FIELDS, Message
from pocketquant.tradingview.reports import QuoteReports
from pocketquant.tradingview.symbol_texts import quote_text, symbol_text

_RESOLUTIONS = {
    Interval.M1: "1",
    Interval.M3: "3",
    Interval.M5: "5",
    Interval.M15: "15",
    Interval.M30: "30",
    Interval.M45: "45",
    Interval.H1: "60",
    Interval.H2: "120",
    Interval.H3: "180",
    Interval.H4: "240",
    Interval.D1: "1D",
    Interval.W1: "1W",
    Interval.MONTH: "1M",
}
_STOPS = {"end": Stop.END, "limit": Stop.LIMIT}
_BARS_MORE = 5  # the forming one, and some for periods of uneven length
_MOST_IDLE_PAGES = 2
_LONGEST_MONTH = 31 * DAY
_QUOTE_FIELDS = (FIRST_DAY, FIRST_MINUTE, *sorted(REPORT_FIELDS))


class ChartSession(SeriesSession):
    """One series in a chart session of its own; the connection needs a `token` if it has none yet.

    `start` and `end` of the request bound the bars; without an `end`, they reach to `today`, in
    epoch seconds. `oldest` is where an earlier attempt has come to, and this one goes on. The
    deadline of each page is a time of any steady clock.
    """

    def __init__(
        self,
        request: SyncRequest,
        token: str | None,
        name: str,
        deadline: float,
        today: int,
        oldest: int | None = None,
    ) -> None:
        super().__init__(request.series)
        self.stop: Stop | None = None
        self.deadline = deadline
        self._start = EARLIEST_START if request.start is None else request.start
        self._before = request.end if oldest is None else oldest + 1
        self._goes_on = oldest is not None
        self._is_anchored = self._before is not None
        self._is_newest = not self._is_anchored
        self._today = today
        self._quotes = f"qs_{name}"
        self._ids = Ids(f"cs_{name}")
        self._answer = Answer(self._series, self._ids)
        self._history: History | None = None
        self._begins_at: int | None = None
        self._reports = QuoteReports()
        self._oldest: int | None = None
        self._idle_pages = 0
        self._has_newer = False  # than the anchor: the server may have ignored it
        self._open(token, today)

    @property
    def page(self) -> Page | None:
        """The page that is complete, the last one with its `stop`; None while one is awaited."""
        if self._history is None:
            return None
        report = self._reports.report()
        return Page(self._history, self.stop, self._is_newest, self._begins_at, report)

    def check(self, now: float) -> None:
        """End in ProviderTimeout if the awaited page has not arrived at its deadline."""
        if self._is_awaiting and now >= self.deadline:
            self.error = ProviderTimeout(
                f"TradingView on {self._series}: a page of bars did not arrive completely in time"
            )

    def next_page(self, deadline: float) -> None:
        """Request the page before the one at hand, which was stored."""
        if self._history is None or self.stop is not None:
            raise RuntimeError("no page is at hand, or it was the last one")
        self._history, self._is_newest = None, False
        self._answer = self._answer.following()
        self.deadline = deadline
        self._call("request_more_data", self._ids.series, self._count_back_from(self._oldest))

    def delete(self) -> None:
        """Request the deletion of both sessions, as no page is wanted any more."""
        self._outgoing.append(messages.call("quote_delete_session", self._quotes))
        self._call("chart_delete_session")

    @property
    def _is_awaiting(self) -> bool:
        return self._history is None and self.error is None

    def _open(self, token: str | None, today: int) -> None:
        """Queue the calls up to the first page, which ends at an anchor unless it is the newest."""
        symbol, ids, before = self._series.symbol, self._ids, self._before
        count = self._count_back_from(today if before is None else before)
        bars = count if before is None else ("bar_count", before - 1, count)
        resolution = _RESOLUTIONS[self._series.interval]
        if token is not None:
            self._outgoing.append(messages.call("set_auth_token", token))
        self._outgoing += [
            messages.call("quote_create_session", self._quotes),
            messages.call("quote_set_fields", self._quotes, *_QUOTE_FIELDS),
            messages.call("quote_add_symbols", self._quotes, quote_text(symbol)),
        ]
        self._call("chart_create_session", "")
        self._call("resolve_symbol", ids.symbol, symbol_text(symbol))
        self._call("create_series", ids.series, ids.turnaround, ids.symbol, resolution, bars)

    def _call(self, method: str, *params: object) -> None:
        self._outgoing.append(messages.call(method, self._ids.chart_session, *params))

    def _count_back_from(self, time: int | None) -> int:
        """Return how many bars may lie between the start and this time, at most a page."""
        if time is None:
            return MAX_BARS
        count = (time - self._start) // self._series.interval.seconds + _BARS_MORE
        return max(1, min(count, MAX_BARS))

    def _handle(self, message: Message) -> None:
        match message:
            case messages.Qsd():
                self._note_quote(message)
            case messages.SeriesCompleted() if not self._answer.has_begun:
                pass  # that of the page before, sent twice
            case _ if self._is_awaiting:
                self._answer.handle(message)
                if self._answer.is_completed:
                    self._complete()
        if self._is_awaiting and self._begins_after_all():
            self._history, self.stop = History(Bars.empty(), listing=self._answer.listing), Stop.END

    def _note_quote(self, message: messages.Qsd) -> None:
        if message.session != self._quotes:
            return
        fields = message.answer.fields
        is_intraday = self._series.interval.is_intraday
        begins_at = fields.get(FIRST_MINUTE) if is_intraday else fields.get(FIRST_DAY)
        self._begins_at = count_or_none(begins_at) or self._begins_at
        self._reports.update(fields)

    def _begins_after_all(self) -> bool:
        """Whether history begins after the anchor; the server then never completes the answer.

        It does not if an earlier attempt has received the bar at the anchor.
        """
        if self._begins_at is None or self._before is None or self._answer.listing is None:
            return False
        if self._goes_on:
            return False
        return self._oldest is None and self._before <= self._begins_at

    def _complete(self) -> None:
        """Make a page of the answer, and decide whether it is the last one."""
        if self._is_newest:
            history = self._answer.history()
            self._before = _end_of_closed(history)
        else:
            history = self._older_bars()
        first = history.closed.first_time
        if first is not None and (self._oldest is None or first < self._oldest):
            self._oldest, self._idle_pages = first, 0
        else:
            self._idle_pages += 1
        self._history, self.stop = history, self._decide()

    def _older_bars(self) -> History:
        """Return the closed bars of a page that is not the newest, without newer live ones."""
        if self._oldest is None and self._before is not None:
            reached_at = self._answer.reached_at or self._today
            self._before = min(self._before, reached_at - _longest_seconds(self._series) + 1)
        bars, refused = self._answer.bars()
        closed = bars.between(None, self._before)
        self._has_newer |= len(bars) > len(closed)
        return History(closed, None, refused, self._answer.listing, self._answer.reached_at)

    def _decide(self) -> Stop | None:
        """Return why there is no page after this one; None if there may be one.

        If there are bars before the anchor, and no bar ever came, the plan keeps them out. A
        beginning that is later than a bar is wrong, and no reason to stop.
        """
        oldest, begins_at = self._oldest, self._begins_at
        if oldest is not None and oldest <= self._start:
            return Stop.REACHED
        if self._answer.data_completed in _STOPS:
            return _STOPS[self._answer.data_completed]
        if oldest is not None and begins_at is not None and self._is_within(begins_at, oldest):
            return Stop.END
        if self._idle_pages < _MOST_IDLE_PAGES:
            return None
        has_none = oldest is None and not self._has_newer
        is_withheld = has_none and self._is_anchored and begins_at is not None
        return Stop.LIMIT if is_withheld else Stop.NO_PROGRESS

    def _is_within(self, time: int, opened: int) -> bool:
        """Whether a time lies in the bar that opened then."""
        return opened <= time < opened + _longest_seconds(self._series)


def _end_of_closed(history: History) -> int | None:
    """Return a time that all closed bars lie before, and the forming one does not."""
    if history.forming is not None:
        return history.forming.time
    return None if history.closed.last_time is None else history.closed.last_time + 1


def _longest_seconds(series: Series) -> int:
    return _LONGEST_MONTH if series.interval is Interval.MONTH else series.interval.seconds
