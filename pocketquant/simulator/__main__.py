"""`python -m pocketquant.simulator` runs a simulated TradingView until SIGTERM or SIGINT."""

import signal
import threading

import click

from pocketquant.simulator.clocks import market_clock, parse_time
from pocketquant.simulator.server import HOST, running
from pocketquant.simulator.sockets import SimulatorPace
from pocketquant.simulator.wire.faults import Fault, FaultKind

_FAULT_HELP = f"May be repeated. Kinds: {', '.join(FaultKind)}."
_PORT = click.IntRange(0, 65535)


def _read_faults(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> list[Fault]:
    try:
        return [Fault.parse(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _read_time(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    try:
        return parse_time(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--port", type=_PORT, default=0, show_default="a free one", help="Of the WebSocket.")
@click.option(
    "--http-port", type=_PORT, default=0, show_default="a free one", help="Of the website."
)
@click.option("--host", default=HOST, show_default=True, help="The address to listen on.")
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.0, help="Seconds before a series' answer."
)
@click.option(
    "--round-trip",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Seconds from here to a client and back, also for each flight of TCP and TLS.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[=VALUE][:SYMBOL]",
    callback=_read_faults,
    help=_FAULT_HELP,
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="How many seconds of the market pass in a second; heartbeats keep real time.",
)
@click.option(
    "--start", callback=_read_time, metavar="ISO", help="The market's time to start at, not now."
)
def main(
    port: int,
    http_port: int,
    host: str,
    latency: float,
    round_trip: float,
    faults: list[Fault],
    speed: float,
    start: float | None,
) -> None:
    """Run a TradingView to develop, test, demo and benchmark against."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    pace = SimulatorPace(latency, round_trip, speed=speed)
    clock = market_clock(speed, start)
    with running(port, http_port, faults, pace, clock, host) as simulator:
        click.echo(f"TRADINGVIEW_URL={simulator.url}")
        click.echo(f"TRADINGVIEW_HTTP_URL={simulator.http_url}")
        click.echo(f"TRADINGVIEW_SEARCH_URL={simulator.http_url}")
        ended.wait()


if __name__ == "__main__":
    main()
