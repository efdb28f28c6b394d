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
    """All settings of an operator; `.env.example` lists them with their defaults."""

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
        description="a Redis that evicts, for cached answers; empty: REDIS_URL holds them too",
    )
    answers_most_mb: int = Field(
        default=256, ge=1, description="megabytes of cached answers in REDIS_URL without CACHE_URL"
    )
    celery_broker_url: str = Field(default="", description="empty: REDIS_URL is the broker")

    tradingview_url: str = "wss://data.tradingview.com/socket.io/websocket"
    tradingview_http_url: str = "https://www.tradingview.com"
    tradingview_search_url: str = "https://symbol-search.tradingview.com"
    tradingview_username: str = ""
    tradingview_password: SecretStr = SecretStr("")
    tradingview_token: SecretStr = Field(
        default=SecretStr(""),
        description="an auth token of TradingView, instead of user name and password",
    )
    provider_timeout_seconds: float = Field(
        default=30.0, gt=0, le=300, description="deadline of one fetch, with its connection"
    )

    provider_rate: float = Field(
        default=200.0, gt=0, description="the most fetches a second, by all workers together"
    )
    provider_burst: int = Field(
        default=50, ge=1, description="fetches that may begin at once after a pause"
    )
    provider_concurrency: int = Field(
        default=200, ge=1, description="the most fetches in progress, by all workers together"
    )

    provider_start_rate: float = Field(
        default=10.0, gt=0, description="the first rate, which climbs to PROVIDER_RATE"
    )
    provider_start_concurrency: int = Field(
        default=16, ge=1, description="the first concurrency, which climbs to PROVIDER_CONCURRENCY"
    )

    lease_seconds: float = Field(
        default=60.0,
        gt=0,
        description="a worker silent for longer loses its unit; must exceed a fetch's deadline",
    )
    tick_seconds: float = Field(
        default=5.0, gt=0, description="seconds between two searches for lost and due units"
    )
    max_attempts: int = Field(
        default=8, ge=1, description="a unit that failed this often is not retried"
    )

    api_host: str = HOST
    api_port: int = Field(default=API_PORT, ge=0, le=65535)
    web_processes: int = Field(
        default=2, ge=1, description="web processes on API_PORT; if one dies, another serves"
    )
    api_threads: int = Field(
        default=64, ge=2, description="requests that one web process serves at a time"
    )

    workers: int = Field(default=2, ge=1, description="worker processes that `up` starts")
    worker_slots: int = Field(
        default=16, ge=1, description="units that one worker process runs at a time"
    )
    interactive_slots: int = Field(
        default=4,
        ge=0,
        description="slots of the worker for interactive units only; 0: no such worker",
    )
    worker_grace_seconds: float = Field(
        default=6.0, ge=0, description="how long a stopping worker may finish its running units"
    )
    worker_alive_file: str = Field(
        default="", description="a file that a healthy worker touches each second; empty: none"
    )

    streamer_shards: int = Field(
        default=1,
        ge=1,
        le=64,
        description="parts of the subscribed symbols, each streamed by one process",
    )
    streamer_standbys: int = Field(
        default=0, ge=0, description="further streamers that `up` starts, to replace dead ones"
    )
    streamer_intervals: str = Field(
        default="1m,3m,5m,15m,30m,45m,1h,2h,3h,4h,1d,1w,1M",
        description="intervals of live bars to store",
    )
    streamer_grace_seconds: float = Field(
        default=2.0, ge=0, description="how long after its end a bar accepts late ticks"
    )
    streamer_flush_seconds: float = Field(
        default=0.2, gt=0, le=1, description="seconds between two writes of changes to Redis"
    )
    streamer_lease_seconds: float = Field(
        default=6.0, ge=3, description="a streamer silent for longer loses its shard"
    )
    streamer_silence_seconds: float = Field(
        default=20.0, gt=0, description="a connection without a message for longer is dead"
    )
    streamer_most_waiting_bars: int = Field(
        default=500_000,
        ge=1,
        description="the most closed bars that wait for MongoDB; the oldest are dropped",
    )
    streamer_alive_file: str = Field(
        default="", description="a file that a healthy streamer touches each second; empty: none"
    )

    api_url: str = Field(
        default="", description="URL of the API for commands; empty: that of API_HOST and API_PORT"
    )
    push_url: str = Field(
        default="",
        description="URL of the streams for `watch`; empty: API_URL, else that of PUSH_HOST",
    )
    api_key: SecretStr = Field(default=SecretStr(""), description="the API key that commands send")
    api_rate_limit: str = Field(
        default="6000/minute",
        description="requests by one key, or by one address without a key; empty: no limit",
    )
    api_cors_origins: str = Field(
        default="",
        description="origins whose pages may call the API, separated by commas; empty: none",
    )
    api_body_seconds: float = Field(
        default=30.0, gt=0, description="how long the body of a request may take to arrive"
    )

    api_write_seconds: float = Field(
        default=20.0,
        ge=1,
        description="a connection whose client reads nothing for longer is closed",
    )

    push_host: str = HOST
    push_port: int = Field(default=PUSH_PORT, ge=0, le=65535)

    flower_host: str = "127.0.0.1"
    flower_port: int = Field(default=5555, ge=0, le=65535)
    flower_username: str = "pocketquant"
    flower_password: SecretStr = Field(
        default=SecretStr(""),
        description="for basic auth; empty in development: one is generated and kept in DATA_DIR",
    )

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="port of /metrics of workers, beats, streamers; 0: a free one, shown in /fleet",
    )

    log_format: LogFormat = LogFormat.CONSOLE
    log_level: LogLevel = LogLevel.INFO

    data_dir: Path = Field(
        default=Path(".pocketquant"),
        description="folder in which `up` keeps the data of its servers",
    )

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
