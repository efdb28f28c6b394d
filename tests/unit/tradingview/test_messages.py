"""Calls are encoded and messages decoded into typed values, whatever the server sends."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketquant.domain.errors import ProtocolViolation
from pocketquant.tradingview import messages
from pocketquant.tradingview.frames import FrameDecoder
from pocketquant.tradingview.messages import (
    CriticalError,
    Du,
    Heartbeat,
    Hello,
    Message,
    MethodCall,
    Other,
    ProtocolError,
    Qsd,
    QuoteAnswer,
    QuoteCompleted,
    QuoteFields,
    SeriesCompleted,
    SeriesError,
    SeriesLoading,
    SymbolError,
    SymbolResolved,
    TimescaleUpdate,
    Unreadable,
)


def captured(wire: Path, name: str) -> list[Message]:
    """Return the messages of a captured file, with or without framing."""
    text = (wire / f"{name}.txt").read_text()
    payloads = FrameDecoder().feed(text) if text.startswith("~m~") else text.splitlines()
    return [messages.read(payload) for payload in payloads]


def test_hello(wire: Path) -> None:
    """The first message of a connection carries the server's clock."""
    assert [Hello(1742933763, 1742933763175)] == captured(wire, "hello_2025-03_free")


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        ('{"session_id":"x","redirect":"elsewhere"}', Hello()),
        ('{"session_id":null,"via":null,"release":7,"javastudies":"none"}', Hello()),
        (
            '{"timestamp":1742933763.9,"timestampMs":1742933763175.0}',
            Hello(1742933763, 1742933763175),
        ),
        ('{"timestamp":"now","timestampMs":9e18}', Hello()),
        ('{"timestamp":NaN,"timestampMs":-1}', Hello()),
    ],
)
def test_hellos_of_another_release(hello: str, expected: Hello) -> None:
    """A hello may lack fields, have new ones, and values of any type; an invalid time is 0."""
    assert expected == messages.read(hello)


def test_heartbeat() -> None:
    """A heartbeat keeps the payload that must be sent back."""
    assert Heartbeat("~h~17") == messages.read("~h~17")


def test_captured_errors(wire: Path) -> None:
    """Errors of a symbol, a series, a session and the connection keep the server's reasons."""
    expected = [
        CriticalError("qs_vtnztfvikwom", "invalid_parameters", "quote_add_symbols"),
        SeriesLoading("cs_vtnztfvikwom", "s1", "s1"),
        SymbolError("cs_vtnztfvikwom", "symbol_1", "invalid symbol"),
        SeriesError("cs_vtnztfvikwom", "s1", "s1", "resolve error"),
    ]
    assert expected == captured(wire, "errors_mixed_critical_symbol_series")
    assert [ProtocolError("bad auth token")] == captured(wire, "protocol_error_bad_auth_token")
    assert [SymbolError("cs_t", "sds_sym_1", "invalid symbol")] == captured(
        wire, "symbol_error_invalid_2026-06"
    )
    assert [
        SeriesError("cs_test", "sds_1", "s1", "seconds_not_entitled"),
        SeriesError("cs_test", "sds_1", "s1", "unsupported resolution: INDEX:NDFI, 5"),
        SeriesError("cs_test", "sds_1", "s1", "custom_resolution"),
    ] == captured(wire, "series_errors_2026-09")
    (critical,) = captured(wire, "critical_error_create_series_bad_args")
    assert CriticalError(
        "cs_casjcotuguzl",
        "invalid parameters",
        'method: create_series. args: "[sds_1, s1, sds_sym_1, s1, 1, ]"',
    ) == (critical)


def test_captured_permission_denied(wire: Path) -> None:
    """A symbol without permission gives a symbol error and a series error; studies are ignored."""
    text = '={"adjustment":"splits","backadjustment":"default","symbol":"ECONOMICS:USM2"}'
    assert [
        SeriesLoading("cs_test", "sds_1", "s1"),
        SymbolError("cs_test", "sds_sym_1", "permission denied"),
        SeriesError("cs_test", "sds_1", "s1", "resolve error"),
        Qsd("qs_test", QuoteAnswer(text, "permission_denied", {}, "Permission denied")),
        QuoteCompleted("qs_test", text),
        Other("study_error"),
    ] == captured(wire, "permission_denied_sequence_2026-09")


