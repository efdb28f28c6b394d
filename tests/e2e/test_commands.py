"""The commands that call an API, as a user types them."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas
import pytest
from click.testing import CliRunner, Result

from pocketquant.cli import main
from pocketquant.client import Client
from pocketquant.domain.events import Dividend
from pocketquant.domain.reports import Report
from pocketquant.domain.symbols import Symbol
from pocketquant.servers.connections import wait_until
from pocketquant.storage.reports import ReportStore
from tests.e2e.suspending import suspended

POCKETQUANT = str(Path(sys.executable).parent / "pocketquant")
AAPL, MSFT = "NASDAQ:AAPL", "NASDAQ:MSFT"

Type = Callable[..., Result]


@pytest.fixture
def typed(platform: Any) -> Type:
    """Run a command against the platform."""

    def run(*arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(main, [*arguments, "--url", platform.url], input=text)

    return run


@pytest.fixture
def stored(platform: Any) -> Client:
    """A client of an API that stores daily bars of one symbol."""
    client = Client(platform.url)
    assert "completed" == client.sync(AAPL, "1d", 500)["status"]
    return client


def _json(result: Result, code: int = 0) -> Any:
    assert code == result.exit_code, result.output
    return json.loads(result.stdout)


def test_bulk_reads_symbols_from_a_file_and_arguments(typed: Type, tmp_path: Path) -> None:
    """Each symbol counts once, and the counts of the ended job are printed."""
    listed = tmp_path / "symbols.txt"
    listed.write_text("# mine\nnasdaq:aapl, NASDAQ:MSFT\n\nNASDAQ:GOOGL NASDAQ:AAPL  # again\n")
    done = typed("bulk", MSFT, "--from", str(listed), "-i", "1d", "-i", "1h", "-n", "10")
    assert 0 == done.exit_code
    assert "6 of 6 syncs completed\n" == done.stdout
    assert "2 symbols were given more than once" in done.stderr


def test_bulk_from_standard_input_that_fails_in_part_exits_with_1(typed: Type) -> None:
    """`jobs units` lists the failed syncs with their errors."""
    job = _json(typed("bulk", "--from", "-", "--json", text=f"{AAPL} NASDAQ:NONE\n"), code=1)
    assert (2, 1, 1) == tuple(job["counts"][name] for name in ("total", "completed", "failed"))
    (unit,) = _json(typed("jobs", "units", job["job_id"], "--state", "failed", "--json"))
    assert ("NONE", "unknown_symbol") == (unit["symbol"], unit["error"])
    failed = typed("bulk", "NASDAQ:NONE")
    assert 1 == failed.exit_code
    assert "1 failed: `pocketquant jobs units " in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bulk",), "name symbols, or a file"),
        (("bulk", "--from", "nowhere.txt"), "there is no file nowhere.txt"),
        (("bulk", "AAPL"), "a symbol is like NASDAQ:AAPL"),
        (("bulk", AAPL, "-i", "7d"), "is not one of"),
        (("sync", AAPL, "-n", "0"), "not in the range"),
        (("symbols", "change", AAPL), "nothing to change: give"),
        (("schedules", "change", "all-series"), "nothing to change: give"),
        (("export", AAPL, "-o", "bars.txt"), "names no format"),
        (("nothing",), "No such command"),
        (("snyc", AAPL), "Did you mean sync"),
        (("dead-letters", "retry"), "give the id of a sync, or --code"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], message: str) -> None:
    """The error is printed before any request to an API."""
    done = CliRunner().invoke(main, arguments)
    assert (2, "") == (done.exit_code, done.stdout)
    assert message in done.stderr


def test_a_word_that_is_no_symbol_is_named_with_its_line(typed: Type) -> None:
    """A user finds it in a long file."""
    done = typed("bulk", "--from", "-", text=f"{AAPL}\n\nMSFT\n")
    assert 2 == done.exit_code
    assert "-, line 3: 'MSFT' is not EXCHANGE:TICKER" in done.stderr


def test_an_unreachable_api_exits_with_1() -> None:
    """The message names the command that starts one."""
    done = CliRunner().invoke(main, ["jobs", "list", "--url", "http://127.0.0.1:9"])
    assert (1, "") == (done.exit_code, done.stdout)
    assert "start one with `pocketquant up`" in done.stderr


def test_jobs_are_listed_shown_watched_retried_and_cancelled(typed: Type) -> None:
    """By the id that `bulk --no-wait` prints."""
    job_id = typed("bulk", AAPL, "NASDAQ:NONE", "--no-wait").stdout.strip()
    assert 1 == typed("jobs", "watch", job_id).exit_code
    assert (
        job_id
        == _json(typed("jobs", "list", "--kind", "bulk", "--limit", "1", "--json"))[0]["job_id"]
    )
    assert "completed" == _json(typed("jobs", "show", job_id, "--json"))["state"]
    assert job_id == _json(typed("jobs", "retry", job_id, "--json"))["job_id"]
    typed("jobs", "watch", job_id)
    refused = typed("jobs", "cancel", job_id)
    assert 1 == refused.exit_code
    assert "[conflict]" in refused.stderr
    assert job_id[:10] in typed("jobs", "list").stdout


def test_a_backfill_prints_what_can_come_and_what_came(typed: Type) -> None:
    """Its estimate on stderr; then each series, with where it stopped and why."""
    estimate = _json(typed("backfill", AAPL, "-i", "4h", "--estimate", "--json"))
    assert ("AAPL", "4h") == tuple(estimate["series"][0][name] for name in ("symbol", "interval"))
    assert "bound" in typed("backfill", AAPL, "-i", "4h", "--estimate").stdout
    done = typed("backfill", AAPL, "-i", "4h")
    assert 0 == done.exit_code
    assert "1 of 1 syncs completed" in done.stdout
    assert "limit" in done.stdout
    assert "can come of 1 series" in done.stderr
    again = typed("backfill", AAPL, "-i", "4h", "--estimate")
    assert "your plan serves 5,000 bars of a series" in again.stderr
    failed = typed("backfill", "NASDAQ:NONE")
    assert 1 == failed.exit_code
    assert "unknown_symbol" in failed.stdout


def test_a_job_is_paused_and_resumed(typed: Type, platform: Any) -> None:
    """Its syncs go on once it is resumed."""
    with suspended(platform.processes("worker-")):
        job_id = typed("backfill", MSFT, "--no-wait").stdout.strip()
        assert "paused" == _json(typed("jobs", "pause", job_id, "--json"))["state"]
        (listed,) = _json(typed("jobs", "list", "--state", "paused", "--json"))
        assert job_id == listed["job_id"]
    assert "paused" != _json(typed("jobs", "resume", job_id, "--json"))["state"]
    assert 0 == typed("jobs", "watch", job_id).exit_code


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    "command",
    [
        ("symbols", "list"),
        ("jobs", "list"),
        ("schedules", "list"),
        ("search", "apple"),
        ("sync", AAPL),
        ("sync", AAPL, "--start", "2024-01-01"),
        ("bars", AAPL),
    ],
)
def test_every_column_of_a_table_is_a_field_of_the_response(
    typed: Type, command: tuple[str, ...]
) -> None:
    """A misspelt column would always be empty."""
    _, head, *_ = typed(*command).stdout.splitlines()
    answer = _json(typed(*command, "--json"))
    if "job_id" in answer:
        answer = _json(typed("jobs", "units", answer["job_id"], "--json"))
    row = answer["series"][0] if "series" in answer else answer[0]
    assert set(re.findall(r"\w+", head)) <= row.keys()


def test_a_sync_of_several_symbols_tells_each_outcome(typed: Type) -> None:
    """One that fails, with the names near its own, does not hide the report of the others."""
    done = typed("sync", "NASDAQ:AAPLL", MSFT, "-n", "10")
    assert 1 == done.exit_code
    assert "MSFT" in done.stdout
    assert "[unknown_symbol]" in done.stderr
    assert "NASDAQ:AAPLL: did you mean NASDAQ:AAPL" in done.stderr
    alone = typed("sync", "NASDAQ:AAPLL")
    assert (1, "") == (alone.exit_code, alone.stdout)
    assert "did you mean NASDAQ:AAPL" in alone.stderr


def test_a_wide_table_becomes_blocks_of_lines(typed: Type, stored: Client, platform: Any) -> None:
    """No value is broken over lines; numbers and words are for people."""
    shown = in_terminal(40, "sync", AAPL, "--url", platform.url)
    assert re.search(r"^ *last_bar_at +\S+Z *$", shown, re.MULTILINE)
    assert re.search(r"^ *bar_count +[45],\d\d\d *$", shown, re.MULTILINE)
    assert "active yes" in " ".join(
        in_terminal(40, "symbols", "list", "AAPL", "--url", platform.url).split()
    )
    assert "there are none" in typed("symbols", "list", "--exchange", "NOWHERE").stderr
    assert stored


def in_terminal(columns: int, *arguments: str) -> str:
    """Run a command in a terminal of so many columns; return what it shows."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "wb") as terminal:
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": str(columns)}
        subprocess.run([POCKETQUANT, *arguments], stdout=terminal, env=environment, check=True)
        return screen.read(65_536).decode().replace("\r", "")


