"""`GET /market-data/ohlcv` and exports while a split rescales a series."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from pocketquant.domain import events
from pocketquant.domain.bars import concatenate
from pocketquant.domain.calendar import CalendarTexts
from pocketquant.domain.dates import to_date
from pocketquant.domain.intervals import DAY
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Series, Symbol
from pocketquant.servers.connections import wait_until
from pocketquant.simulator.market.dividends import Dividend
from pocketquant.wiring import Platform
from tests.integration.simulated_market import CLOSE, DAYS, HOURS, OPEN, SimulatedMarket, Synced

AAPL = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=1d"
MOMENT = timedelta(milliseconds=5)


@pytest.fixture
def synced(platform: Platform) -> Synced:
    """Fifty days are stored, and the next one is the day of a split."""
    synced = Synced(platform, SimulatedMarket())
    synced.sync(50)
    synced.provider.split(OPEN + DAY, 10)
    return synced


def rescale(synced: Synced) -> None:
    synced.provider.now = CLOSE + DAY
    synced.sync(3)


def read(client: FlaskClient, query: str = "") -> Any:
    answer = client.get(f"{AAPL}{query}")
    assert 200 == answer.status_code, answer.text
    return answer.get_json()


@pytest.mark.parametrize("query", ["", "&end_date=2026-11-10", "&order=asc"])
def test_an_answer_has_one_scale(client: FlaskClient, synced: Synced, query: str) -> None:
    """That of before until the swap, then the new one, from every cache."""
    before = [read(client, query) for _ in range(3)]
    assert before[0] == before[1] == before[2]
    rescale(synced)
    closes = {each["datetime"]: each["close"] for each in before[0]["data"]}

    def are_new() -> bool:
        return read(client, query)["data"][-1]["close"] != before[0]["data"][-1]["close"]

    wait_until("the new answer", are_new, (), 10)
    for _ in range(3):
        shown = {each["datetime"]: each["close"] for each in read(client, query)["data"]}
        common = closes.keys() & shown.keys()
        assert len(common) > 40
        ratios = [closes[each] / shown[each] for each in common]
        assert pytest.approx([10.0] * len(ratios), rel=1e-2) == ratios


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_cursor_of_before_is_refused(client: FlaskClient, synced: Synced, order: str) -> None:
    """The message says why; pages that begin after the rescale go on to their end."""
    query = f"&limit=7&order={order}"
    cursor = read(client, query)["next_cursor"]
    rescale(synced)

    def answer() -> Any:
        return client.get(f"{AAPL}{query}&cursor={cursor}")

    wait_until("the cursor is refused", lambda: answer().status_code == 422, (), 10)
    assert "rescaled" in answer().get_json()["message"]
    found = read(client, query)
    count = len(found["data"])
    while found["next_cursor"]:
        found = read(client, f"{query}&cursor={found['next_cursor']}")
        count += len(found["data"])
    assert len(synced.stored()) == count


def test_bars_made_of_others_have_one_scale_on_all_pages(
    client: FlaskClient, synced: Synced
) -> None:
    """Their cursor is that of the bars that they are made of."""
    hours = CalendarTexts("America/New_York", "0930-1600")
    synced.platform.calendars.keep(HOURS.symbol, hours, None, now=0)
    synced.sync(50, HOURS)
    path = "/api/v1/market-data/ohlcv/NASDAQ/AAPL?interval=6h&limit=5"
    cursor = client.get(path).get_json()["next_cursor"]
    synced.provider.now = CLOSE + DAY
    synced.sync(3, HOURS)
    refused = client.get(f"{path}&cursor={cursor}")
    assert (422, True) == (refused.status_code, "rescaled" in refused.get_json()["message"])
    cursor = client.get(path).get_json()["next_cursor"]
    assert 200 == client.get(f"{path}&cursor={cursor}").status_code


def test_an_export_that_has_begun_ends_in_its_scale(client: FlaskClient, synced: Synced) -> None:
    """The blocks of a file are read one after another, and are of one generation."""
    reader = client.application.extensions["pocketquant"].ohlcv.stored
    before = synced.stored()
    blocks = reader.blocks(DAYS, None, None, newest=False)
    begun = next(blocks)
    rescale(synced)
    assert before == concatenate([begun, *blocks])
    rows = csv.DictReader(io.StringIO(client.get(f"{AAPL}&format=csv&order=asc").text))
    assert synced.stored().close.tolist() == [float(row["close"]) for row in rows]


def test_the_splits_of_a_symbol_are_listed(client: FlaskClient, synced: Synced) -> None:
    """With the moment before which bars were multiplied, the factor, and the job."""
    path = "/api/v1/market-data/events/NASDAQ/AAPL"
    expected: dict[str, Any] = {"symbol": "AAPL", "exchange": "NASDAQ", "events": []}
    assert expected == client.get(path).get_json()
    rescale(synced)
    ((event),) = client.get(path).get_json()["events"]
    ((found),) = synced.platform.generations.rescales(DAYS.symbol)
    assert event == {
        "kind": "split",
        "before": "2026-11-19T14:30:00Z",
        "factor": 0.1,
        "found_by": ["NASDAQ:AAPL|1d"],
        "ex_date": None,
        "amount": None,
        "found_at": f"{to_date(found.found_at):%Y-%m-%dT%H:%M:%SZ}",
        "source": "bars",
        "job_id": found.job_id,
    }


def test_a_split_is_listed_once_with_all_series_that_found_it(
    client: FlaskClient, synced: Synced
) -> None:
    """The moment is the later one of theirs."""
    synced.sync(50, HOURS)
    synced.provider.now = OPEN + DAY + 7200
    synced.sync(3, HOURS)
    synced.provider.now = CLOSE + 2 * DAY
    synced.sync(3)
    path = "/api/v1/market-data/events/NASDAQ/AAPL"
    ((event),) = client.get(path).get_json()["events"]
    assert ["NASDAQ:AAPL|1d", "NASDAQ:AAPL|1h"] == sorted(event["found_by"])
    assert "2026-11-19T14:30:00Z" == event["before"]


def test_a_dividend_that_bars_show(client: FlaskClient, synced: Synced) -> None:
    """Bars adjusted for dividends show it; the events of the default variant include it."""
    adjusted = Series.parse("NASDAQ:AAPL;adjustment=dividends|1d")
    provider, paid = synced.provider, OPEN + 2 * DAY
    provider.market.dividend(str(DAYS.symbol), Dividend(paid, 0.9, 0, paid))
    for days in (0, 1, 2):
        provider.now = CLOSE + days * DAY
        for series in (DAYS, adjusted):
            synced.sync(50, series)
    path = "/api/v1/market-data/events/NASDAQ/AAPL"
    dividend, split = client.get(path).get_json()["events"]
    assert ("dividend", [str(adjusted)]) == (dividend["kind"], dividend["found_by"])
    assert 0.95 < dividend["factor"] < 0.99
    assert ("split", 0.1) == (split["kind"], split["factor"])
    assert {str(DAYS), str(adjusted)} == {*split["found_by"]}
    of_variant = client.get(f"{path}?adjustment=dividends").get_json()["events"]
    assert ["dividend", "split"] == [each["kind"] for each in of_variant]


def test_dividends_that_quotes_named_stay(client: FlaskClient, platform: Platform) -> None:
    """The first moment and the newest amount of each, until the symbol is removed."""
    symbol, days = DAYS.symbol, (date(2026, 8, 10), date(2026, 11, 9), date(2027, 2, 8))
    note = platform.reports.note
    note(symbol, Report((events.Dividend(days[0], 0.25), events.Dividend(days[1]))), OPEN)
    note(symbol, Report((events.Dividend(days[1], 0.26), events.Dividend(days[2]))), CLOSE)
    note(symbol, Report(), CLOSE)
    note(Symbol.of("NASDAQ", "AAPL;currency=EUR"), Report((events.Dividend(days[0], 9.0),)), OPEN)
    note(Symbol("NASDAQ", "AAPLX"), Report((events.Dividend(days[0], 9.0),)), OPEN)
    path = "/api/v1/market-data/events/NASDAQ/AAPL"
    found = client.get(path).get_json()["events"]
    assert [
        ["2027-02-08", None, "2026-11-18T22:00:00Z"],
        ["2026-11-09", 0.26, "2026-11-18T14:30:00Z"],
        ["2026-08-10", 0.25, "2026-11-18T14:30:00Z"],
    ] == [[each["ex_date"], each["amount"], each["found_at"]] for each in found]
    assert {("dividend", "quote", None)} == {
        (each["kind"], each["source"], each["before"]) for each in found
    }
    platform.symbols.add(symbol, [], True, OPEN)
    platform.removal.remove(symbol, with_bars=True)
    assert [] == client.get(path).get_json()["events"]


def test_multiplied_bars_are_marked_in_the_coverage(client: FlaskClient, synced: Synced) -> None:
    """Until they are fetched again."""
    synced.sync(series=HOURS, start=CLOSE - 1200 * DAY)
    synced.provider.now = CLOSE + DAY
    synced.sync(3, HOURS)
    path = "/api/v1/market-data/coverage/NASDAQ/AAPL?interval=1h"
    states = [each["state"] for each in client.get(path).get_json()["ranges"]]
    assert ["rescaled", "complete"] == states


@pytest.mark.parametrize("query", ["", "&limit=7", "&format=csv", "&order=asc&limit=60"])
def test_a_moment_before_the_rescale_has_the_old_scale(
    client: FlaskClient, synced: Synced, query: str
) -> None:
    """`as_of` answers what was stored then, on all pages and in files; now has the new scale."""

    def closes(moment: datetime) -> list[float]:
        text = f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3]
        found, cursor = [], ""
        while True:
            answer = client.get(f"{AAPL}{query}&as_of={text}Z{cursor}")
            assert 200 == answer.status_code, answer.text
            if "csv" in query:
                rows = csv.DictReader(io.StringIO(answer.text))
                return sorted(float(row["close"]) for row in rows)
            found += [each["close"] for each in answer.get_json()["data"]]
            if answer.get_json()["next_cursor"] is None:
                return sorted(found)
            cursor = f"&cursor={answer.get_json()['next_cursor']}"

    before, then = sorted(synced.stored().close.tolist()), datetime.now(UTC)
    wait_until("a millisecond has passed", lambda: datetime.now(UTC) - then > MOMENT, (), 10)
    rescale(synced)
    wait_until("a millisecond has passed", lambda: datetime.now(UTC) - then > 2 * MOMENT, (), 10)
    assert before == closes(then)
    assert sorted(synced.stored().close.tolist()) == closes(datetime.now(UTC))