def test_captured_series(wire: Path) -> None:
    """The messages around the bars of a series are decoded."""
    assert [SeriesLoading("cs_casjcotuguzl", "sds_1", "s1")] == captured(
        wire, "series_loading_2026-06"
    )
    assert [Other("series_timeframe")] * 2 == captured(wire, "series_timeframe_12M_false_then_true")
    (delayed,) = captured(wire, "series_completed_delayed")
    (limited,) = captured(wire, "series_completed_limit_2026-01")
    ids = ("cs_FgfPxXzCgyqG", "sds_2", "delayed_streaming_900", "s1")
    assert SeriesCompleted(*ids, state={"rt_update_period": 5}) == delayed
    assert isinstance(limited, SeriesCompleted)
    ids = ("cs_DcCNfv1DTMH6", "sds_1", "streaming", "s2")
    assert SeriesCompleted(*ids, state=limited.state) == limited
    assert ("", "limit") == (delayed.data_completed, limited.data_completed)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index_spx", ("S&P 500", "index", "USD", "America/New_York", "0930-1610", "ohlcv")),
        (
            "index_rut_ohlc_only",
            ("RUSSELL 2000", "index", "USD", "America/New_York", "0900-1615", "ohlc"),
        ),
        (
            "crypto_2026-06",
            ("Bitcoin / U.S. dollar", "spot", "USD", "Etc/UTC", "24x7", "ohlcv"),
        ),
    ],
)
def test_captured_symbols(wire: Path, name: str, expected: tuple[str, ...]) -> None:
    """The description of a symbol includes whether it has volume."""
    (resolved,) = captured(wire, f"symbol_resolved_{name}")
    assert isinstance(resolved, SymbolResolved)
    symbol = resolved.symbol
    assert expected == (
        symbol.description,
        symbol.type,
        symbol.currency_code,
        symbol.timezone,
        symbol.session,
        symbol.visible_plots_set,
    )


def test_captured_bars(wire: Path) -> None:
    """368 captured daily bars become columns, in the order sent."""
    (update,) = captured(wire, "timescale_update_daily_index_with_volume")
    assert isinstance(update, TimescaleUpdate)
    block = update.blocks["sds_7"]
    columns = block.columns()
    assert ("cs_HkkyfdFBmlYf", 1686475613) == (update.session, update.time)
    assert ("s1", True, (6, 368)) == (block.turnaround, block.has_volume, columns.shape)
    assert [1640183400.0, 4650.36, 4697.67, 4645.53, 4696.57, 1798000000.0] == list(columns[:, 0])
    assert np.isfinite(columns).all()


def test_captured_updates_of_the_newest_bar(wire: Path) -> None:
    """A data update has the newest bar and its close; one of a drawing study has no bars."""
    (update,) = captured(wire, "du_live_bar_2022")
    assert isinstance(update, Du)
    block = update.blocks["s1"]
    assert block.newest is not None
    assert 1663050600 == block.newest.bar_close_time
    assert [1663050540.0, 1721.18, 1721.75, 1721.17, 1721.74, 229.7826] == list(
        block.columns()[:, 0]
    )
    (drawing,) = captured(wire, "du_study_graphics")
    assert isinstance(drawing, Du)
    assert drawing.blocks["st4"].bars is None
    assert (False, (6, 0)) == (
        drawing.blocks["st4"].has_volume,
        drawing.blocks["st4"].columns().shape,
    )


def test_captured_wipe(wire: Path) -> None:
    """An update with an empty list of bars differs from one without a list."""
    (update,) = captured(wire, "timescale_update_empty_clear_payload")
    assert isinstance(update, TimescaleUpdate)
    assert [] == update.blocks["sds_1"].bars


def test_captured_quotes(wire: Path) -> None:
    """A quote has the fields that PocketQuant uses under the server's names, and no others."""
    quote, completed = captured(wire, "qsd_aapl_original_name_bats")
    fields = {
        "volume": 48899973.0,
        "update_mode": "streaming",
        "lp_time": 1686355199.0,
        "lp": 180.96,
        "current_session": "out_of_session",
        "chp": 0.22,
        "ch": 0.39,
    }
    assert Qsd("qs_PL4Mnuk8pRGP", QuoteAnswer("NASDAQ:AAPL", "ok", fields)) == quote
    assert QuoteCompleted("qs_PL4Mnuk8pRGP", "NASDAQ:AAPL") == completed


