"""The Celery application of workers and beat: `celery -A workers.app worker`.

Importing it reads the settings and connects to nothing.
"""

from collections.abc import Callable
from functools import cache, partial

import structlog
from celery import Celery
from celery.signals import setup_logging, worker_init

from pocketquant.domain.errors import StorageUnavailable
from pocketquant.hints import wrong_settings_in_one_line
from pocketquant.history.syncer import Syncer
from pocketquant.logs import set_up_logs
from pocketquant.messaging.headers import carry_log_context, measure_queue_waits
from pocketquant.messaging.queues import celery_app
from pocketquant.presence.alive_file import AliveFile
from pocketquant.redaction import redactor_for
from pocketquant.servers.connections import translating_driver_errors
from pocketquant.settings import Settings
from pocketquant.storage.indexes import make_collections_and_indexes
from pocketquant.wiring import Platform, wire, wire_syncer
from workers.celery_presence import join_fleet
from workers.event_batches import send_events_in_batches
from workers.liveness import keep_alive_file
from workers.schedule import schedule
from workers.shutdown import hand_back_at_shutdown
from workers.tasks import register_tasks

_log = structlog.get_logger(__name__)

_WORKER_SETTINGS = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_pool": "threads",
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "beat_scheduler": "workers.metronome:Metronome",
}


def make_app(settings: Settings, platform: Platform) -> Celery:
    """The application with our queues, tasks and scheduler."""
    worker_settings = {**_WORKER_SETTINGS, "worker_concurrency": settings.worker_slots}
    made = celery_app(settings.broker_url, worker_settings)
    made.conf.beat_schedule = schedule(settings.tick_seconds)
    syncer = cache(partial(wire_syncer, platform))  # late: beat needs no syncer
    rounds = (
        platform.reconciler.run,
        platform.scheduler.run_due,
        platform.rescale_follow_up.run,
        platform.judging.run,
    )
    register_tasks(made, syncer, platform.planner, platform.tick_turns, rounds)
    _load_before_the_first_sync(syncer)
    hand_back_at_shutdown(syncer, settings.worker_grace_seconds)
    carry_log_context()
    measure_queue_waits()
    send_events_in_batches(made)
    join_fleet(made, platform.fleet, settings, platform.loops)
    if settings.worker_alive_file:
        keep_alive_file(made, AliveFile(settings.worker_alive_file, platform.loops))
    return made


def _load_before_the_first_sync(syncer: Callable[[], Syncer]) -> None:
    """Build the syncer at the start: its libraries take a second to load."""

    def load(**_: object) -> None:
        syncer()

    worker_init.connect(load, weak=False)


with wrong_settings_in_one_line():
    _settings = Settings()
    _platform = wire(_settings)
app = make_app(_settings, _platform)


@setup_logging.connect
def _set_up_logs(**_: object) -> None:
    set_up_logs(_settings.log_format, _settings.log_level, redactor_for(_settings))


@worker_init.connect
def _wait_for_storage(**_: object) -> None:
    while True:
        try:
            with translating_driver_errors():
                return make_collections_and_indexes(_platform.mongo)
        except StorageUnavailable as error:  # the driver has waited some seconds for a server
            _log.warning("waiting_for_mongodb", cause=str(error))
