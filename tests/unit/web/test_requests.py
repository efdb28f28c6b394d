"""Request models: valid values, refused values, defaults."""

from typing import Any

import pytest
from pydantic import ValidationError

from pocketquant.domain.errors import InvalidSymbol
from pocketquant.domain.intervals import Interval
from pocketquant.domain.symbols import Series
from pocketquant.domain.syncs import SyncRequest
from pocketquant.storage.sync_status import StatusFilter
from web.bars.stored_bars import Window
from web.schemas.bars import OhlcvQuery
from web.schemas.requests import PageQuery, SeriesFields, SymbolPath
from web.schemas.syncs import SyncIn, SyncQuery, SyncStatusesQuery

AAPL = {"symbol": "AAPL", "exchange": "NASDAQ"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (AAPL, SyncRequest(Series.parse("NASDAQ:AAPL|1d"), 5000)),
        (
            {"symbol": "btcusd", "exchange": "bitstamp", "interval": "1M", "n_bars": 1},
            SyncRequest(Series.parse("BITSTAMP:BTCUSD|1M"), 1),
        ),
        (
            {"symbol": "es1!", "exchange": "CME_mini", "interval": "1m"},
            SyncRequest(Series.parse("CME_MINI:ES1!|1m"), 5000),
        ),
        ({**AAPL, "n_bars": 7.0}, SyncRequest(Series.parse("NASDAQ:AAPL|1d"), 7)),
        (
            {"symbol": "A.B/C&D-E_F!", "exchange": "X", "n_bars": 5000},
            SyncRequest(Series.parse("X:A.B/C&D-E_F!|1d"), 5000),
        ),
    ],
)
def test_a_sync_body_becomes_a_request(body: dict[str, Any], expected: SyncRequest) -> None:
    """Names may be in any case; the defaults are daily bars and 5000 of them."""
    assert expected == SyncIn.model_validate(body).request()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *(
            ({"n_bars": bad}, "n_bars")
            for bad in ("x", "5", 0, -1, 5001, True, None, 1.5, [5], 1e30)
        ),
        *(({"interval": bad}, "interval") for bad in ("2m", "1D", "1H", "", None, 5, "1mo")),
        *(
            ({"symbol": bad}, "symbol")
            for bad in (
                "",
                "$",
                "A$",
                "../",
                "../../etc",
                "A/../B",
                "..",
                "A\0",
                "A" * 65,
                "A" * 10_240,
            )
        ),
        *(
            ({"symbol": bad}, "symbol")
            for bad in (None, 5, ["AAPL"], {}, "AAPL\n", "\u017f", "\u0410", "A B")
        ),
        *(
            ({"exchange": bad}, "exchange")
            for bad in ("", "NAS DAQ", "N.Y", "N" * 33, 7, None, "NY\u017fE")
        ),
        ({"bars": 5}, "bars"),
        ({"nBars": 5}, "nBars"),
    ],
)
def test_a_bad_sync_body_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    """Each bad value and each unknown field is one problem with its own location."""
    with pytest.raises(ValidationError) as refused:
        SyncIn.model_validate(AAPL | change)
    assert [(field,)] == [problem["loc"] for problem in refused.value.errors()]


@pytest.mark.parametrize("missing", ["symbol", "exchange"])
def test_a_missing_field_is_refused_with_its_name(missing: str) -> None:
    """Symbol and exchange have no default."""
    with pytest.raises(ValidationError) as refused:
        SyncIn.model_validate({name: AAPL[name] for name in AAPL.keys() - {missing}})
    assert [(missing,)] == [problem["loc"] for problem in refused.value.errors()]


@pytest.mark.parametrize("timeout", ["-1", "61", "nan", "inf", "x", "", ["1", "2"]])
def test_a_bad_timeout_is_refused(timeout: object) -> None:
    """It must be from 0 to 60 seconds."""
    with pytest.raises(ValidationError):
        SyncQuery.model_validate({"timeout": timeout})


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"interval": "1d"},
        {"limit": "1000", "order": "desc"},
        {"limit": "01000", "interval": "1d"},
    ],
)
def test_equivalent_queries_have_one_window(query: dict[str, str]) -> None:
    """Explicit defaults make no difference, so they share a cached answer."""
    parsed = OhlcvQuery.model_validate(query)
    expected = (Interval.D1, Window(None, None, 1000, newest_first=True).key)
    assert expected == (parsed.interval, parsed.window().key)


