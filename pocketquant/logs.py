"""structlog, set up once a process: JSON for machines or coloured lines for people.

Log lines of libraries pass through the same processors, so a file holds one format only.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

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


def set_up_logs(log_format: LogFormat, level: LogLevel) -> None:
    """Send every log line of this process to standard error in one format."""
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
                *_rendering(log_format),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, threshold in _QUIET.items():
        logging.getLogger(name).setLevel(threshold)


def _rendering(log_format: LogFormat) -> list[Processor]:
    """Tracebacks come without local variables, for those hold tokens and passwords."""
    if log_format is LogFormat.JSON:
        without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        tracebacks = structlog.processors.ExceptionRenderer(without_locals)
        return [tracebacks, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