@pytest.mark.parametrize(
    ("name", "symbol", "field", "expected"),
    [
        ("qsd_index_volume_1e100", "NASDAQ:NDX", "volume", 1e100),
        ("qsd_spx_2023", "SP:SPX", "volume", 2_109_000_000.0),
        ("qsd_btcusd_2023", "BITSTAMP:BTCUSD", "volume", 275.62184705),
        ("qsd_full_2019", "BITSTAMP:BTCUSD", "volume", 6219.89074752),
        ("qsd_bid_ask_2019", "BITSTAMP:BTCUSD", "ask", 8004.8),
        ("qsd_lp_time_only_2019", "BITSTAMP:XRPUSD", "lp_time", 1558466760.0),
    ],
)
def test_captured_fields(wire: Path, name: str, symbol: str, field: str, expected: float) -> None:
    """Whole numbers, long decimals and the number for no value are decoded as floats."""
    (quote,) = captured(wire, name)
    assert isinstance(quote, Qsd)
    assert (symbol, True, expected) == (
        quote.answer.name,
        quote.answer.is_ok,
        dict(quote.answer.fields)[field],
    )


def test_captured_quote_of_an_unknown_symbol(wire: Path) -> None:
    """A quote may carry the error that there is no such symbol."""
    (quote,) = captured(wire, "qsd_error_no_such_symbol_payload")
    answer = QuoteAnswer("FOREX:EURUSD", "error", {}, "no_such_symbol")
    assert Qsd("qs_afcyponiwryy", answer) == quote
    assert not answer.is_ok


@pytest.mark.parametrize(
    "payload",
    [
        '{"m":"qsd","p":["qs",{"n":"A:B","s":"ok","v":{"lp":1,"rtc":null,"bid":null}}]}',
        '{"p":["qs",{"v":{"bid":null,"lp":1.0},"s":"ok","n":"A:B"}],"m":"qsd","t":1}',
        '{"m":"qsd","p":["qs",{"n":"A:B","s":"ok","v":{"lp":1.0,"bid":1e999}}]}',
    ],
)
def test_quotes_in_any_order(payload: str) -> None:
    """Keys may come in any order; null and invalid numbers become None."""
    fields = {"lp": 1.0, "bid": None}
    assert Qsd("qs", QuoteAnswer("A:B", "ok", fields)) == messages.read(payload)


def test_changes_have_our_names(wire: Path) -> None:
    """Fields are renamed, and the status names the trading day."""
    (quote,) = captured(wire, "qsd_index_volume_1e100")
    assert isinstance(quote, Qsd)
    fields = QuoteFields(
        lp=1.0,
        lp_time=2.0,
        volume=0.0,
        ch=3.0,
        chp=4.0,
        prev_close_price=5.0,
        open_time=6,
        bid=None,
    )
    fields["market-status"] = {"tradingday": "20251218"}
    expected = {
        "last_price": 1.0,
        "time": 2.0,
        "day_volume": 0.0,
        "change": 3.0,
        "change_percent": 4.0,
        "prev_close": 5.0,
        "open_time": 6,
        "bid": None,
        "trading_day": "20251218",
    }
    assert expected == QuoteAnswer("A:B", "ok", fields).changes()
    assert quote.answer.changes()["day_volume"] is None


@pytest.mark.parametrize("total", [1e100, -1.0, None])
def test_a_total_that_is_no_volume_becomes_none(total: float | None) -> None:
    """TradingView sends 1e100 for a symbol without volume."""
    assert {"day_volume": None} == QuoteAnswer("A:B", "ok", {"volume": total}).changes()


@pytest.mark.parametrize("status", [None, "open", {"phase": "regular"}, {"tradingday": 7}])
def test_a_status_without_a_trading_day_changes_nothing(status: object) -> None:
    """The known day stays, while an open time that is no number is removed."""
    fields: QuoteFields = {"market-status": status, "open_time": "soon"}
    assert {"open_time": None} == QuoteAnswer("A:B", "ok", fields).changes()