def test_a_range_is_in_epoch_seconds() -> None:
    """Start is inclusive, end exclusive; two spellings of a moment are equal."""
    one = OhlcvQuery(start_date="2024-01-31", end_date="2024-02-01T00:00:00Z", order="asc")
    other = OhlcvQuery(start_date="2024-01-31T01:00:00+01:00", end_date="2024-02-01", order="asc")
    expected = Window(1_706_659_200, 1_706_745_600, 1000, newest_first=False)
    assert expected == one.window() == other.window()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *(({"limit": bad}, "limit") for bad in ("0", "-1", "5001", "x", "1.5", "", ["1", "2"])),
        *(({"order": bad}, "order") for bad in ("DESC", "newest", "")),
        ({"interval": "2x"}, "interval"),
        ({"start_date": "2024-01-31T00:00:00"}, "start_date"),
        ({"start_date": "0.5"}, "start_date"),
        ({"start_date": "2024-01-31", "end_date": "2024-01-31"}, "end_date"),
        ({"start_date": "2024-01-31", "end_date": "2024-01-30"}, "end_date"),
        ({"from": "2024-01-31"}, "from"),
    ],
)
def test_a_bad_ohlcv_query_is_refused_with_its_field(query: dict[str, Any], field: str) -> None:
    """So are an unknown parameter and an empty or backward range."""
    with pytest.raises(ValidationError) as refused:
        OhlcvQuery.model_validate(query)
    assert [(field,)] == [problem["loc"] for problem in refused.value.errors()]


def test_a_path_names_a_series() -> None:
    """Exchange and ticker may be in any case."""
    path = SymbolPath.model_validate({"exchange": "nyse", "symbol": "brk.b"})
    assert Series.parse("NYSE:BRK.B|1w") == SeriesFields(interval=Interval.W1).series(path)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("aapl", {"adjustment": "dividends", "currency": "eur"}),
        ("aapl;adjustment=dividends;currency=eur", {}),
        ("AAPL;adjustment=dividends;currency=EUR", {"adjustment": "dividends", "currency": "EUR"}),
    ],
)
def test_a_variant_is_named_by_the_query_or_by_the_symbol(name: str, query: dict[str, str]) -> None:
    """Both at once must agree."""
    path = SymbolPath.model_validate({"exchange": "nasdaq", "symbol": name})
    fields = SeriesFields.model_validate(query)
    assert Series.parse("NASDAQ:AAPL;adjustment=dividends;currency=EUR|1d") == fields.series(path)
    with pytest.raises(InvalidSymbol, match="give it once"):
        SeriesFields.model_validate({"session": "extended"}).series(
            SymbolPath(exchange="nasdaq", symbol="AAPL;currency=EUR")
        )


@pytest.mark.parametrize("page", [{"page": "0"}, {"page": "1" + "0" * 30}, {"page_size": "501"}])
def test_pages_have_limits(page: dict[str, str]) -> None:
    """A page number or size outside them is refused."""
    with pytest.raises(ValidationError):
        PageQuery.model_validate(page)


def test_a_status_query_becomes_filters() -> None:
    """Exchange and ticker may be in any case and given alone; an empty query has no filter."""
    assert StatusFilter() == SyncStatusesQuery().filters()
    whole = SyncStatusesQuery.model_validate({"exchange": "nasdaq", "symbol": "aapl"})
    assert StatusFilter("NASDAQ", "AAPL") == whole.filters()
    half = SyncStatusesQuery.model_validate({"symbol": "aapl", "stale_before": "1970-01-02"})
    assert StatusFilter(ticker="AAPL", stale_before=86_400) == half.filters()
