"""The Python client, from a sync to DataFrames."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pandas
import pyarrow.parquet
import pytest

import pocketquant
from pocketquant.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable

PRICES = ["open", "high", "low", "close", "volume"]


@pytest.fixture
def client(platform: Any) -> pocketquant.Client:
    """A client of an API that stores five hundred daily bars of one symbol."""
    made = pocketquant.Client(platform.url)
    assert "completed" == made.sync("NASDAQ:AAPL", "1d", 500)["status"]
    return made


def test_bars_are_a_data_frame(client: pocketquant.Client) -> None:
    """In order of time, with the values of the API's JSON."""
    frame = client.bars("NASDAQ:AAPL")
    page = client.series.page("NASDAQ:AAPL", "1d", limit=5000, order="asc")["data"]
    assert len(page) == len(frame)
    assert ("datetime", "UTC") == (frame.index.name, str(frame.index.tz))
    assert PRICES == list(frame.columns)
    assert [bar["datetime"] for bar in page] == list(frame.index.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert [[bar[name] for name in PRICES] for bar in page] == frame.to_numpy().tolist()


def test_the_newest_bars_of_a_range(client: pocketquant.Client) -> None:
    """A limit selects the newest bars; times may be texts, dates or datetimes."""
    whole = client.bars("NASDAQ:AAPL")
    end = whole.index[-10].to_pydatetime()
    assert whole[-13:-10].equals(client.bars("NASDAQ:AAPL", end=end, limit=3))
    start = whole.index[-10].date()
    assert whole[-10:].equals(client.bars("NASDAQ:AAPL", start=start))
    assert whole[-10:].equals(client.bars("NASDAQ:AAPL", start=start.isoformat()))
    with pytest.raises(InvalidRequest, match="no time zone"):
        client.bars("NASDAQ:AAPL", start=datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_bars_as_they_were(client: pocketquant.Client, tmp_path: Path) -> None:
    """The bars and the file of a moment, after bars were changed and added."""
    days = pandas.date_range("2024-01-01", periods=20, tz="UTC", name="datetime")
    frame = pandas.DataFrame(dict.fromkeys(PRICES, 5.0), index=days)
    client.import_bars("MINE:THEN", "1d", frame[:15])
    known, moment = client.bars("MINE:THEN"), datetime.now(UTC)
    client.import_bars("MINE:THEN", "1d", frame[10:] * 2)
    assert (15, 20) == (len(known), len(client.bars("MINE:THEN")))
    assert known.equals(client.bars("MINE:THEN", as_of=moment))
    assert known[5:].equals(client.bars("MINE:THEN", as_of=moment.isoformat(), limit=10))
    client.export("MINE:THEN", "1d", tmp_path / "then.csv", format="csv", as_of=moment)
    assert 16 == len((tmp_path / "then.csv").read_text().splitlines())
    page = client.series.page("MINE:THEN", "1d", as_of=moment.isoformat())
    assert (15, None) == (page["count"], page["reason"])
    (change,) = client.series.revisions("MINE:THEN", "1d")
    assert (5, "import", 5.0) == (
        change["bars"],
        change["reason"],
        change["largest_change"]["before"],
    )


def test_other_frames(client: pocketquant.Client) -> None:
    """Polars and Arrow have the same columns."""
    for frame in ("polars", "arrow"):
        made = client.bars("NASDAQ:AAPL", limit=4, frame=frame)  # type: ignore[arg-type]
        assert ["datetime", *PRICES] == list(getattr(made, "column_names", None) or made.columns)
        assert 4 == len(made)


def test_a_backfill_fetches_all_that_there_is(client: pocketquant.Client) -> None:
    """Its job says what came, and its units where each series stopped."""
    expected = client.syncs.estimate(["NASDAQ:AAPL"], ["3h"], "2024-01-01")
    assert "start" == expected["series"][0]["bound"]
    job = client.backfill(["NASDAQ:AAPL"], ["3h"], wait=True)
    came = cast(dict[str, Any], job)["backfill"]
    assert (1.0, {"limit": 1}) == (came["share_of_time"], came["stops"])
    (unit,) = client.jobs.units(job["job_id"])
    assert (5000, "limit") == (unit["fetched"], unit["stop"])
    assert came["reached_back_to"] == unit["reached_back_to"]


def test_several_symbols_are_one_frame(client: pocketquant.Client) -> None:
    """Each bar has its symbol; the symbols are in the order of the call."""
    client.sync("NASDAQ:MSFT", "1d", 20)
    names = ["NASDAQ:MSFT", "NASDAQ:AAPL"]
    frame = client.bars(names, limit=3)
    assert ["symbol", "datetime"] == list(frame.index.names)
    for name in names:
        assert client.bars(name, limit=3).equals(frame.loc[name])
    for kind in ("polars", "arrow"):
        columns: Any = client.bars(iter(names), limit=3, frame=kind)  # type: ignore[call-overload]
        found = columns["symbol"].to_list() if kind == "polars" else columns["symbol"].to_pylist()
        assert [names[0]] * 3 + [names[1]] * 3 == found


def test_times_in_a_zone(client: pocketquant.Client) -> None:
    """The instants are equal; their local times are those of the zone."""
    utc = client.bars("NASDAQ:AAPL", limit=4)
    local = client.bars("NASDAQ:AAPL", limit=4, tz="America/New_York")
    assert list(utc.index) == list(local.index)
    assert {"09:30"} == set(local.index.strftime("%H:%M"))
    polars = client.bars("NASDAQ:AAPL", limit=4, tz="America/New_York", frame="polars")
    assert list(local.index.to_pydatetime()) == polars["datetime"].to_list()
    with pytest.raises(InvalidRequest, match="no time zone"):
        client.bars("NASDAQ:AAPL", tz="New York")


def test_times_in_the_exchanges_own_zone(client: pocketquant.Client) -> None:
    """The calendar names it; symbols of several zones have none in common."""
    client.sync("NASDAQ:AAPL", "1d", 10)
    frame = client.bars("NASDAQ:AAPL", limit=4, tz="exchange")
    assert "America/New_York" == str(frame.index.tz)
    assert {"09:30"} == {f"{time:%H:%M}" for time in frame.index}
    client.sync("NSE:RELIANCE", "1d", 10)
    with pytest.raises(InvalidRequest, match="America/New_York, Asia/Kolkata"):
        client.bars(["NASDAQ:AAPL", "NSE:RELIANCE"], tz="exchange")


def test_a_calendar_tells_when_a_symbol_trades(client: pocketquant.Client) -> None:
    """Each stored day opens with a session of it."""
    client.sync("NASDAQ:AAPL", "1d", 10)
    frame = client.bars("NASDAQ:AAPL", limit=10)
    found = client.calendar("NASDAQ:AAPL", frame.index[0], frame.index[-1] + timedelta(days=1))
    opens = [datetime.fromisoformat(session["open"]) for session in found["sessions"]]
    assert frame.index.tolist() == opens
    assert ([], None) == (found["doubts"], found["problem"])


def test_a_wrong_description_of_hours_is_shown(client: pocketquant.Client) -> None:
    """Bars at other times than the provider says make the calendar doubtful, no trade does not."""
    found = {}
    for symbol in ("OTC:LATE", "OTC:SELDOM"):
        client.sync(symbol, "1h", 500)
        problem = client.syncs.status(symbol, "1h")["calendar_problem"]
        doubts = [doubt["interval"] for doubt in client.calendar(symbol)["doubts"]]
        found[symbol] = problem is not None and "doubtful" in problem, doubts
    assert {"OTC:LATE": (True, ["1h"]), "OTC:SELDOM": (False, [])} == found


def test_a_schedule_of_your_own(client: pocketquant.Client) -> None:
    """It is added, changed and removed."""
    added = client.schedules.add("own", cron="5 * * * *", intervals=["1h"])
    assert ("own", False) == (added["name"], added["is_built_in"])
    assert 20 == client.schedules.change("own", after_close_minutes=20)["after_close_minutes"]
    client.schedules.remove("own")
    assert "own" not in [each["name"] for each in client.schedules.list()]


def test_a_key_is_created_used_and_revoked(client: pocketquant.Client, platform: Any) -> None:
    """Its text opens the API with its scope; a client without a key needs none here."""
    made = client.keys.create("notebook", "sync", expires_in_seconds=3600)
    own = pocketquant.Client(platform.url, made["key"])
    assert ("sync", made["id"]) == (own.keys.current()["scope"], own.keys.current()["id"])
    with pytest.raises(Forbidden, match="scope admin"):
        own.keys.revoke(made["id"])
    assert made["id"] in [key["id"] for key in client.keys.list(live=True)]
    assert client.keys.revoke(made["id"])["revoked_at"]
    assert made["id"] not in [key["id"] for key in client.keys.list(live=True)]
    assert ("admin", None) == (client.keys.current()["scope"], client.keys.current()["id"])


def test_what_is_found_can_be_synced(client: pocketquant.Client) -> None:
    """A search tells names that a sync takes."""
    found = client.search("RELIANCE")["symbols"][0]
    name = f"{found['exchange']}:{found['symbol']}"
    assert "completed" == client.sync(name, "1d", 10)["status"]
    assert len(client.bars(name)) > 0


def test_a_bulk_job_is_waited_for_with_a_bar(
    client: pocketquant.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failed syncs are counted and raise no exception; their units are listed."""
    job = client.bulk(["NASDAQ:AAPL", "NASDAQ:NONE"], ["1h"], 10, progress=True)
    assert ("completed", 1, 1) == (
        job["state"],
        job["counts"]["completed"],
        job["counts"]["failed"],
    )
    assert "2/2 1 failed" in capsys.readouterr().err
    assert ["NONE"] == [unit["symbol"] for unit in client.jobs.units(job["job_id"], state="failed")]
    assert job["job_id"] in [each["job_id"] for each in client.jobs.list(kind="bulk")]
    assert 0 == client.jobs.retry(job["job_id"], "unknown_symbol")["counts"]["failed"]
    assert job["counts"] == client.jobs.wait(job["job_id"])["counts"]
    with pytest.raises(Conflict, match="ended"):
        client.jobs.cancel(job["job_id"])


def test_symbols_are_registered_changed_and_removed(client: pocketquant.Client) -> None:
    """Lists contain them over all pages."""
    added = client.symbols.add("binance:ethusdt", ["1h"], active=False)
    assert added == client.symbols.get("BINANCE:ETHUSDT")
    with pytest.raises(Conflict, match="registered already"):
        client.symbols.add("BINANCE:ETHUSDT")
    changed = client.symbols.change("BINANCE:ETHUSDT", active=True, intervals=["1d"])
    assert (True, ["1d"]) == (changed["active"], changed["intervals"])
    assert [changed] == list(client.symbols.list(exchange="BINANCE", active=True, page_size=1))
    names = [each["symbol"] for each in client.symbols.list()]
    assert names == [each["symbol"] for each in client.symbols.list(page_size=1)]
    client.symbols.remove("BINANCE:ETHUSDT", with_bars=True)
    with pytest.raises(NotFound):
        client.symbols.get("BINANCE:ETHUSDT")


def test_schedules_and_statuses_are_listed(client: pocketquant.Client) -> None:
    """Each listed schedule is that of its name, and filters select statuses."""
    schedules = list(client.schedules.list())
    assert schedules == [client.schedules.get(each["name"]) for each in schedules] != []
    found = list(client.syncs.statuses(symbol="AAPL", interval="1d", status="completed"))
    assert [client.syncs.status("NASDAQ:AAPL", "1d")] == found


def test_bars_are_exported(client: pocketquant.Client, tmp_path: Path) -> None:
    """To a path or an open file, in order of time, without a temporary file left over."""
    path = tmp_path / "bars.parquet"
    assert client.export("NASDAQ:AAPL", "1d", path) == path.stat().st_size
    assert [path] == list(tmp_path.iterdir())
    stored = client.bars("NASDAQ:AAPL", frame="arrow")
    table = pyarrow.parquet.read_table(path)
    assert stored["close"].to_pylist() == table["close"].to_pylist()
    text = io.BytesIO()
    written = client.export("NASDAQ:AAPL", "1d", text, format="csv", limit=3)
    assert written == len(text.getvalue())
    assert 4 == len(text.getvalue().splitlines())


def test_errors_are_raised_as_their_classes(client: pocketquant.Client, simulator: Any) -> None:
    """Errors of the API, and of another server at its URL."""
    with pytest.raises(NotFound, match="never synced"):
        client.bars("SIM:S9998", "1d")
    elsewhere = pocketquant.Client(simulator.http_url)
    with pytest.raises(Unavailable, match="not as a PocketQuant"):
        elsewhere.fleet()
