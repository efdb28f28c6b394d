"""Runs the demo from start to end."""

import subprocess
import time

from rich.console import Console

from pocketquant.client import Client
from pocketquant.demo import fleet, machine, quotes, watch_list
from pocketquant.demo.live_proof import Compared, LiveProof, verdict
from pocketquant.domain.errors import PocketQuantError
from pocketquant.domain.intervals import MINUTE
from pocketquant.machine.processes import Machine

_AFTER_MINUTE_SECONDS = 3.0  # by then, the bars that closed with a minute are usually stored
_MAX_DIFFERENCES_SHOWN = 10


def run(console: Console, once: bool, minutes: int | None) -> None:
    """Show everything; unless `once`, compare live bars for `minutes` or until Ctrl-C."""
    console.print(
        "Starting MongoDB, Redis, a simulated TradingView, the API, workers, a streamer, beat,"
        " Flower …"
    )
    with machine.running() as started:
        console.print(f"[bold]In a browser:[/] {started.api_url}/", soft_wrap=True)
        client, push = Client(started.api_url), Client(started.push_url)
        _show_history(client, push, started, console)
        began = _show_live(client, push, console)
        if not once:
            _show_addresses(started, console)
            try:
                _prove_each_minute(client, started, began, minutes, console)
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


def _show_live(client: Client, push: Client, console: Console) -> float:
    """Show live quotes; return the time since which all symbols are streamed."""
    quotes.subscribe(client, console)
    began = time.time()
    quotes.show_quotes(client, push, console)
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
        "[bold]Live quotes:[/] pocketquant watch BINANCE:BTCUSDT NASDAQ:AAPL"
        f" --url {started.api_url} --push-url {started.push_url}",
        soft_wrap=True,
    )
    console.print("Ctrl-C ends everything and removes the demo's data.")


def _prove_each_minute(
    client: Client, started: Machine, began: float, minutes: int | None, console: Console
) -> None:
    """After each minute, compare the closed bars; an error if one differs."""
    console.print(
        "Each minute, the bars that were built from live quotes and are closed by then are compared"
        " with the exchange's own; the next minute is the first that is seen whole."
    )
    proof = LiveProof(client, quotes.SYMBOLS)
    proven = 0
    while minutes is None or proven < minutes:
        _wait_for_the_next_minute(started)
        compared = proof.compare(proof.streamed_since(began), time.time())
        _print_results(compared, console)
        proven += bool(compared)


def _wait_for_the_next_minute(started: Machine) -> None:
    """Wait for the next minute; PocketQuantError if the platform ends meanwhile."""
    seconds = MINUTE - (time.time() - _AFTER_MINUTE_SECONDS) % MINUTE
    try:
        started.supervisord.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    raise PocketQuantError("the platform has ended by itself")


def _print_results(compared: list[Compared], console: Console) -> None:
    """Print a line for each interval, and the differences; an error if there are any."""
    clock = time.strftime("%H:%M", time.gmtime())
    is_wrong = any(one.differing or one.left for one in compared)
    for interval in dict.fromkeys(one.window.interval for one in compared):
        line = f"{clock} UTC: {verdict(interval, compared)}"
        console.print(line, style="bold red" if is_wrong else "", soft_wrap=True)
    differing = [text for one in compared for text in one.differing]
    for text in differing[:_MAX_DIFFERENCES_SHOWN]:
        console.print(text, style="red", highlight=False, soft_wrap=True)
    if is_wrong:
        raise PocketQuantError("live bars are not what the exchange's own history says")