def test_series_and_dead_letters_are_listed(typed: Type, stored: Client) -> None:
    """By state, by error, and one by one; a failed sync is queued again."""
    listed = _json(typed("series", "list", "--status", "completed", "-i", "1d", "--json"))
    assert _json(typed("series", "show", AAPL, "--json")) in listed
    assert "complete" in typed("series", "coverage", AAPL).stdout
    assert 1 == typed("sync", "NASDAQ:NONE").exit_code
    found = _json(typed("dead-letters", "list", "--code", "unknown_symbol", "--json"))
    failed = next(one for one in found if one["symbol"] == "NONE")
    assert "unknown_symbol" in typed("dead-letters", "codes").stdout
    again = _json(typed("dead-letters", "retry", failed["unit_id"], "--json"))
    assert {"retried": 1} == again
    assert stored


def test_quotes_are_subscribed_shown_and_unsubscribed(typed: Type) -> None:
    """Where no streamer runs, the commands say what is missing."""
    assert 1 == _json(typed("quotes", "subscribe", AAPL, "--json"))["changed"]
    assert "subscribed" in typed("quotes", "status").stdout
    assert [] == _json(typed("quotes", "list", "--json"))
    missing = typed("quotes", "show", AAPL)
    assert 1 == missing.exit_code
    assert "[no_live_quote]" in missing.stderr
    assert "[no_live_quote]" in typed("quotes", "bar", AAPL, "-i", "1m").stderr
    assert not _json(typed("quotes", "stop", "--json"))["streaming"]
    assert _json(typed("quotes", "start", "--json"))["streaming"]
    assert 0 == _json(typed("quotes", "unsubscribe", AAPL, "--json"))["subscribed"]


