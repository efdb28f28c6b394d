"""The settings of every process, read from the environment or `.env`.

Each is an environment variable with the name of the field in upper case.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pocketquant.api_settings import API_PORT, HOST, PUSH_PORT, url_of

KNOWN_PASSWORDS = frozenset({"", "pocketquant"})  # published defaults of older versions


class Environment(StrEnum):
    """Where PocketQuant runs; only development may use private servers."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """The format of log lines: text for people, or JSON."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The lowest level of log lines that are written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Settings(BaseSettings):
    """All settings of an operator; `.env.example` describes them, with the same defaults."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Environment = Environment.DEVELOPMENT

    mongodb_url: str = ""  # empty: `up` and `demo` start a private mongod
    mongodb_database: str = "pocketquant"
    redis_url: str = ""  # empty: `up` starts a private redis-server
    cache_url: str = ""  # a Redis that evicts, for cached responses; empty: REDIS_URL
    answers_most_mb: int = Field(default=256, ge=1)  # of cached responses in REDIS_URL
    celery_broker_url: str = ""  # empty: REDIS_URL

    tradingview_url: str = "wss://data.tradingview.com/socket.io/websocket"
    tradingview_http_url: str = "https://www.tradingview.com"
    tradingview_search_url: str = "https://symbol-search.tradingview.com"
    tradingview_username: str = ""
    tradingview_password: SecretStr = SecretStr("")
    tradingview_token: SecretStr = SecretStr("")  # instead of user name and password
    provider_timeout_seconds: float = Field(default=30.0, gt=0, le=300)  # of one fetch

    provider_rate: float = Field(default=200.0, gt=0)  # the most fetches a second of all workers
    provider_burst: int = Field(default=50, ge=1)  # fetches that may begin at once after a pause
    provider_concurrency: int = Field(default=200, ge=1)  # the most fetches in progress
    provider_handshake_rate: float = Field(default=1.0, gt=0)  # connections opened a second, of all
    provider_handshake_burst: int = Field(default=8, ge=1)  # connections opened at once
    provider_connection_sessions: int = Field(default=40, ge=1, le=200)  # of one connection
    provider_start_rate: float = Field(default=10.0, gt=0)  # rises to PROVIDER_RATE
    provider_start_concurrency: int = Field(default=16, ge=1)  # rises to PROVIDER_CONCURRENCY

    lease_seconds: float = Field(default=60.0, gt=0)  # a worker silent for longer loses its unit
    tick_seconds: float = Field(default=5.0, gt=0)  # between two searches for lost and due units
    max_attempts: int = Field(default=8, ge=1)  # after that many failures a unit is not retried

    stale_hours: float = Field(default=24.0, gt=0)  # since a bar closed that was not fetched
    at_risk_hours: float = Field(default=24.0, gt=0)  # before history leaves the provider's window

    revision_days: int = Field(default=400, ge=0, le=36_500)  # of replaced bars; 0: none are kept

    api_host: str = HOST
    api_port: int = Field(default=API_PORT, ge=0, le=65535)
    web_processes: int = Field(default=2, ge=1)  # on API_PORT; if one dies, another serves
    api_threads: int = Field(default=64, ge=2)  # requests that one web process serves at a time

    workers: int = Field(default=2, ge=1)  # processes that `up` starts
    worker_slots: int = Field(default=16, ge=1)  # units that one worker process runs at a time
    interactive_slots: int = Field(default=4, ge=0)  # of the worker for waiting callers; 0: none
    worker_grace_seconds: float = Field(default=6.0, ge=0)  # to finish running units when it stops
    worker_alive_file: str = ""  # a healthy worker touches it each second; empty: none

    streamer_shards: int = Field(default=1, ge=1, le=64)  # parts of the subscribed symbols
    streamer_standbys: int = Field(default=0, ge=0)  # that replace dead streamers
    streamer_intervals: str = "1m,3m,5m,15m,30m,45m,1h,2h,3h,4h,1d"  # of stored live bars
    streamer_grace_seconds: float = Field(default=2.0, ge=0)  # for ticks after the end of a bar
    streamer_flush_seconds: float = Field(default=0.2, gt=0, le=1)  # between two writes to Redis
    streamer_lease_seconds: float = Field(default=6.0, ge=3)  # a silent streamer loses its shard
    streamer_silence_seconds: float = Field(default=20.0, gt=0)  # a silent connection is replaced
    streamer_most_waiting_bars: int = Field(default=500_000, ge=1)  # then the oldest are dropped
    streamer_alive_file: str = ""  # a healthy streamer touches it each second; empty: none

    api_url: str = ""  # for commands; empty: that of API_HOST and API_PORT
    push_url: str = ""  # for `watch`; empty: API_URL, else that of PUSH_HOST and PUSH_PORT
    api_key: SecretStr = SecretStr("")  # for commands
    api_rate_limit: str = "6000/minute"  # by one key, or one address without; empty: no limit
    api_cors_origins: str = ""  # of pages that may call the API, separated by commas
    api_body_seconds: float = Field(default=30.0, gt=0)  # for the whole body of a request
    api_write_seconds: float = Field(default=20.0, ge=1)  # of a client that reads nothing

    push_host: str = HOST
    push_port: int = Field(default=PUSH_PORT, ge=0, le=65535)

    flower_host: str = "127.0.0.1"
    flower_port: int = Field(default=5555, ge=0, le=65535)
    flower_username: str = "pocketquant"
    flower_password: SecretStr = SecretStr("")  # empty, in development: one is generated

    metrics_host: str = "127.0.0.1"  # of workers, beats and streamers
    metrics_port: int = Field(default=0, ge=0, le=65535)  # 0: a free one, shown in GET /fleet

    log_format: LogFormat = LogFormat.CONSOLE
    log_level: LogLevel = LogLevel.INFO

    data_dir: Path = Path(".pocketquant")  # of the private servers of `up`

    @model_validator(mode="after")
    def _require_consistent_settings(self) -> Self:
        longest = self.provider_timeout_seconds + self.turn_seconds
        if self.lease_seconds <= longest:
            raise ValueError(
                "LEASE_SECONDS must exceed PROVIDER_TIMEOUT_SECONDS and the"
                f" {self.turn_seconds:g} s that a fetch may wait for its turn: set it above"
                f" {longest:g}, or"
                " PROVIDER_TIMEOUT_SECONDS lower; else a fetching worker would lose its unit"
            )
        if bool(self.tradingview_username) != bool(self.tradingview_password.get_secret_value()):
            raise ValueError(
                "TRADINGVIEW_USERNAME and TRADINGVIEW_PASSWORD go together: set both, or neither"
            )
        return self

    @property
    def turn_seconds(self) -> float:
        """How long a fetch for a waiting caller may wait for its turn before it begins."""
        return min(5.0, self.provider_timeout_seconds / 2)

    @property
    def waiting_seconds(self) -> float:
        """How long a call waits for its sync: longer than one fetch can take, at most 60 s."""
        return min(self.provider_timeout_seconds + 5, 60.0)

    @property
    def is_development(self) -> bool:
        return self.environment is Environment.DEVELOPMENT

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins of web pages that may call the API."""
        origins = (origin.strip().rstrip("/") for origin in self.api_cors_origins.split(","))
        return frozenset(origin for origin in origins if origin)

    @property
    def own_api_url(self) -> str:
        """URL of this machine's API."""
        return url_of(self.api_host, self.api_port)

    @property
    def own_push_url(self) -> str:
        """URL of this machine's streams."""
        return url_of(self.push_host, self.push_port)

    @property
    def broker_url(self) -> str:
        """URL of the message broker: REDIS_URL unless CELERY_BROKER_URL is set."""
        return self.celery_broker_url or self.redis_url

    def environment_of_children(self) -> dict[str, str]:
        """Return environment variables for a child process that is to have these settings."""
        ours = {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in self
        }
        return {**os.environ, **ours}
