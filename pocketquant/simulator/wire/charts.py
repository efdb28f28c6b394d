"""The server's side of a chart session: its symbols, series and studies."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pocketquant.simulator.market import world
from pocketquant.simulator.market.calendars import is_timezone
from pocketquant.simulator.market.prices import Market, Resolution
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import answers, calls, misbehaviour
from pocketquant.simulator.wire.encoding import EXCHANGE_TIMEZONE
from pocketquant.simulator.wire.faults import OF_A_PAGE, OF_A_SERIES, Fault, FaultKind, Faults
from pocketquant.simulator.wire.live_bars import SimulatedLiveBar
from pocketquant.simulator.wire.loading import (
    NO_LIMIT,
    AccountPlan,
    BarsRequest,
    SimulatedSeries,
    load,
    wipe,
)
from pocketquant.simulator.wire.misbehaviour import ActiveFaults
from pocketquant.simulator.wire.outgoing import Action, CallRefused, ConnectionEnded, Event, Send
from pocketquant.simulator.wire.refusals import refusal
from pocketquant.simulator.wire.tally import Tally


class SimulatedChartSession:
    """One chart session; a refused call ends it."""

    def __init__(
        self,
        name: str,
        plan: AccountPlan,
        market: Market,
        faults: Faults,
        tally: Tally,
        latency_seconds: float,
    ) -> None:
        self.is_silent = False
        self._name = name
        self._plan = plan
        self._market = market
        self._faults = faults
        self._tally = tally
        self._latency_seconds = latency_seconds
        self._timezone = "Etc/UTC"
        self._symbols: dict[str, calls.SymbolText] = {}
        self._series: dict[str, SimulatedSeries] = {}
        self._studies: dict[str, _Study] = {}
        self._live: dict[str, SimulatedLiveBar] = {}

    @property
    def is_live(self) -> bool:
        """Whether any series has a newest bar that is kept up to date."""
        return bool(self._live)

    def answer(self, method: str, params: list[Any], now_ms: int) -> list[Action]:
        """Execute a call; `CallRefused` ends this session, `ConnectionEnded` the connection."""
        if method not in _METHODS:
            raise CallRefused("unsupported method")
        return _METHODS[method](self, params, now_ms)

    def push(self, now_ms: int) -> list[str]:
        """Return the frames that update the newest bars."""
        live = self._live.values()
        return [event.framed(now_ms) for bar in live for event in bar.push(self._market, now_ms)]

    def _switch_timezone(self, params: list[Any], _: int) -> list[Action]:
        """Use this time zone for the marks of later answers."""
        timezone = calls.read(calls.Timezone, params).timezone
        if timezone != EXCHANGE_TIMEZONE and not is_timezone(timezone):
            raise CallRefused("invalid timezone")
        self._timezone = timezone
        return []

    def _resolve_symbol(self, params: list[Any], _: int) -> list[Action]:
        """Store a symbol by its id; the first series that uses it looks it up."""
        call = calls.read(calls.Resolve, params)
        if call.symbol_id in self._symbols:
            raise CallRefused("duplicate id")
        self._symbols[call.symbol_id] = calls.symbol(call.text)
        return []

    def _create_series(self, params: list[Any], now_ms: int) -> list[Action]:
        call = calls.read(calls.Create, params)
        if call.series in self._series:
            raise CallRefused("duplicate id")
        if len(self._series) >= self._plan.series:
            raise CallRefused("exceed limit of series in the session")
        series = self._add_series(call, call.count)
        return self._load(series, call.count, call.range, now_ms)

    def _modify_series(self, params: list[Any], now_ms: int) -> list[Action]:
        call = calls.read(calls.Modify, params)
        old = self._get_series(call.series)
        is_same = (call.symbol_id, call.resolution) == (old.symbol_id, old.resolution_text)
        if is_same and old.oldest is not None:
            old.turnaround = call.turnaround
            fault = self._faults.trigger(FaultKind.RANGE_THROTTLED, old.symbol)
            active = {FaultKind.NO_COMPLETED: fault} if fault else {}
            return self._load(old, 0, call.range, now_ms, active=active)
        series = self._add_series(call, old.count)
        if series.symbol == old.symbol:
            return self._load(series, series.count, call.range, now_ms)
        return self._load(series, series.count, call.range, now_ms, wipe(series))

    def _remove_series(self, params: list[Any], _: int) -> list[Action]:
        """Remove a series; the id of its symbol stays taken."""
        name = self._get_series(calls.read(calls.Remove, params).series).name
        del self._series[name]
        self._live.pop(name, None)
        return []

    def _request_more_data(self, params: list[Any], now_ms: int) -> list[Action]:
        """Answer with the next page; with the last one again if the client has not awaited it."""
        call = calls.read(calls.More, params)
        if not call.count:
            raise CallRefused("invalid parameters")
        series = self._get_series(call.series)
        active = self._faults.triggered(OF_A_PAGE, series.symbol)
        series.pages += 1
        silence = active.get(FaultKind.PAGE_SILENT)
        if silence and series.pages > silence.number(0):
            return [Send(Event("series_loading", series.ids).framed(now_ms))]
        if now_ms < series.completed_at_ms:
            active[FaultKind.PAGE_REPEATED] = Fault(FaultKind.PAGE_REPEATED)
        return self._load(series, call.count, "", now_ms, active=active)

    def _get_first_bar_time(self, params: list[Any], now_ms: int) -> list[Action]:
        """Answer when the history of a symbol begins, if it exists and has bars of this length."""
        call = calls.read(calls.FirstBar, params)
        instrument = self._instrument(call.symbol_id)
        resolution = Resolution.parse(call.resolution)
        if resolution is None:
            raise CallRefused("invalid parameters")
        time = self._market.first_time(instrument, resolution) if instrument else None
        event = Event("first_bar_time", (self._name, call.symbol_id, time))
        return [] if time is None else [Send(event.framed(now_ms))]

    def _create_study(self, params: list[Any], now_ms: int) -> list[Action]:
        call = calls.read(calls.CreateStudy, params)
        if call.study in self._studies:
            raise CallRefused("duplicate id")
        series = self._get_series(call.series)
        turnaround = f"{series.turnaround}_{call.turnaround}"
        study = self._studies[call.study] = _Study(call.study, turnaround, series.is_refused)
        return self._complete_study(study, now_ms)

    def _modify_study(self, params: list[Any], now_ms: int) -> list[Action]:
        study = self._get_study(calls.read(calls.ModifyStudy, params).study)
        return self._complete_study(study, now_ms)

    def _remove_study(self, params: list[Any], now_ms: int) -> list[Action]:
        study = self._get_study(calls.read(calls.RemoveStudy, params).study)
        del self._studies[study.name]
        deleted = Event("study_deleted", (self._name, study.name, study.turnaround))
        return [Send(deleted.framed(now_ms))]

    def _get_study(self, name: str) -> "_Study":
        if name not in self._studies:
            raise CallRefused("invalid parameters")
        return self._studies[name]

    def _complete_study(self, study: "_Study", now_ms: int) -> list[Action]:
        """Answer that a study is complete; it has no values."""
        ids = (self._name, study.name, study.turnaround)
        if study.is_refused:
            reason = "check study unexpected error"
            return [Send(Event("study_error", (*ids, reason, answers.WHERE)).framed(now_ms))]
        block = {"node": answers.POD, "st": [], "ns": {"d": "", "indexes": []}, "t": ids[2]}
        events = (
            Event("study_loading", ids),
            Event("du", (self._name, {study.name: block})),
            Event("study_completed", ids),
        )
        return [Send("".join(event.framed(now_ms) for event in events))]

    def _get_series(self, name: str) -> SimulatedSeries:
        if name not in self._series:
            raise CallRefused("invalid parameters")
        return self._series[name]

    def _add_series(
        self, call: calls.Create | calls.Modify, count: int | calls.Anchored
    ) -> SimulatedSeries:
        resolution = Resolution.parse(call.resolution)
        if resolution is None or call.symbol_id not in self._symbols:
            raise CallRefused("invalid parameters")
        series = SimulatedSeries(
            self._name,
            call.series,
            call.turnaround,
            call.symbol_id,
            self._symbols[call.symbol_id].symbol,
            resolution,
            call.resolution,
            count,
        )
        self._series[call.series] = series
        self._live.pop(call.series, None)
        return series

    def _load(
        self,
        series: SimulatedSeries,
        count: int | calls.Anchored,
        span: str,
        now_ms: int,
        *first: Event,
        active: dict[FaultKind, Fault] | None = None,
    ) -> list[Action]:
        """Answer with bars of the series, or with the reason why it has none."""
        active = {**self._trigger_faults(series.symbol), **(active or {})}
        series.completed_at_ms = now_ms + int(self._latency_seconds * 1000)
        self._tally.requested[series.symbol] += 1
        self.is_silent |= FaultKind.SILENCE in active
        loading = Event("series_loading", series.ids).framed(now_ms)
        instrument = self._instrument(series.symbol_id)
        events = refusal(series, instrument, self._plan, active)
        series.is_refused = bool(events)
        if instrument and not events:
            request = BarsRequest(series, instrument, self._timezone, count, span)
            events = [*first, *self._bars(request, active, now_ms // 1000)]
            self._follow(request, active, now_ms)
        answer = misbehaviour.texts(events, active, now_ms)
        return misbehaviour.sending(loading, answer, active, self._latency_seconds)

    def _instrument(self, symbol_id: str) -> Instrument | None:
        """Return the symbol of an id that was defined; None if the market has no such symbol."""
        if symbol_id not in self._symbols:
            raise CallRefused("invalid parameters")
        symbol = self._symbols[symbol_id]
        return world.resolve(symbol.symbol, symbol.session, symbol.currency, symbol.adjustment)

    def _follow(self, request: BarsRequest, active: ActiveFaults, now_ms: int) -> None:
        """Start live updates if an answer without faults included the newest bar."""
        series = request.series
        is_new = series.oldest is not None and series.name not in self._live
        is_followed = is_new and not active and not request.period and series.reaches_now
        if is_followed and self._market.has_trades(request.instrument):
            since_ms = now_ms + int(self._latency_seconds * 1000)
            self._live[series.name] = SimulatedLiveBar(request, self._plan, since_ms)

    def _trigger_faults(self, symbol: str) -> dict[FaultKind, Fault]:
        """Return the faults of this answer; two kinds end the session or connection instead."""
        active = self._faults.triggered(OF_A_SERIES, symbol)
        if fault := active.get(FaultKind.CRITICAL_ERROR):
            raise CallRefused(fault.text("internal error"))
        if fault := active.get(FaultKind.PROTOCOL_ERROR):
            raise ConnectionEnded(fault.text("internal error"))
        return active

    def _bars(self, request: BarsRequest, active: ActiveFaults, now: int) -> list[Event]:
        series = request.series
        is_new = series.oldest is None
        sent_before = series.sent
        plan = self._plan
        if fault := self._faults.trigger(FaultKind.BAR_LIMIT, series.symbol):
            plan = replace(plan, intraday_bars=int(fault.number(0)) or NO_LIMIT)
        events = load(request, plan, self._market, active, now)
        self._tally.served[series.symbol] += 1
        self._tally.bars += series.sent - sent_before
        if not is_new:
            return events
        description = answers.resolved(request.instrument)
        return [Event("symbol_resolved", (series.chart, series.symbol_id, description)), *events]


@dataclass(frozen=True, slots=True)
class _Study:
    """A study of the client; `turnaround` joins those of its series and its own."""

    name: str
    turnaround: str
    is_refused: bool


_METHODS: dict[str, Callable[[SimulatedChartSession, list[Any], int], list[Action]]] = {
    "switch_timezone": SimulatedChartSession._switch_timezone,
    "resolve_symbol": SimulatedChartSession._resolve_symbol,
    "create_series": SimulatedChartSession._create_series,
    "modify_series": SimulatedChartSession._modify_series,
    "remove_series": SimulatedChartSession._remove_series,
    "request_more_data": SimulatedChartSession._request_more_data,
    "get_first_bar_time": SimulatedChartSession._get_first_bar_time,
    "create_study": SimulatedChartSession._create_study,
    "modify_study": SimulatedChartSession._modify_study,
    "remove_study": SimulatedChartSession._remove_study,
}
