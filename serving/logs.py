"""Logs as one JSON object a line, the request id in each, and nothing of a person."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(level: str = "info") -> None:
    """Write logs of this process as JSON lines to standard error.

    Parameters
    ----------
    level : str
        The lowest level that is written.
    """
    lowest = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through `logging`; their messages may hold SQL parameters, so only warnings pass, without them.
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge()], force=True)


class _Bridge(logging.Handler):
    """Passes on where a library warned, not what it printed."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger("library").log(
            record.levelno, "a library warned", library=record.name, place=f"{record.module}:{record.lineno}"
        )


def _without_tracebacks(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # A traceback's last line is the text of the exception, which may repeat a value.
    event.pop("exc_info", None)
    return event
