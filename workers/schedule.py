"""The schedule of beat: one tick every few seconds. Ticks read the ledger for all else."""

from typing import Any

from pocketquant.messaging.queues import TICK, QueueName


def schedule(tick_seconds: float) -> dict[str, dict[str, Any]]:
    """Celery's beat schedule; each tick tells its period, so of a pile of them one is done."""
    return {
        "tick": {
            "task": TICK,
            "schedule": tick_seconds,
            "kwargs": {"period_seconds": tick_seconds},
            "options": {"queue": QueueName.INTERACTIVE},
        }
    }