def test_the_fleet_is_shown_with_its_problems(typed: Type) -> None:
    """The exit code says whether there are any."""
    shown = typed("fleet")
    found = _json(typed("fleet", "--json"), shown.exit_code)
    assert shown.exit_code == int(bool(found["problems"]))
    assert "worker" in shown.stdout


COMMANDS = {
    "add_schedule": "schedules add",
    "add_symbol": "symbols add",
    "backfill": "backfill",
    "cancel_job": "jobs cancel",
    "change_schedule": "schedules change",
    "change_symbol": "symbols change",
    "count_dead_letters": "dead-letters codes",
    "create_key": "keys create",
    "estimate_backfill": "backfill",
    "get_calendar": "calendar",
    "get_coverage": "series coverage",
    "get_current_bar": "quotes bar",
    "get_differences": "differences",
    "get_events": "events",
    "get_fleet": "fleet",
    "get_holes": "holes",
    "get_job": "jobs show",
    "get_latest_quote": "quotes show",
    "get_ohlcv": "bars",
    "get_outliers": "outliers",
    "get_quotes_status": "quotes status",
    "get_schedule": "schedules show",
    "get_sync_status": "series show",
    "import_bars": "import",
    "list_dead_letters": "dead-letters list",
    "list_jobs": "jobs list",
    "list_keys": "keys list",
    "list_latest_quotes": "quotes list",
    "list_qualities": "quality",
    "list_revisions": "revisions",
    "list_schedules": "schedules list",
    "list_symbols": "symbols list",
    "list_sync_statuses": "series list",
    "list_units": "jobs units",
    "pause_job": "jobs pause",
    "remove_schedule": "schedules remove",
    "remove_symbol": "symbols remove",
    "repair": "repair",
    "resume_job": "jobs resume",
    "retry_dead_letters": "dead-letters retry",
    "retry_job": "jobs retry",
    "revoke_key": "keys revoke",
    "search_symbols": "search",
    "start_quotes": "quotes start",
    "stop_quotes": "quotes stop",
    "stream_job": "jobs watch",
    "stream_quotes": "watch",
    "subscribe": "quotes subscribe",
    "sync": "sync",
    "sync_in_bulk": "bulk",
    "unsubscribe": "quotes unsubscribe",
}
WITHOUT_COMMAND = {
    "get_current_key": "API_KEY is the user's own",
    "get_health": "`doctor` examines more",
    "get_liveness": "for supervisors",
    "get_readiness": "for load balancers",
    "get_symbol": "`symbols list` shows it",
    "stream_changes": "for pages that stay open",
    "sync_in_background": "`bulk --no-wait` does it for any number",
}


