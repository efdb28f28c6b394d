"""structlog, set up once a process: JSON for machines or coloured lines for people.

Log lines of libraries pass through the same processors, so a file holds one format only, and so do
uncaught errors. The last processor before a line is rendered strikes out secrets.
"""

import logging
import sys
import threading
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pocketquant.redaction import Redactor
from pocketquant.settings import LogFormat, LogLevel

_QUIET = {  # a unit of work has one closing line, and it is ours
    "celery.worker.strategy": logging.WARNING,
    "celery.app.trace": logging.WARNING,
    "kombu": logging.WARNING,
    "amqp": logging.WARNING,
    "urllib3": logging.WARNING,
    "pymongo": logging.WARNING,
    "websockets": logging.WARNING,
}


_WITH_HANDLERS_OF_THEIR_OWN = ("gunicorn.error", "tornado.application", "tornado.general")

_log = structlog.get_logger(__name__)


def set_up_logs(log_format: LogFormat, level: LogLevel, redactor: Redactor | None = None) -> None:
    """Send every log line of this process to standard error in one format, without secrets."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(log_format, redactor or Redactor()),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, threshold in _QUIET.items():
        logging.getLogger(name).setLevel(threshold)
    for name in _WITH_HANDLERS_OF_THEIR_OWN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(True)
    if sys.excepthook is sys.__excepthook__:  # whoever put another there, a test run, wants it
        sys.excepthook = _log_crash
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_crash_of_thread


def _rendering(log_format: LogFormat, redactor: Redactor) -> list[Processor]:
    """Tracebacks come without local variables, for those hold tokens and passwords."""

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
