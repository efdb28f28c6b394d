"""What beat publishes: one tick, every few seconds. All else follows from the ledger."""

from typing import Any

from pocketquant.messaging.queues import TICK, QueueName


def schedule(tick_seconds: float) -> dict[str, dict[str, Any]]:
    """Celery's beat schedule; a tick nobody took in time is worth nothing and expires."""
    return {
        "tick": {
            "task": TICK,
            "schedule": tick_seconds,
            "options": {"queue": QueueName.INTERACTIVE, "expires": 2 * tick_seconds},
        }
    }