def test_every_operation_has_a_command_or_a_reason_for_none(platform: Any) -> None:
    """A new operation of the API fails here until it is either."""
    document = platform.get("/api/v1/openapi.json").body
    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    }
    assert operations == COMMANDS.keys() | WITHOUT_COMMAND.keys()
    for command in set(COMMANDS.values()):
        done = CliRunner().invoke(main, [*command.split(), "--help"])
        assert 0 == done.exit_code, command


def test_a_daily_file_is_matched_by_trading_day(
    typed: Type, stored: Client, tmp_path: Path
) -> None:
    """A file of dates, as Yahoo's, replaces the bars of these days; unused columns are named."""
    days = stored.bars(AAPL, "1d").tail(3)
    rows = [
        ",".join([f"{time:%Y-%m-%d}", *map(str, (*bar.tolist()[:4], bar.close / 2, bar.volume))])
        for time, bar in days.iterrows()
    ]
    file = tmp_path / "AAPL.csv"
    file.write_text("\n".join(["Date,Open,High,Low,Close,Adj Close,Volume", *rows]))
    done = typed("import", AAPL, str(file), "--timezone", "UTC")
    assert (0, "0 inserted, 0 changed, 3 unchanged, 0 refused\n") == (done.exit_code, done.stdout)
    assert "unused columns: adj close" in done.stderr


def test_a_range_is_synced_as_far_back_as_the_plan_allows(typed: Type) -> None:
    """The report says why it went no further; a range that makes no sense is refused."""
    (report,) = _json(typed("sync", AAPL, "-i", "4h", "--start", "2001-01-01", "--json"))
    assert "limit" == report["stop"]
    assert report["history_begins_at"] < report["reached_back_to"] == report["first_bar_at"]
    job = _json(typed("bulk", AAPL, "-i", "1w", "--start", "2010-01-01", "--json"))
    assert 1 == job["counts"]["completed"]
    refused = typed("sync", AAPL, "--start", "2024-01-31", "--end", "2024-01-01")
    assert 1 == refused.exit_code
    assert "end" in refused.stderr


def test_symbols_are_found_registered_changed_and_removed(typed: Type) -> None:
    """`symbols remove --with-bars` asks for confirmation unless `--yes` is given."""
    found = _json(typed("search", "apple", "--type", "stock", "--limit", "3", "--json"))
    assert "AAPL" in {one["symbol"] for one in found}
    made = _json(typed("symbols", "add", "NASDAQ:TSLA", "-i", "1h", "--json"))
    assert ["1h"] == made["intervals"]
    changed = _json(typed("symbols", "change", "nasdaq:tsla", "-i", "1d", "--inactive", "--json"))
    assert (["1d"], False) == (changed["intervals"], changed["active"])
    listed = _json(typed("symbols", "list", "tsla", "--inactive", "--json"))
    assert ["TSLA"] == [one["symbol"] for one in listed]
    kept = typed("symbols", "remove", "NASDAQ:TSLA", "--with-bars", text="n\n")
    assert 1 == kept.exit_code
    assert 0 == typed("symbols", "remove", "NASDAQ:TSLA", "--with-bars", "--yes").exit_code
    assert [] == _json(typed("symbols", "list", "tsla", "--json"))


