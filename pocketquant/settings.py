"""The settings of every process, and the only place that reads the environment.

Each can be given as an environment variable of the same name in upper case, or in `.env`.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pocketquant.api_settings import API_PORT, HOST, PUSH_PORT, url_of

KNOWN_PASSWORDS = frozenset({"", "pocketquant"})  # everybody has read them: of older versions


class Environment(StrEnum):
    """Where PocketQuant runs; private servers are for development only."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """How log lines look: for people, or for machines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe lines that are written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Settings(BaseSettings):
    """What an operator can set; `.env.example` lists the same, with the defaults."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Environment = Environment.DEVELOPMENT

    mongodb_url: str = Field(
        default="", description="empty: `up` and `demo` start a private mongod"
    )
    mongodb_database: str = "pocketquant"
    redis_url: str = Field(default="", description="empty: `up` starts a private redis-server")
    cache_url: str = Field(
        default="",
        description="a Redis that evicts, for cached answers; empty: they share that of REDIS_URL",
    )
    answers_most_mb: int = Field(
        default=256, ge=1, description="megabytes of cached answers in REDIS_URL without CACHE_URL"
    )
    celery_broker_url: str = Field(default="", description="empty: the same server as REDIS_URL")

    tradingview_url: str = "wss://data.tradingview.com/socket.io/websocket"
    tradingview_http_url: str = "https://www.tradingview.com"
    tradingview_search_url: str = "https://symbol-search.tradingview.com"
    tradingview_username: str = ""
    tradingview_password: SecretStr = SecretStr("")
    tradingview_token: SecretStr = Field(
        default=SecretStr(""),
        description="an auth token of your own, in place of user name and password",
    )
    provider_timeout_seconds: float = Field(
        default=30.0, gt=0, le=300, description="deadline of one fetch, connecting included"
    )

    provider_rate: float = Field(
        default=200.0, gt=0, description="fetches a second, of all workers together, at the most"
    )
    provider_burst: int = Field(
        default=50, ge=1, description="fetches that may begin at once after a pause"
    )
    provider_concurrency: int = Field(
        default=200, ge=1, description="fetches in progress, of all workers together, at the most"
    )

    provider_start_rate: float = Field(
        default=10.0, gt=0, description="the rate at first, before it has climbed to PROVIDER_RATE"
    )
    provider_start_concurrency: int = Field(
        default=16, ge=1, description="fetches in progress at first, likewise"
    )

    lease_seconds: float = Field(
        default=60.0,
        gt=0,
        description="a worker silent for so long has lost its unit; over the deadline",
    )
    tick_seconds: float = Field(
        default=5.0, gt=0, description="how often lost and due units are sought"
    )
    max_attempts: int = Field(
        default=8, ge=1, description="a unit that failed so often is given up"
    )

    api_host: str = HOST
    api_port: int = Field(default=API_PORT, ge=0, le=65535)
    web_processes: int = Field(
        default=2, ge=1, description="web processes on API_PORT: where one dies, another answers"
    )
    api_threads: int = Field(
        default=64, ge=2, description="requests served at a time by one web process"
    )

    workers: int = Field(default=2, ge=1, description="worker processes that `up` starts")
    worker_slots: int = Field(
        default=16, ge=1, description="units one worker process does at a time"
    )
    interactive_slots: int = Field(
        default=4, ge=0, description="of the worker for interactive units alone; 0: no such worker"
    )
    worker_grace_seconds: float = Field(
        default=6.0, ge=0, description="how long a worker told to end may finish what it has begun"
    )
    worker_alive_file: str = Field(
        default="", description="touched each second while the worker lives; empty: no file"
    )

    streamer_shards: int = Field(
        default=1,
        ge=1,
        le=64,
        description="parts of the watched symbols, each streamed by one process",
    )
    streamer_standbys: int = Field(
        default=0, ge=0, description="streamers that `up` starts besides, to take over a dead one's"
    )
    streamer_intervals: str = Field(
        default="1m,3m,5m,15m,30m,45m,1h,2h,3h,4h,1d,1w,1M",
        description="of the live bars to be stored",
    )
    streamer_grace_seconds: float = Field(
        default=2.0, ge=0, description="how long after its end a bar takes late ticks"
    )
    streamer_flush_seconds: float = Field(
        default=0.2, gt=0, le=1, description="how often changes are written to Redis"
    )
    streamer_lease_seconds: float = Field(
        default=6.0, ge=3, description="a streamer silent for so long has lost its shard"
    )
    streamer_silence_seconds: float = Field(
        default=20.0, gt=0, description="a connection without news for so long is dead"
    )
    streamer_most_waiting_bars: int = Field(
        default=500_000, ge=1, description="closed bars that wait for MongoDB; the oldest give way"
    )
    streamer_alive_file: str = Field(
        default="", description="touched each second while the streamer lives; empty: no file"
    )

    api_url: str = Field(
        default="", description="the API that commands ask; empty: that of API_HOST and API_PORT"
    )
    push_url: str = Field(
        default="",
        description="whose streams `watch` shows; empty: API_URL's, else that of PUSH_HOST",
    )
    api_key: SecretStr = Field(
        default=SecretStr(""), description="what commands show to the API that they ask"
    )
    api_rate_limit: str = Field(
        default="6000/minute",
        description="requests of one key, or of one address without a key; empty: no limit",
    )
    api_cors_origins: str = Field(
        default="",
        description="origins whose pages may ask, with commas between; empty: none",
    )
    api_body_seconds: float = Field(
        default=30.0, gt=0, description="how long the body of a request may take to arrive"
    )

    api_write_seconds: float = Field(
        default=20.0, ge=1, description="a connection on which nothing is read for so long ends"
    )

    push_host: str = HOST
    push_port: int = Field(default=PUSH_PORT, ge=0, le=65535)

    flower_host: str = "127.0.0.1"
    flower_port: int = Field(default=5555, ge=0, le=65535)
    flower_username: str = "pocketquant"
    flower_password: SecretStr = Field(
        default=SecretStr(""),
        description="of its basic auth; empty: made once and kept in DATA_DIR, in development",
    )

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="of /metrics of workers, beats, streamers; 0: a free port, listed in /fleet",
    )

    log_format: LogFormat = LogFormat.CONSOLE
    log_level: LogLevel = LogLevel.INFO

    data_dir: Path = Field(
        default=Path(".pocketquant"), description="where `up` keeps its servers' data"
    )

    @model_validator(mode="after")
    def _require_settings_that_go_together(self) -> Self:
        longest = self.provider_timeout_seconds + self.turn_seconds
        if self.lease_seconds <= longest:
            raise ValueError(
                "LEASE_SECONDS must exceed PROVIDER_TIMEOUT_SECONDS and the"
                f" {self.turn_seconds:g} s that a fetch may wait for its turn: set it above"
                f" {longest:g}, or"
                " PROVIDER_TIMEOUT_SECONDS lower; else a unit is taken from a worker that fetches"
            )
        if bool(self.tradingview_username) != bool(self.tradingview_password.get_secret_value()):
            raise ValueError(
                "TRADINGVIEW_USERNAME and TRADINGVIEW_PASSWORD go together: set both, or neither"
            )
        return self

    @property
    def turn_seconds(self) -> float:
        """How long a fetch that somebody waits for may wait for its turn, before it begins."""
        return min(5.0, self.provider_timeout_seconds / 2)

    @property
    def waiting_seconds(self) -> float:
        """How long a call waits for its sync: until one fetch has surely come to an end."""
        return min(self.provider_timeout_seconds + 5, 60.0)

    @property
    def is_development(self) -> bool:
        return self.environment is Environment.DEVELOPMENT

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The web sites whose pages may ask the API."""
        given = (origin.strip().rstrip("/") for origin in self.api_cors_origins.split(","))
        return frozenset(origin for origin in given if origin)

    @property
    def own_api_url(self) -> str:
        """Where this machine's API answers."""
        return url_of(self.api_host, self.api_port)

    @property
    def own_push_url(self) -> str:
        """Where this machine's streams are."""
        return url_of(self.push_host, self.push_port)

    @property
    def broker_url(self) -> str:
        """The message broker: the cache's server unless another is named."""
        return self.celery_broker_url or self.redis_url

    def environment_of_children(self, changes: Mapping[str, str]) -> dict[str, str]:
        """The environment for a process that shall have these settings, with some changed."""
        ours = {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in self
        }
        return {**os.environ, **ours, **changes}
