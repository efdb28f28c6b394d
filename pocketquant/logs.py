"""structlog, set up once a process: JSON for machines or coloured lines for people.

Lines of ours are rendered where they are logged and go straight to standard error; those of
libraries come by `logging`, through the same processors to the same place, and so do uncaught
errors: a file holds one format only. The last processor before rendering strikes out secrets.
"""

import logging
import os
import sys
import threading
from collections import deque
from contextlib import suppress
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
_MOST_LINES = 10_000  # that wait for a standard error nobody reads

_log = structlog.get_logger(__name__)


class _Output:
    """Standard error, line by line: one thread writes, and what others log meanwhile as well.

    Nobody waits for it, as they would for a lock that is held while the system writes.
    """

    def __init__(self) -> None:
        self._lines = deque[str]()
        self._writing = threading.Lock()

    def write(self, text: str) -> None:
        """Whole lines; what can't be written fails nobody's work."""
        self._lines.append(text)
        while self._lines and self._writing.acquire(blocking=len(self._lines) > _MOST_LINES):
            try:
                self._write_lines()
            finally:
                self._writing.release()

    def flush(self) -> None:
        """Nothing is held back: `sys.stderr` ends at each line."""

    def _write_lines(self) -> None:
        with suppress(IndexError):
            while line := self._lines.popleft():
                with suppress(OSError, ValueError):
                    sys.stderr.write(line)


class _LineLogger:
    """The end of structlog's chain: gets a rendered line."""

    def __init__(self, name: str) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _output.write(line + "\n")

    debug = info = warning = error = critical = exception = msg


_output = _Output()
os.register_at_fork(after_in_child=_output.__init__)  # type: ignore[misc]  # whoever wrote is gone


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
    processors[:] = [*shared, *rendering]  # the same list: loggers in use hold it
    structlog.configure(
        processors=processors,
        logger_factory=_LineLogger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_output)
    without_record = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[without_record, *rendering]
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