def test_schedules_are_listed_and_changed(typed: Type) -> None:
    """Resumed with other values, then paused with the old ones."""
    before = _json(typed("schedules", "show", "all-series", "--json"))
    assert before["name"] in {one["name"] for one in _json(typed("schedules", "list", "--json"))}
    leap_day = ("--resume", "-n", "7", "--cron", "0 0 29 2 *", "--json")
    resumed = _json(typed("schedules", "change", "all-series", *leap_day))
    assert (False, 7, "0 0 29 2 *") == (resumed["paused"], resumed["n_bars"], resumed["cron"])
    back = ("--pause", "-n", str(before["n_bars"]), "--cron", before["cron"], "--json")
    assert before == _json(typed("schedules", "change", "all-series", *back))
    wrong = typed("schedules", "change", "all-series", "--cron", "never")
    assert 1 == wrong.exit_code
    assert "[invalid_request]" in wrong.stderr


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_bars_are_exported_in_the_format_of_the_name(
    typed: Type, stored: Client, tmp_path: Path, suffix: str
) -> None:
    """All bars; an existing file is only replaced with `--force`."""
    file = tmp_path / f"bars.{suffix}"
    report = _json(typed("export", AAPL, "-i", "1d", "-o", str(file), "--json"))
    assert file.stat().st_size == report["bytes"]
    whole = stored.bars(AAPL)
    if suffix == "csv":
        assert len(whole) == len(pandas.read_csv(file))
    again = typed("export", AAPL, "-o", str(file))
    assert 2 == again.exit_code
    assert "--force replaces it" in again.stderr
    assert 0 == typed("export", AAPL, "-o", str(file), "--force", "--limit", "3").exit_code
    assert file.stat().st_size < report["bytes"]


def test_bars_and_files_in_the_zone_of_the_exchange(
    typed: Type, stored: Client, tmp_path: Path
) -> None:
    """With its offset, and with the trading day; the client writes the same file."""
    (bar,) = _json(typed("bars", AAPL, "--limit", "1", "--tz", "exchange", "--json"))
    assert "T09:30:00-0" in bar["datetime"]
    assert bar["datetime"].startswith(bar["trading_day"])
    assert "trading_day" in typed("bars", AAPL, "--limit", "1").stdout
    file, same = tmp_path / "bars.csv", tmp_path / "same.csv"
    typed("export", AAPL, "-o", str(file), "--limit", "1", "--tz", "exchange")
    stored.export(AAPL, "1d", same, format="csv", limit=1, tz="exchange")
    assert file.read_bytes() == same.read_bytes()
    row = pandas.read_csv(file).iloc[0]
    assert (bar["datetime"], bar["trading_day"]) == (row.datetime, row.trading_day)
    refused = typed("bars", AAPL, "--tz", "New_York")
    assert (1, True) == (refused.exit_code, "America/New_York" in refused.stderr)


def test_bars_and_files_as_they_were(typed: Type, stored: Client, tmp_path: Path) -> None:
    """Both take the moment, and refuse one that they cannot read."""
    moment = datetime.now(UTC).isoformat()
    assert 1 == typed("bars", AAPL, "--as-of", "a day ago").exit_code
    known = _json(typed("bars", AAPL, "--limit", "3", "--as-of", moment, "--json"))
    assert known == stored.series.page(AAPL, "1d", limit=3)["data"]
    file = tmp_path / "then.csv"
    assert 0 == typed("export", AAPL, "-o", str(file), "--as-of", moment).exit_code
    assert len(stored.bars(AAPL)) == len(pandas.read_csv(file))


