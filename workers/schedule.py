"""The schedule of beat: one tick every few seconds. Ticks read the ledger for all else."""

from typing import Any

from pocketquant.messaging.queues import TICK, QueueName


def schedule(tick_seconds: float) -> dict[str, dict[str, Any]]:
    """Celery's beat schedule; a tick that no worker takes within two periods expires."""
    return {
        "tick": {
            "task": TICK,
            "schedule": tick_seconds,
            "options": {"queue": QueueName.INTERACTIVE, "expires": 2 * tick_seconds},
        }
    }
