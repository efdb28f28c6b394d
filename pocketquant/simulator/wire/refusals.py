"""The error messages for series that the server refuses."""

from pocketquant.simulator.market.prices import Resolution
from pocketquant.simulator.market.world import Instrument
from pocketquant.simulator.wire import answers
from pocketquant.simulator.wire.faults import FaultKind
from pocketquant.simulator.wire.loading import AccountPlan, SimulatedSeries
from pocketquant.simulator.wire.misbehaviour import ActiveFaults
from pocketquant.simulator.wire.outgoing import Event

_MINUTES_FOR_ALL = frozenset({1, 3, 5, 15, 30, 45, 60, 120, 180, 240})
_NOT_ENTITLED = {"S": "seconds_not_entitled", "T": "ticks_not_entitled"}
_GROUP = "economics_paid"


def refusal(
    series: SimulatedSeries, instrument: Instrument | None, plan: AccountPlan, active: ActiveFaults
) -> list[Event]:
    """Return the error messages that follow `series_loading`; none if the series is allowed."""
    if instrument is None or FaultKind.SYMBOL_ERROR in active:
        return _symbol_error(series, "invalid symbol")
    group = _GROUP if FaultKind.PERMISSION in active else instrument.permission_group
    if group:
        return _symbol_error(series, "permission denied", "group", group)
    if fault := active.get(FaultKind.SERIES_ERROR):
        return [_series_error(series, fault.text("internal error"))]
    resolution = series.resolution
    if instrument.is_daily_only and resolution != Resolution(1, "D"):
        reason = f"unsupported resolution: {instrument.name}, {series.resolution_text}"
        return [_series_error(series, reason)]
    if reason := _not_in_plan(resolution, plan):
        return [_series_error(series, reason, "undefined")]
    return []


def _not_in_plan(resolution: Resolution, plan: AccountPlan) -> str:
    if resolution.unit in _NOT_ENTITLED:
        return _NOT_ENTITLED[resolution.unit]
    is_custom = resolution.is_intraday and resolution.count not in _MINUTES_FOR_ALL
    return "custom_resolution" if is_custom and not plan.has_custom_minutes else ""


def _symbol_error(series: SimulatedSeries, *reason: str) -> list[Event]:
    return [
        Event("symbol_error", (series.chart, series.symbol_id, *reason)),
        _series_error(series, "resolve error"),
    ]


def _series_error(series: SimulatedSeries, reason: str, where: str = answers.WHERE) -> Event:
    return Event("series_error", (*series.ids, reason, where))