def test_changes_of_stored_bars_are_printed(typed: Type, tmp_path: Path) -> None:
    """As a table with the largest change of each, and as JSON."""
    file = tmp_path / "bars.csv"
    for close in ("1.5", "2"):
        file.write_text(f"Date,Open,High,Low,Close\n2024-01-02,1,2,1,{close}\n")
        assert 0 == typed("import", "IMPORTED:TWICE", str(file), "--timezone", "UTC").exit_code
    printed = typed("revisions", "IMPORTED:TWICE", "-i", "1d").stdout
    assert "close 1.5 → 2.0" in printed
    (change,) = _json(typed("revisions", "IMPORTED:TWICE", "-i", "1d", "--json"))
    assert ("import", 1) == (change["reason"], change["bars"])


def test_outliers_are_printed_and_counted(typed: Type, tmp_path: Path) -> None:
    """With their bounds; `quality` lists the series that have some."""
    file = tmp_path / "bars.csv"
    days = [f"2024-01-{day:02d},10,{990 if day == 15 else 11},9,10" for day in range(1, 31)]
    file.write_text("\n".join(["Date,Open,High,Low,Close", *days]))
    assert 0 == typed("import", "IMPORTED:BAD", str(file), "--timezone", "UTC").exit_code
    printed = typed("outliers", "IMPORTED:BAD", "-i", "1d")
    assert "990" in printed.stdout
    assert "1 of 30 bars" in printed.stderr
    (found,) = _json(typed("outliers", "IMPORTED:BAD", "-i", "1d", "--json"))["outliers"]
    assert "2024-01-15T00:00:00Z" == found["datetime"]

    def listed() -> list[Any]:
        rows = _json(typed("quality", "--outliers", "--json"))
        return [row["outliers"] for row in rows if row["symbol"] == "BAD"]

    wait_until("a tick has judged the bars", lambda: listed() == [1], (), 60)


def test_differences_of_days_are_printed(typed: Type, stored: Client) -> None:
    """There are none of what was just synced; a symbol without daily bars has no answer."""
    assert 0 == typed("differences", AAPL).exit_code
    expected = stored.series.differences(AAPL)["differences"]
    assert expected == _json(typed("differences", AAPL, "--json"))
    assert 1 == typed("differences", "NASDAQ:NEVER").exit_code


def test_events_are_printed(typed: Type, stored: Client, platform: Any) -> None:
    """As a table, and as JSON."""
    report = Report((Dividend(date(2026, 11, 9), 0.26),))
    ReportStore(platform.mongo).note(Symbol.parse(AAPL), report, 1)
    assert "2026-11-09" in typed("events", AAPL).stdout
    assert stored.series.events(AAPL)["events"] == _json(typed("events", AAPL, "--json"))


def test_an_export_that_fails_leaves_no_file(typed: Type, tmp_path: Path) -> None:
    """Neither an incomplete nor an empty one."""
    done = typed("export", "NASDAQ:NEVER", "-o", str(tmp_path / "bars.csv"))
    assert 1 == done.exit_code
    assert "never synced" in done.stderr
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.usefixtures("stored")
def test_an_export_ends_quietly_when_its_pipe_is_closed(
    platform: Any, form: str, unbuffered: str
) -> None:
    """`head` closes it early: no error, no message."""
    command = [POCKETQUANT, "export", AAPL, "-o", "-", "--format", form, "--url", platform.url]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout
        assert process.stderr
        assert 4 == len(process.stdout.read(4))
        process.stdout.close()
        assert b"" == process.stderr.read()
    assert 0 == process.returncode


@pytest.mark.usefixtures("stored")
def test_an_export_to_a_full_disk_is_an_error(platform: Any) -> None:
    """The exit code is 1, and the message has the reason."""
    command = [POCKETQUANT, "export", AAPL, "-o", "-", "--url", platform.url]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert 1 == done.returncode
    assert "Error: - cannot be written: No space left on device\n" == done.stderr


