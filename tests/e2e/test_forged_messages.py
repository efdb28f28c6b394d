"""Forged messages: a worker accepts JSON alone."""

from pathlib import Path
from typing import Any

import pytest
from kombu import serialization

from pocketquant.messaging.queues import celery_app

BODY = ([], {}, {})


class Trap:
    """An object that runs code when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.file), "w"))


@pytest.mark.parametrize("serializer", ["pickle", "yaml"])
def test_a_forged_message_is_refused_and_the_worker_lives(
    platform: Any, tmp_path: Path, serializer: str
) -> None:
    """The forged code does not run, and the next sync completes."""
    sprung = tmp_path / "sprung"
    was = [worker.pid for worker in platform.workers()]
    trap = Trap(sprung) if serializer == "pickle" else "!!python/object/apply:os.getpid []"
    content_type, encoding, body = serialization.dumps((trap, *BODY), serializer=serializer)
    app = celery_app(platform.broker_url)
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        producer.publish(
            body,
            routing_key="bulk",
            exchange="",
            content_type=content_type,
            content_encoding=encoding,
            headers={"task": "pocketquant.sync_unit", "id": "forged"},
        )
    assert 200 == platform.sync("SIM:S0701").status
    job = platform.sync_in_background("SIM:S0702")
    assert 1 == platform.wait_for_job(job)["counts"]["completed"]
    assert not sprung.exists()
    assert was == [worker.pid for worker in platform.workers()]
    assert 0 == platform.broker.llen("pocketquant:bulk")
