"""Runs the demo's machine: every process, on free ports, with a simulated TradingView."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pocketquant.machine import processes
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.machine.processes import Machine
from pocketquant.machine.programs import Program, simulator_program, streamer_command
from pocketquant.settings import Settings


def full_pace() -> dict[str, Any]:
    """Return settings that start at the full request rate, as a simulator needs no caution."""
    ceiling = Settings()
    return {
        "provider_start_rate": ceiling.provider_rate,
        "provider_start_concurrency": ceiling.provider_concurrency,
        "provider_handshake_rate": ceiling.provider_rate,
    }


@contextmanager
def running(speed: float, start: str | None) -> Iterator[Machine]:
    """Run the platform; the folder with its data is removed at the end.

    The market's clock begins at `start`, or now, and runs at `speed`.
    """
    with tempfile.TemporaryDirectory(prefix="pocketquant-demo-") as folder:
        port, http_port = reserve_port(), reserve_port()
        settings = Settings(
            mongodb_url="",
            redis_url="",
            cache_url="",
            celery_broker_url="",
            tradingview_url=f"ws://{HOST}:{port}/socket.io/websocket",
            tradingview_http_url=f"http://{HOST}:{http_port}",
            tradingview_search_url=f"http://{HOST}:{http_port}",
            api_host=HOST,
            api_port=reserve_port(),
            push_host=HOST,
            push_port=reserve_port(),
            flower_host=HOST,
            flower_port=reserve_port(),
            workers=2,
            streamer_grace_seconds=max(speed, Settings().streamer_grace_seconds),  # a real second
            **full_pace(),
        )
        programs = (
            simulator_program(port, http_port, speed=speed, start=start),
            Program("streamer", streamer_command(speed)),
        )
        without = frozenset({"streamer"})
        with processes.running(settings, Path(folder), programs, without) as machine:
            yield machine
