"""Values in fields that PocketQuant does not use never change a result."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pocketquant.domain.quotes import Quote
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.domain.syncs import History, SyncRequest
from pocketquant.tradingview.frames import FrameDecoder, encode
from pocketquant.tradingview.history import HistorySession
from pocketquant.tradingview.messages import QUOTE_FIELDS
from pocketquant.tradingview.quotes import QuoteSession, Received

FieldPath = tuple[str | int, ...]

WIRE = Path(__file__).parents[2] / "wire"
NOW = 1_686_355_200.0
CHART, QUOTES = "cs_HkkyfdFBmlYf", "qs_PL4Mnuk8pRGP"

# The used paths in each kind of message; "*" is any element.
USED: dict[str, list[FieldPath]] = {
    "": [("timestamp",), ("timestampMs",)],
    "symbol_resolved": [
        ("p", 0),
        ("p", 1),
        *(
            ("p", 2, name)
            for name in (
                "description",
                "type",
                "currency_code",
                "timezone",
                "session",
                "session_holidays",
                "corrections",
                "subsession_id",
                "subsessions",
                "full_name",
                "pricescale",
                "minmov",
                "delay",
                "allowed_adjustment",
                "has_adjustment",
                "has_extended_hours",
                "visible_plots_set",
            )
        ),
    ],
    "timescale_update": [
        ("t",),
        ("p", 0),
        ("p", 1, "sds_7", "s", "*", "v", "*"),
        ("p", 1, "sds_7", "t"),
        ("p", 1, "sds_7", "lbs", "bar_close_time"),
    ],
    "series_completed": [("p", index) for index in range(4)],
    "qsd": [
        ("p", 0),
        ("p", 1, "n"),
        ("p", 1, "s"),
        *(("p", 1, "v", name) for name in QUOTE_FIELDS),
    ],
    "quote_completed": [("p", 0), ("p", 1)],
}
OF_OTHERS = ("du", "critical_error", "symbol_error", "series_error")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def captured(*names: str) -> list[dict[str, Any]]:
    """Return the messages of captured files."""
    texts = [(WIRE / f"{name}.txt").read_text() for name in names]
    return [
        json.loads(payload)
        for text in texts
        for payload in (FrameDecoder().feed(text) if text.startswith("~m~") else text.splitlines())
    ]


HISTORY = captured(
    "hello_2025-03_free",
    "errors_mixed_critical_symbol_series",
    "symbol_resolved_index_spx",
    "series_timeframe_12M_false_then_true",
    "du_study_graphics",
    "qsd_index_volume_1e100",
    "timescale_update_daily_index_with_volume",
)
QUOTED = captured(
    "hello_2025-03_free",
    "qsd_aapl_original_name_bats",
    "qsd_index_volume_1e100",
    "qsd_btcusd_2023",
    "du_live_bar_2022",
    "errors_mixed_critical_symbol_series",
)
for _message in QUOTED:
    if _message.get("m") == "qsd":
        _message["p"][1]["v"]["current_session"] = "market"  # elsewhere nothing is a tick
HISTORY[-1]["p"][1] |= captured("du_study_graphics")[0]["p"][1]  # a study beside the series


def history(texts: list[str]) -> History:
    """Return the history that a session makes of the texts and the end of its series."""
    session = HistorySession(
        SyncRequest(Series.parse("SP:SPX|1d")), CHART, "sds_7", "s1", "sds_sym_7"
    )
    completed = {"m": "series_completed", "p": [CHART, "sds_7", "streaming", "s1", {}]}
    for text in (*texts, json.dumps(completed)):
        session.receive(encode(text))
    return session.result()


def quotes(texts: list[str]) -> tuple[list[Received], list[Quote], frozenset[str]]:
    """Return what a session makes of the texts."""
    session = QuoteSession(QUOTES, "token")
    session.add([Symbol.parse("NASDAQ:AAPL"), Symbol.parse("NASDAQ:NDX")])
    received = [session.receive(encode(text), NOW) for text in texts]
    return received, session.quotes(), session.awaited


EXPECTED_HISTORY = history([json.dumps(message) for message in HISTORY])
EXPECTED_QUOTES = quotes([json.dumps(message) for message in QUOTED])


@given(st.data())
def test_history_is_the_same(data: st.DataObject) -> None:
    """A fetch gives the same bars, whatever its messages hold in unused fields."""
    assert (368, None) == (len(EXPECTED_HISTORY.closed), EXPECTED_HISTORY.forming)
    assert EXPECTED_HISTORY == history(mutated(data, HISTORY))


@given(st.data())
def test_quotes_are_the_same(data: st.DataObject) -> None:
    """A stream gives the same ticks and quotes, whatever its messages hold in unused fields."""
    assert 2 == sum(len(received.ticks) for received in EXPECTED_QUOTES[0])
    assert EXPECTED_QUOTES == quotes(mutated(data, QUOTED))


def mutated(data: st.DataObject, messages: list[dict[str, Any]]) -> list[str]:
    """Return the messages as texts, with some unused fields of one changed, removed or added."""
    chosen = data.draw(st.integers(0, len(messages) - 1))
    message = json.loads(json.dumps(messages[chosen]))
    needed = used(message)
    for _ in range(data.draw(st.integers(1, 3))):
        paths = list(unused(message, (), needed))
        if paths:
            change(data, message, data.draw(st.sampled_from(paths)))
    return [json.dumps(message if n == chosen else each) for n, each in enumerate(messages)]


def used(message: dict[str, Any]) -> list[FieldPath]:
    """Return the used paths of a message; for one of another session, only the session."""
    method = message.get("m", "")
    is_of_others = method in OF_OTHERS or (method and message["p"][0] not in (CHART, QUOTES))
    paths = [("p", 0)] if is_of_others else USED.get(method, [])
    return [("m",), *paths] if method else paths


def unused(value: Any, path: FieldPath, used: list[FieldPath]) -> Iterator[FieldPath]:
    """Yield the paths that may hold anything, and paths of new keys in objects."""
    if path and not any(is_prefix(path, each) for each in used):
        yield path
    if any(is_prefix(path, each) and len(path) == len(each) for each in used):
        return
    if isinstance(value, dict):
        yield (*path, "brand_new")
        for key, inner in value.items():
            yield from unused(inner, (*path, key), used)
    elif isinstance(value, list):
        for number, inner in enumerate(value[:3]):
            yield from unused(inner, (*path, number), used)


def is_prefix(path: FieldPath, used: FieldPath) -> bool:
    """Return whether the path is a used one or leads to it."""
    return len(path) <= len(used) and all(
        theirs in ("*", ours) for ours, theirs in zip(path, used, strict=False)
    )


def change(data: st.DataObject, message: Any, path: FieldPath) -> None:
    for key in path[:-1]:
        message = message[key]
    if isinstance(message, dict) and path[-1] in message and data.draw(st.booleans()):
        del message[path[-1]]
    else:
        message[path[-1]] = data.draw(values)
