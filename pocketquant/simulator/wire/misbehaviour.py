"""Applies faults to the answer of a series: to its bars, its messages and how they are sent."""

import json
from collections.abc import Callable, Mapping

import numpy as np

from pocketquant.domain.bars import Floats
from pocketquant.domain.batches import batched
from pocketquant.simulator.wire.faults import Fault, FaultKind
from pocketquant.simulator.wire.outgoing import Action, Close, Event, Pause, Send
from pocketquant.tradingview import frames

ActiveFaults = Mapping[FaultKind, Fault]

_HIGH, _LOW, _VOLUME = 2, 3, 5
_BIG = 1_600_000
_HEARTBEAT = frames.encode("~h~1")
_FOREIGN = "Société Générale 法国兴业银行 𝄞"
_PIECES = 7
_MAX_FRAMES = 50  # in one text


def spoiled(columns: Floats, active: ActiveFaults) -> Floats:
    """Return the bars with the faults applied to the one in the middle."""
    for kind, spoil in _OF_BARS.items():
        if kind in active and columns.shape[1]:
            columns = columns.copy()
            spoil(columns, columns.shape[1] // 2)
    return columns


def wrong_bar(
    session: object, series: object, turnaround: object, time: int = 946_857_600
) -> Event:
    """Return an update of one bar that the market does not have."""
    block = {
        "s": [{"i": 0, "v": [float(time), 1.0, 1.0, 1.0, 1.0, 1.0]}],
        "ns": {"d": "", "indexes": []},
        "t": turnaround,
        "lbs": {"bar_close_time": time + 60},
    }
    return Event("timescale_update", (session, {series: block}, {}))


def texts(events: list[Event], active: ActiveFaults, now_ms: int) -> list[str]:
    """Return the frames of an answer with the faults applied."""
    for kind, disturb in _OF_MESSAGES.items():
        if kind in active:
            events = disturb(events)
    step_ms = -1000 if FaultKind.UNORDERED_CLOCK in active else 0
    framed = [event.framed(now_ms + step_ms * index) for index, event in enumerate(events)]
    if FaultKind.NON_ASCII in active:
        counts_bytes = active[FaultKind.NON_ASCII].text("units") == "bytes"
        framed = [_in_foreign_letters(frame, counts_bytes) for frame in framed]
    return framed


def sending(
    loading: str, answer: list[str], active: ActiveFaults, latency_seconds: float
) -> list[Action]:
    """Return the actions that send `series_loading` at once and the answer as one text."""
    if FaultKind.LATENCY in active:
        latency_seconds = active[FaultKind.LATENCY].number(latency_seconds)
    for kind, send in _OF_SENDING.items():
        if kind in active:
            first, *others = send(loading, answer)
            break
    else:
        first, *others = Send(loading), Send("".join(answer))
    pause: list[Action] = [Pause(latency_seconds)] if latency_seconds and others else []
    return [first, *pause, *others]


def pushing(updates: list[str], active: ActiveFaults) -> list[Action]:
    """Return the actions that send frames of updates, many in one text."""
    if not updates or FaultKind.QUOTES_STALL in active:
        return []
    if FaultKind.QUOTES_DROP in active:
        return [Close(is_abrupt=True)]
    for kind, send in _OF_PUSHING.items():
        if kind in active:
            return send(updates[0], updates[1:])
    return [Send("".join(batch)) for batch in batched(updates, _MAX_FRAMES)]


def _nan(columns: Floats, index: int) -> None:
    columns[_HIGH, index] = np.nan


def _high_below_low(columns: Floats, index: int) -> None:
    columns[_HIGH, index] = columns[_LOW, index] - 1


def _repeated_time(columns: Floats, index: int) -> None:
    columns[0, index] = columns[0, index - 1]


def _unordered_time(columns: Floats, index: int) -> None:
    columns[:, [index - 1, index]] = columns[:, [index, index - 1]]


def _negative_volume(columns: Floats, index: int) -> None:
    columns[_VOLUME, index] = -1.0


_OF_BARS: dict[FaultKind, Callable[[Floats, int], None]] = {
    FaultKind.NAN_BAR: _nan,
    FaultKind.HIGH_BELOW_LOW: _high_below_low,
    FaultKind.REPEATED_TIME: _repeated_time,
    FaultKind.UNORDERED_TIME: _unordered_time,
    FaultKind.NEGATIVE_VOLUME: _negative_volume,
}


def _without_completed(events: list[Event]) -> list[Event]:
    return [event for event in events if event.method != "series_completed"]


def _only_completed(events: list[Event]) -> list[Event]:
    return [event for event in events if event.method == "series_completed"]


def _completed_twice(events: list[Event]) -> list[Event]:
    return [*events, *_only_completed(events)]


def _cleared(events: list[Event]) -> list[Event]:
    """Put wrong bars and the message that clears them before the answer."""
    if not _only_completed(events):
        return events
    session, series, _, turnaround, _ = _only_completed(events)[0].params
    clearing = Event("clear_data", (session, {series: {"turnaround": turnaround}}))
    return [wrong_bar(session, series, turnaround), clearing, *events]


def _after_stale_turnaround(events: list[Event]) -> list[Event]:
    """Put the bars and the end of an earlier turnaround before the answer."""
    if not _only_completed(events):
        return events
    session, series, mode, turnaround, state = _only_completed(events)[0].params
    stale = f"{turnaround}_old"
    update = wrong_bar(session, series, stale)
    return [update, Event("series_completed", (session, series, mode, stale, state)), *events]


def _with_unknown(events: list[Event]) -> list[Event]:
    return [Event("weather_update", ("~m~5~m~", {"rain": [None, 1e100]})), *events]


def _with_big(events: list[Event]) -> list[Event]:
    return [Event("study_data", ("cs_other", "x" * _BIG)), *events]


_OF_MESSAGES: dict[FaultKind, Callable[[list[Event]], list[Event]]] = {
    FaultKind.STALE_TURNAROUND: _after_stale_turnaround,
    FaultKind.NO_COMPLETED: _without_completed,
    FaultKind.EMPTY_COMPLETED: _only_completed,
    FaultKind.COMPLETED_TWICE: _completed_twice,
    FaultKind.CLEARED: _cleared,
    FaultKind.UNKNOWN_MESSAGE: _with_unknown,
    FaultKind.BIG_MESSAGE: _with_big,
}


def _in_foreign_letters(frame: str, counts_bytes: bool) -> str:
    (payload,) = frames.FrameDecoder().feed(frame)
    message = json.loads(payload)
    if message["m"] != "symbol_resolved":
        return frame
    message["p"][2]["description"] = _FOREIGN
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return f"~m~{len(text.encode())}~m~{text}" if counts_bytes else frames.encode(text)


Sending = Callable[[str, list[str]], list[Action]]


def _only_loading(loading: str, _: list[str]) -> list[Action]:
    return [Send(loading)]


def _drop(loading: str, _: list[str]) -> list[Action]:
    return [Send(loading), Close(is_abrupt=True)]


def _drop_bundle(loading: str, answer: list[str]) -> list[Action]:
    text = "".join(answer)
    return [Send(loading), Send(text[: len(text) * 2 // 3]), Close(is_abrupt=True)]


def _bad_frame(loading: str, answer: list[str]) -> list[Action]:
    return [Send(loading), Send("".join(answer).replace("~m~", "~n~"))]


def _split(loading: str, answer: list[str]) -> list[Action]:
    text = "".join(answer)
    length = -(-len(text) // _PIECES)
    pieces = [text[start : start + length] for start in range(0, len(text), length)]
    return [Send(loading), *map(Send, pieces)]


def _split_all(first: str, others: list[str]) -> list[Action]:
    return _split("", [first, *others])[1:]


def _glue(loading: str, answer: list[str]) -> list[Action]:
    return [Send("".join((loading, *answer[:1], _HEARTBEAT, *answer[1:])))]


def _each_alone(loading: str, answer: list[str]) -> list[Action]:
    return [Send(frame) for frame in (loading, *answer)]


_OF_SENDING: dict[FaultKind, Sending] = {
    FaultKind.STALL: _only_loading,
    FaultKind.SILENCE: _only_loading,
    FaultKind.DROP: _drop,
    FaultKind.DROP_BUNDLE: _drop_bundle,
    FaultKind.BAD_FRAME: _bad_frame,
    FaultKind.SPLIT: _split,
    FaultKind.GLUE: _glue,
    FaultKind.EACH_ALONE: _each_alone,
}

_OF_PUSHING: dict[FaultKind, Sending] = {
    FaultKind.QUOTES_SPLIT: _split_all,
    FaultKind.QUOTES_GLUE: _glue,
    FaultKind.QUOTES_EACH_ALONE: _each_alone,
}