def test_every_captured_message_is_read(wire: Path) -> None:
    """Every captured message is decoded without an error."""
    names = [path.stem for path in wire.glob("*.txt") if not path.stem.startswith("http_")]
    assert names
    assert all(captured(wire, name) for name in names)


def test_bars_with_and_without_volume() -> None:
    """A missing or null volume is NaN, and surplus values are dropped."""
    columns = columns_of("1.0,2,3,1,2", "2.0,2,3,1,2,7", "3.0,2,null,1,2,7,8", "")
    expected = [
        [1, 2, 3, 1, 2, np.nan],
        [2, 2, 3, 1, 2, 7],
        [3, 2, np.nan, 1, 2, 7],
        [np.nan] * 6,
    ]
    assert np.array_equal(np.array(expected).T, columns, equal_nan=True)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "null"])
def test_numbers_that_json_does_not_have(number: str) -> None:
    """A bar with NaN, or with a number beyond float64, does not affect the bars beside it."""
    columns = columns_of("1.0,2,3,1,2,7", f"2.0,{number},3,1,2,7")
    assert [2.0, True] == [columns[1, 0], np.isnan(columns[1, 1])]


def test_unknown_messages() -> None:
    """A message of an unknown kind is accepted with any parameters."""
    assert [Other("brand_new")] * 2 == [
        messages.read('{"m":"brand_new","p":{"a":[null]}}'),
        messages.read('{"m":"brand_new"}'),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "hello",
        "[]",
        "null",
        "7",
        '{"m":"du","p":[',
        '{"m":"qsd",}',
        '{"m":"x","p":' + "[" * 100_000,
    ],
)
def test_payloads_that_are_no_message(payload: str) -> None:
    """A payload that is no message raises ProtocolViolation, never another exception."""
    with pytest.raises(ProtocolViolation, match="no message"):
        messages.read(payload)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"m":"brand_new","p":[NaN]}', Other("brand_new")),
        ('{"m":7,"p":[]}', Other("")),
        ('{"m":[],"p":[]}', Other("")),
        ('{"m":"symbol_error","p":["cs","sym",{}]}', SymbolError("cs", "sym", {})),
        ('{"m":"series_error","p":["cs","s1","s1"]}', SeriesError("cs", "s1", "s1")),
        ('{"m":"critical_error","p":["cs",null,7]}', CriticalError("cs", None, 7)),
        ('{"m":"protocol_error","p":[]}', ProtocolError()),
        (r'{"m":"protocol_error","p":["\ud83d"]}', ProtocolError("\ufffd")),
        (
            '{"m":"qsd","p":["qs",{"n":"A:B","s":"error","errmsg":7,"v":[]}]}',
            Qsd("qs", QuoteAnswer("A:B", "error", error=7)),
        ),
        (
            '{"m":"qsd","p":["qs",{"n":"A:B","s":"ok","v":{"rtc":1e999,"lp":1,"x":[NaN]}}]}',
            Qsd("qs", QuoteAnswer("A:B", "ok", {"lp": 1.0})),
        ),
    ],
)
def test_values_that_are_not_needed(payload: str, expected: Message) -> None:
    """A value of any type is accepted where it is unused or only descriptive."""
    assert expected == messages.read(payload)


@pytest.mark.parametrize(
    ("payload", "method", "session", "subject", "value"),
    [
        ('{"m":"symbol_error","p":[]}', "symbol_error", None, None, "array"),
        ('{"m":"series_completed"}', "series_completed", None, None, "null"),
        (
            '{"m":"series_completed","p":["cs","s1",7,"s1"]}',
            "series_completed",
            "cs",
            "s1",
            "$[2]",
        ),
        (
            '{"m":"symbol_resolved","p":["cs","sym",{"visible_plots_set":7}]}',
            "symbol_resolved",
            "cs",
            "sym",
            "visible_plots_set",
        ),
        ('{"m":"du","p":["cs",[]]}', "du", "cs", None, "$[1]"),
        ('{"m":"qsd","p":["qs",{"n":"A:B","s":"ok","v":{"lp":"1"}}]}', "qsd", "qs", "A:B", ".v.lp"),
        ('{"m":"qsd","p":["qs",{"n":"A:B","s":"ok","v":null}]}', "qsd", "qs", "A:B", ".v"),
        ('{"m":"qsd","p":["qs",{"n":7,"s":"ok","v":{}}]}', "qsd", "qs", None, ".n"),
        ('{"m":"qsd","p":[null,{"n":"A:B","s":"ok","v":{}}]}', "qsd", None, None, "$[0]"),
        ('{"m":"qsd","p":["qs"]}', "qsd", "qs", None, "length 2"),
    ],
)
def test_values_that_are_needed(
    payload: str, method: str, session: str | None, subject: str | None, value: str
) -> None:
    """A needed value of the wrong type names its message, session, subject and path."""
    unreadable = messages.read(payload)
    assert isinstance(unreadable, Unreadable)
    assert (method, session, subject) == unreadable[:3]
    assert value in unreadable.fault


