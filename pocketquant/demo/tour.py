"""Runs the demo from start to end."""

import subprocess
import time

from rich.console import Console

from pocketquant.client import Client
from pocketquant.demo import fleet, machine, quotes, watch_list
from pocketquant.demo.live_proof import Compared, LiveProof, verdict
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.intervals import MINUTE
from pocketquant.hints import as_typed
from pocketquant.machine.processes import Machine

_AFTER_MINUTE_SECONDS = 5.0  # by then, the bars that closed with a minute are usually stored
_SETTLING_SECONDS = 2.0  # until a closed bar is stored
_MAX_DIFFERENCES_SHOWN = 10


def run(console: Console, once: bool, minutes: int | None, speed: float, start: str | None) -> None:
    """Show everything; unless `once`, compare live bars for `minutes` or until Ctrl-C.

    The market's clock begins at `start`, an ISO 8601 time, or now, and runs at `speed`.
    """
    console.print(
        "Starting MongoDB, Redis, a simulated TradingView, the API, workers, a streamer, beat,"
        " Flower …"
    )
    with machine.running(speed, start) as started:
        console.print(f"[bold]In a browser:[/] {started.api_url}/", soft_wrap=True)
        client, push = Client(started.api_url), Client(started.push_url)
        _show_history(client, push, started, console)
        proof = LiveProof(client, quotes.SYMBOLS, speed)
        began = _show_live(client, push, proof, start is None, console)
        if not once:
            _show_addresses(started, console)
            try:
                _prove_each_minute(proof, started, began, minutes, speed, console)
            except KeyboardInterrupt:
                return


def _show_history(client: Client, push: Client, started: Machine, console: Console) -> None:
    synced = watch_list.sync_watch_list(client, console)
    watch_list.show(synced, console)
    watch_list.show_newest_bars(client, console)
    watch_list.require_all_completed(synced)
    fleet.sync_in_bulk(client, push, console)
    fleet.run_schedule_now(client, console)
    fleet.show_fleet(client, console)
    fleet.show_flower(started.flower_url, started.flower_login, console)


def _show_live(
    client: Client, push: Client, proof: LiveProof, is_today: bool, console: Console
) -> float:
    """Show live quotes; return the market's time since which all symbols are streamed.

    There are forming bars only of today.
    """
    quotes.subscribe(client, console)
    began = proof.market_time()
    closed = proof.closed_markets(began)
    console.print(f"closed markets: {', '.join(closed) or 'none'}", soft_wrap=True)
    quotes.show_quotes(client, push, console)
    if is_today:
        quotes.show_current_bar(client, console)
    quotes.show_status(client, console)
    return began


def _show_addresses(started: Machine, console: Console) -> None:
    chart = f"{started.api_url}/chart/{quotes.SYMBOLS[1]}?interval=1m"
    console.print(f"[bold]Live chart:[/] {chart}", soft_wrap=True)
    console.print(f"[bold]API docs:[/] {started.docs_url}   (logs: {started.logs})", soft_wrap=True)
    console.print(f"[bold]Fleet:[/] {started.api_url}/api/v1/fleet")
    login = started.shown_flower_login
    console.print(f"[bold]Flower:[/] {started.flower_url}/tasks   ({login})", soft_wrap=True)
    console.print(
        as_typed(
            "[bold]Live quotes:[/] `pocketquant watch BINANCE:BTCUSDT NASDAQ:AAPL"
            f" --url {started.api_url} --push-url {started.push_url}`"
        ),
        soft_wrap=True,
    )
    console.print("Ctrl-C ends everything and removes the demo's data.")


def _prove_each_minute(
    proof: LiveProof,
    started: Machine,
    began: float,
    minutes: int | None,
    speed: float,
    console: Console,
) -> None:
    """After each minute, compare the closed bars; an error if one differs."""
    console.print(
        "Each minute, the bars that were built from live quotes and are closed by then are compared"
        " with the exchange's own, by each market's own hours. The next minute is the first that is"
        " seen whole; of days and longer bars, the quotes report all."
    )
    proven = 0
    while minutes is None or proven < minutes:
        _wait_for_the_next_minute(started)
        now = proof.market_time() - _SETTLING_SECONDS * speed
        compared = proof.compare(proof.streamed_since(began), now)
        _print_results(compared, now, console)
        proven += bool(compared)


def _wait_for_the_next_minute(started: Machine) -> None:
    """Wait for the next minute; PocketQuantError if the platform ends meanwhile."""
    seconds = MINUTE - (time.time() - _AFTER_MINUTE_SECONDS) % MINUTE
    try:
        started.supervisord.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise PocketQuantError("the platform has ended by itself")


def _print_results(compared: list[Compared], now: float, console: Console) -> None:
    """Print a line for each interval, and the differences; an error if there are any."""
    clock = time.strftime("%H:%M", time.gmtime(now))
    is_wrong = any(one.differing or one.left for one in compared)
    for interval in dict.fromkeys(one.window.interval for one in compared):
        line = f"{clock} UTC: {verdict(interval, compared)}"
        console.print(line, style="bold red" if is_wrong else "", soft_wrap=True)
    differing = [text for one in compared for text in one.differing]
    for text in differing[:_MAX_DIFFERENCES_SHOWN]:
        console.print(text, style="red", highlight=False, soft_wrap=True)
    if is_wrong:
        raise PocketQuantError("live bars are not what the exchange's own history says")