@pytest.mark.parametrize(("suffix", "name"), [("csv", "NYSE:DIS"), ("parquet", "NYSE:BAC")])
def test_exported_bars_can_be_imported_under_another_symbol(
    suffix: str, name: str, typed: Type, stored: Client, tmp_path: Path
) -> None:
    """The stored bars are equal. Its weekly sync has stored the trading hours of that symbol."""
    assert "completed" == stored.sync(name, "1w", 10)["status"]
    whole = stored.bars(AAPL)
    file = str(tmp_path / f"bars.{suffix}")
    typed("export", AAPL, "-o", file)
    report = _json(typed("import", name, file, "--json"))
    assert len(whole) == report["inserted"]
    assert whole.equals(stored.bars(name))


def test_wrong_bars_are_refused_and_counted(typed: Type, tmp_path: Path) -> None:
    """The good bars are stored; times without a zone need `--timezone`."""
    file = tmp_path / "bars.csv"
    file.write_text("Date,Open,High,Low,Close\n2024-01-02,1,2,1,2\n2024-01-03,1,0.5,1,1\n")
    zoneless = typed("import", "IMPORTED:FEW", str(file))
    assert 1 == zoneless.exit_code
    assert "has no time zone; name it, such as --timezone UTC" in zoneless.stderr
    done = typed("import", "IMPORTED:FEW", str(file), "--timezone", "UTC")
    assert 1 == done.exit_code
    assert "1 inserted, 0 changed, 0 unchanged, 1 refused" in done.stdout
    assert "refused: bar 2, 2024-01-03T00:00:00Z: inconsistent" in done.stderr


def test_ctrl_c_ends_the_waiting_and_not_the_job(platform: Any, simulator: Any) -> None:
    """The exit code is 130, there is no traceback, and the job completes."""
    simulator.order("latency", value=2.0)
    command = [POCKETQUANT, "bulk", AAPL, MSFT, "-i", "1w", "--url", platform.url]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    ) as process:
        assert process.stderr
        job_id = process.stderr.readline().split()[-1]
        process.send_signal(signal.SIGINT)
        notes = process.stderr.read()
    assert 130 == process.returncode
    assert f"pocketquant jobs watch {job_id}`" in notes
    assert "Traceback" not in notes
    simulator.lift()
    client = Client(platform.url)
    wait_until("the job has ended", lambda: client.jobs.get(job_id)["finished_at"], (), 60.0)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: str) -> None:
    """The script calls `pocketquant` at the TAB key."""
    done = CliRunner().invoke(main, ["completion", shell])
    assert 0 == done.exit_code
    assert f"_POCKETQUANT_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("pocketquant sy", {"sync", "symbols"}),
        ("pocketquant jobs can", {"cancel"}),
        ("pocketquant bulk -i 1", {"1m", "15m", "1h", "1d", "1w", "1M"}),
        ("pocketquant sync nasdaq : aa", {"AAPL"}),
        ("pocketquant sync NASDAQ : AA", {"AAPL"}),  # as bash divides it, and what it replaces
        ("pocketquant sync NYSE : IBM NASDAQ : AA", {"AAPL"}),
        ("pocketquant schedules show all", {"all-series"}),
    ],
)
def test_the_tab_key_completes_commands_intervals_and_names_of_the_api(
    platform: Any, stored: Client, words: str, expected: set[str]
) -> None:
    """Symbols and schedules come from the API of the settings."""
    host, _, port = platform.url.removeprefix("http://").partition(":")
    completion = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [POCKETQUANT],
        env={
            **os.environ,
            **completion,
            "_POCKETQUANT_COMPLETE": "bash_complete",
            "API_HOST": host,
            "API_PORT": port,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert expected == {name for name in found if ";" not in name}  # other tests have variants


def test_help_loads_no_server_and_no_frames() -> None:
    """`--help` responds without importing heavy libraries."""
    heavy = ("pandas", "pyarrow", "flask", "celery", "pymongo", "redis", "numpy", "requests")
    script = f"import sys, pocketquant.cli; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]\n" == done.stdout


def test_python_dash_m_is_the_same_command() -> None:
    """It works where the scripts of Python are not on PATH."""
    done = subprocess.run(
        [sys.executable, "-m", "pocketquant", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("pocketquant, version ")
