"""The URL alone chooses the kind of broker and of cache, TLS and Sentinels."""

import asyncio
import queue
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
import redis
import trustme

from pocketquant.domain.errors import InvalidSettings, StorageUnavailable
from pocketquant.machine.embedded import HOST, reserve_port
from pocketquant.messaging.brokers import broker_settings, open_broker
from pocketquant.messaging.dispatcher import Dispatcher
from pocketquant.messaging.queues import QueueName, celery_app
from pocketquant.servers.connections import open_redis, translating_driver_errors
from pocketquant.servers.sentinel_url import SentinelUrl


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A new certificate authority, which no client trusts."""
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The file of its certificate, for clients."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def tls_port(redis_url: str, authority: trustme.CA) -> Iterator[int]:
    """The port of a TLS proxy before the redis-server, which may lack TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    started: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = queue.Queue()

    async def serve() -> None:
        end = asyncio.Event()
        server = await asyncio.start_server(relay, HOST, 0, ssl=context)
        started.put((asyncio.get_running_loop(), end, server.sockets[0].getsockname()[1]))
        await end.wait()
        server.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(HOST, urlsplit(redis_url).port)
        await asyncio.gather(copy(reader, questions), copy(answers, writer))

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    loop, end, port = started.get(timeout=60)
    yield port
    loop.call_soon_threadsafe(end.set)
    thread.join()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    finally:
        writer.transport.abort()


@pytest.mark.usefixtures("cache")
def test_rediss_serves_broker_and_cache(tls_port: int, authority_file: Path) -> None:
    """With the authority's certificate named in the URL, messages and keys pass through TLS."""
    url = f"rediss://{HOST}:{tls_port}/0?ssl_ca_certs={authority_file}"
    with open_redis(url) as client:
        client.set("key", "value")
        assert b"value" == client.get("key")
    app = celery_app(url)
    Dispatcher(app).publish_plan("job")
    assert 1 == Dispatcher(app).lengths()[QueueName.INTERACTIVE]
    app.close()


def test_rediss_trusts_no_unknown_authority(tls_port: int) -> None:
    """Broker and cache refuse an unknown authority, though the URL has no option about it."""
    url = f"rediss://{HOST}:{tls_port}/0"
    with open_redis(url) as client, pytest.raises(redis.ConnectionError, match="CERTIFICATE"):
        client.ping()
    with open_broker(url, 5) as broker, pytest.raises(Exception, match="CERTIFICATE") as refusal:
        broker.ensure_connection(max_retries=1, interval_start=0)
    assert "OperationalError" == type(refusal.value).__name__


def test_settings_of_one_broker_are_not_given_to_another() -> None:
    """RabbitMQ gets no visibility time-out, and Redis no publisher confirms."""
    of = {
        scheme: broker_settings(f"{scheme}://{HOST}", ["one"])
        for scheme in ("redis", "rediss", "sentinel", "amqp", "amqps")
    }
    options = {scheme: settings["broker_transport_options"] for scheme, settings in of.items()}
    assert ["redis", "rediss", "sentinel"] == [
        s for s in options if "visibility_timeout" in options[s]
    ]
    assert ["amqp", "amqps"] == [s for s in options if "confirm_publish" in options[s]]
    arguments = {scheme: of[scheme]["task_queues"][0].queue_arguments for scheme in of}
    assert ["amqp", "amqps"] == [s for s in of if arguments[s] == {"x-queue-type": "quorum"}]


def test_an_unknown_kind_of_broker_is_refused() -> None:
    """The message names the setting and the schemes that it may have."""
    with pytest.raises(InvalidSettings, match=r"sqs://; CELERY_BROKER_URL .* amqp://"):
        celery_app("sqs://somewhere")


def test_sentinels_are_read_from_one_url() -> None:
    """Hosts with and without port, the master's user and password, its database and name."""
    url = "sentinel://me:p%40ss@a;sentinel://b:26380/2?master_name=market"
    expected = SentinelUrl((("a", 26379), ("b", 26380)), "market", 2, "me", "p@ss")
    assert expected == SentinelUrl.parse(url)
    assert "p@ss" not in repr(expected)


@pytest.mark.parametrize(
    "url", ["sentinel://", "sentinel://a;redis://b", "sentinel://a:port", "sentinel://a/x"]
)
def test_a_wrong_url_of_sentinels_is_named(url: str) -> None:
    """A malformed URL raises InvalidSettings, with the right form."""
    with pytest.raises(InvalidSettings, match="no URL of Sentinels"):
        SentinelUrl.parse(url)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "sentinel", "amqp"])
def test_a_broker_that_is_away_is_an_error_at_once(scheme: str) -> None:
    """Publishing and the health check raise StorageUnavailable at once, for each kind of broker."""
    url = f"{scheme}://{HOST}:{reserve_port()}/0"
    app = celery_app(url)
    with pytest.raises(StorageUnavailable, match="broker"), translating_driver_errors():
        Dispatcher(app).publish_plan("job")
    with (
        pytest.raises(StorageUnavailable, match="broker"),
        translating_driver_errors(),
        open_broker(url, 2) as broker,
    ):
        broker.ensure_connection(max_retries=1, interval_start=0)
    app.close()


def test_sentinels_that_are_away_are_a_cache_that_is_away() -> None:
    """After all Sentinels have failed, the error is that Redis does not answer."""
    url = f"sentinel://{HOST}:{reserve_port()};sentinel://{HOST}:{reserve_port()}/0"
    with (
        open_redis(url) as client,
        pytest.raises(StorageUnavailable, match="Redis does not answer: No master found"),
        translating_driver_errors(),
    ):
        client.ping()
