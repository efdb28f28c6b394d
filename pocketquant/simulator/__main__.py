"""`python -m pocketquant.simulator`: a TradingView on loopback, until SIGTERM or SIGINT."""

import signal
import threading

import click

from pocketquant.simulator.faults import Fault, FaultKind
from pocketquant.simulator.server import running
from pocketquant.simulator.sockets import Pace


class _FaultOption(click.ParamType[Fault]):
    name = "KIND[=VALUE][:SYMBOL]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fault:
        try:
            return Fault.parse(str(value))
        except ValueError:
            self.fail(f"{value!r}; the kinds are {' '.join(FaultKind)}", param, ctx)


_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--port", type=_PORT, default=0, show_default="a free one", help="Of the WebSocket.")
@click.option(
    "--http-port", type=_PORT, default=0, show_default="a free one", help="Of the website."
)
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.0, help="Seconds before a series' answer."
)
@click.option("--fault", "faults", type=_FaultOption(), multiple=True, help="May be repeated.")
def main(port: int, http_port: int, latency: float, faults: tuple[Fault, ...]) -> None:
    """Run a TradingView to develop, test, demo and benchmark against."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with running(port, http_port, faults, Pace(latency_seconds=latency)) as simulator:
        click.echo(f"TRADINGVIEW_URL={simulator.url}")
        click.echo(f"TRADINGVIEW_HTTP_URL={simulator.http_url}")
        ended.wait()


if __name__ == "__main__":
    main()
