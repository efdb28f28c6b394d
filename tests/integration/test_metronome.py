"""What beat says of a broker that is away, on a real Redis."""

from pathlib import Path

from structlog.testing import capture_logs

from pocketquant.machine import embedded
from pocketquant.messaging.queues import QueueName, celery_app
from workers.metronome import Metronome
from workers.schedule import schedule


def test_a_broker_that_is_away_is_told_once_and_so_is_its_return(tmp_path: Path) -> None:
    """However many ticks are lost meanwhile; those that follow are published."""
    server = embedded.private_redis(tmp_path)
    app = celery_app(server.url, {"beat_schedule": schedule(1.0)})
    metronome = Metronome(app=app)
    tick = metronome.schedule["tick"]
    with capture_logs() as told:
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
    assert ["ticks_not_published", "ticks_published_again"] == [line["event"] for line in told]
