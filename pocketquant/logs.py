"""Set up structlog, once a process: JSON for machines or coloured lines for people.

Our lines, the lines that libraries log by `logging`, and uncaught errors pass the same processors
and are written to standard error, so a log file has one format. The last processor before
rendering strikes out secrets.
"""

import logging
import os
import sys
import threading
from contextlib import suppress
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pocketquant.redaction import Redactor
from pocketquant.settings import LogFormat, LogLevel

_THRESHOLDS = {  # these libraries log each task or connection, for which we have our own lines
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "kombu": logging.WARNING,
    "amqp": logging.WARNING,
    "urllib3": logging.WARNING,
    "pymongo": logging.WARNING,
    "websockets": logging.WARNING,
}
_LOGGERS_WITH_HANDLERS = ("gunicorn.error", "tornado.application", "tornado.general")

_log = structlog.get_logger(__name__)


class _StandardError:
    """The present `sys.stderr`, whole line by whole line; failing to write raises no error."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def write(self, lines: str) -> None:
        """Write whole lines; without the lock, long lines of several threads would mix."""
        with self._lock, suppress(OSError, ValueError):
            try:
                sys.stderr.write(lines)
            except RuntimeError:  # a signal handler logs while its thread writes another line
                os.write(sys.stderr.fileno(), lines.encode())

    def flush(self) -> None:
        """Do nothing: `sys.stderr` flushes at each line's end."""


class _LineLogger:
    """The last part of structlog's chain: writes a rendered line to standard error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _standard_error.write(line + "\n")

    debug = info = warning = error = critical = exception = msg


_standard_error = _StandardError()
# A child process has no thread that would release a lock held at the time of the fork.
os.register_at_fork(after_in_child=_standard_error.__init__)  # type: ignore[misc]


def set_up_logs(log_format: LogFormat, level: LogLevel, redactor: Redactor | None = None) -> None:
    """Send every log line of this process to standard error in one format, without secrets."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _rendering(log_format, redactor or Redactor())
    processors = structlog.get_config()["processors"]
    processors[:] = [*shared, *rendering]  # in place: cached loggers refer to this list
    structlog.configure(
        processors=processors,
        logger_factory=_LineLogger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_standard_error)
    without_record = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[without_record, *rendering]
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, threshold in _THRESHOLDS.items():
        logging.getLogger(name).setLevel(threshold)
    for name in _LOGGERS_WITH_HANDLERS:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)
    if sys.excepthook is sys.__excepthook__:  # keep a hook that a test runner has set
        sys.excepthook = _log_crash
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_crash_of_thread


def _rendering(log_format: LogFormat, redactor: Redactor) -> list[Processor]:
    """Return the last processors; tracebacks omit local variables, which may hold passwords."""

    def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {name: redactor.value(value) for name, value in event.items()}

    if log_format is LogFormat.JSON:
        without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        tracebacks = structlog.processors.ExceptionRenderer(without_locals)
        return [tracebacks, redact, structlog.processors.JSONRenderer()]
    return [
        structlog.processors.format_exc_info,
        redact,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _log_crash(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        _log.critical("process_crashed", exc_info=(kind, error, traceback))


def _log_crash_of_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and not issubclass(crash.exc_type, SystemExit):
        exc_info = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        _log.critical(
            "thread_crashed", thread=getattr(crash.thread, "name", None), exc_info=exc_info
        )