def test_an_unreadable_block() -> None:
    """An unreadable block is removed with its reason; other blocks are decoded."""
    bars = '{"s":[{"i":"x","v":[1.0,2,3,1,2,7,"extra"]}],"t":"s1"}'
    for method, time in (("du", ""), ("timescale_update", ',"t":1700000000.5')):
        update = messages.read(
            f'{{"m":"{method}","p":["cs",{{"st1":{{"s":[{{"v":["text"]}}]}},"s1":{bars}}}]{time}}}'
        )
        assert isinstance(update, Du | TimescaleUpdate)
        assert [[1.0], [2.0], [3.0], [1.0], [2.0], [7.0]] == update.blocks["s1"].columns().tolist()
        assert ["st1"] == list(update.unreadable)
        assert "$.s[0].v[0]" in update.unreadable["st1"]
    odd = messages.read('{"m":"du","p":["cs",{"a":{"t":7},"b":{"s":[7]},"c":{"s":[{"v":7}]}}]}')
    assert isinstance(odd, Du)
    assert ({}, ["a", "b", "c"]) == (odd.blocks, list(odd.unreadable))
    assert 1_700_000_000 == update.time


@settings(deadline=None)
@given(st.text() | st.text(alphabet='{}[]",:mp0.e-', max_size=20))
def test_any_text_is_read_or_refused(payload: str) -> None:
    """Any text is either decoded or raises ProtocolViolation."""
    try:
        messages.read(payload)
    except ProtocolViolation:
        assert not payload.startswith("~h~")


def test_calls(wire: Path) -> None:
    """A call is framed, compact and in ASCII, like a real client's."""
    expected = (wire / "client_set_auth_token_anonymous.txt").read_text()
    assert expected == messages.call("set_auth_token", "unauthorized_user_token")
    escaped = r'~m~39~m~{"m":"\u00e9\ud83d\ude00","p":[1,null]}'
    assert escaped == messages.call("é😀", 1, None)


def test_calls_are_read_back(wire: Path) -> None:
    """A captured call of a real client is decoded."""
    (payload,) = FrameDecoder().feed((wire / "client_quote_add_symbols_json.txt").read_text())
    text = '={"adjustment":"splits","currency-id":"USD","session":"regular","symbol":"BATS:SPY"}'
    assert MethodCall("quote_add_symbols", ["qs_6NGU6pXLpVVI", text]) == messages.read_call(payload)


@pytest.mark.parametrize("payload", ["", "~h~1", "[]", '{"m":"x"}', '{"m":1,"p":[]}', '{"p":[]}'])
def test_payloads_that_are_no_call(payload: str) -> None:
    """A payload that is no call raises ProtocolViolation."""
    with pytest.raises(ProtocolViolation, match="no call"):
        messages.read_call(payload)


def test_events() -> None:
    """A message of the server is framed with its clock if its kind carries one."""
    assert [
        '~m~25~m~{"m":"du","p":["cs",1.5]}',
        '~m~59~m~{"m":"series_loading","p":[],"t":1742933,"t_ms":1742933764}',
    ] == [
        messages.event("du", ["cs", 1.5], None),
        messages.event("series_loading", [], 1_742_933_764),
    ]


def columns_of(*bars: str) -> np.ndarray:
    """Return the columns decoded from an update with bars of these values."""
    values = ",".join(f'{{"i":0,"v":[{bar}]}}' for bar in bars)
    update = messages.read(f'{{"m":"du","p":["cs",{{"s1":{{"s":[{values}]}}}}]}}')
    assert isinstance(update, Du)
    return update.blocks["s1"].columns()
