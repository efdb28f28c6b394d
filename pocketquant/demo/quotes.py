"""The demo's live quotes: the table as it changes, a forming bar, and the streamers."""

from threading import Event, Thread

from rich.console import Console
from rich.live import Live
from rich.table import Table

from pocketquant.client import Client
from pocketquant.demo.watch_list import WATCH_LIST
from pocketquant.domain.errors import NotFound
from pocketquant.servers.connections import wait_until
from pocketquant.terminal.live_quotes import LiveQuotes

SYMBOLS = (
    *(symbol for symbol, _ in WATCH_LIST),
    *(f"SIM:S{number:04d}" for number in range(1, 5)),
)

_SHOWN_SECONDS = 4.0
_DRAWN_PER_SECOND = 5
_PATIENCE_SECONDS = 60.0
_FORMING = ("SIM:S0001", "1h")


def subscribe(client: Client, console: Console) -> None:
    """Subscribe the symbols, and wait until all of them have quotes."""
    subscribed = client.quotes.subscribe(SYMBOLS)
    console.print(f"subscribed {subscribed['changed']} symbols")

    def are_quoted() -> bool:
        return len(client.quotes.all()) >= len(SYMBOLS)

    wait_until("all symbols have live quotes", are_quoted, (), _PATIENCE_SECONDS)


def show_quotes(client: Client, push: Client, console: Console) -> None:
    """Show the table of quotes for some seconds; without a terminal, print it at the end."""
    quotes = LiveQuotes(client, push, SYMBOLS)
    ended = Event()

    def follow() -> None:
        for _ in quotes.follow():
            if ended.is_set():
                return

    console.print("[bold]Live quotes[/], as `pocketquant watch` shows them")
    Thread(target=follow, name="quotes", daemon=True).start()
    with Live(quotes, console=console, refresh_per_second=_DRAWN_PER_SECOND):
        ended.wait(_SHOWN_SECONDS)
    ended.set()
    if not console.is_interactive:
        console.print()
    console.print(f"{quotes.changes} changes in {_SHOWN_SECONDS:.0f} seconds")


def show_current_bar(client: Client, console: Console) -> None:
    """Print a bar that is still forming from quotes."""
    symbol, interval = _FORMING
    wait_until(
        f"{symbol} is traded",
        lambda: client.quotes.current_bar(symbol, interval),
        NotFound,
        _PATIENCE_SECONDS,
    )
    bar = client.quotes.current_bar(symbol, interval)
    values = ", ".join(f"{name} {bar[name]}" for name in ("open", "high", "low", "close", "volume"))
    begun = "seen from its start" if not bar["partial"] else "not seen from its start"
    console.print(
        f"{symbol} {interval} bar of {bar['bar_start'][11:16]} UTC so far: {values}; {begun}",
        soft_wrap=True,
    )


def show_status(client: Client, console: Console) -> None:
    """Print the streamers of `GET /quotes/status`."""
    status = client.quotes.status()
    headings = ("streamer", "connected since (UTC)", "symbols", "ticks", "late", "bars stored")
    title = f"GET /api/v1/quotes/status: {status['watched']} of {status['subscribed']} symbols"
    table = Table(*headings, title=title, title_justify="left")
    for streamer in status["streamers"]:
        counts = (streamer[name] for name in ("symbols", "ticks", "late_ticks", "bars_stored"))
        table.add_row(
            f"{streamer['shard']} on {streamer['host']}",
            (streamer["connected_at"] or "not connected")[:19],
            *map(str, counts),
        )
    console.print(table)
