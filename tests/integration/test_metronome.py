"""The log lines of beat without a broker, on a real Redis."""

from pathlib import Path

from structlog.testing import capture_logs

from pocketquant.machine import embedded
from pocketquant.messaging.queues import QueueName, celery_app
from workers.metronome import Metronome
from workers.schedule import schedule


def test_the_loss_and_the_return_of_a_broker_are_logged_once_each(tmp_path: Path) -> None:
    """Later ticks are published, however many were lost."""
    server = embedded.private_redis(tmp_path)
    app = celery_app(server.url, {"beat_schedule": schedule(1.0)})
    metronome = Metronome(app=app)
    tick = metronome.schedule["tick"]
    with capture_logs() as logged:
        with embedded.running(server):
            metronome.apply_entry(tick, producer=metronome.producer)
        for _ in range(3):
            metronome.apply_entry(tick, producer=metronome.producer)
        with embedded.running(server):
            for _ in range(2):
                metronome.apply_entry(tick, producer=metronome.producer)
            with app.connection_for_read() as connection:
                queue = app.amqp.queues[QueueName.INTERACTIVE].bind(connection.channel())
                assert queue.queue_declare().message_count >= 2
    app.close()
    assert ["ticks_not_published", "ticks_published_again"] == [line["event"] for line in logged]
