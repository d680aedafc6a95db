"""A service's log: one JSON object a line on stderr.

The supervisor gives each service a file in memory for its stderr, so writing a line never waits for a disk, a pipe or
a reader. Not structlog: it imports rich and costs each service 0.2 s of start and 9 MB.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from typing import Any, Final

import orjson

from scada.clock import Clock

STDERR: Final = 2


class Log:
    """Writes lines; `bind` makes a log that adds fields to each line."""

    def __init__(self, clock: Clock, **fields: Any) -> None:
        """Makes a log.

        Args:
            clock: For the time stamps.
            **fields: Added to each line, for example `service="field"`.
        """
        self._clock = clock
        self._fields = fields

    def bind(self, **fields: Any) -> Log:
        """A log that adds these fields too."""
        return Log(self._clock, **{**self._fields, **fields})

    def debug(self, event: str, **fields: Any) -> None:
        """Something only a developer wants to know."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Something normal happened."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something is not right, and the service goes on."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something failed, and the service goes on without it."""
        self._write("error", event, fields)

    def critical(self, event: str, **fields: Any) -> None:
        """The service cannot go on; the supervisor shows this line."""
        self._write("critical", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """An error with the traceback of the exception being handled."""
        self._write("error", event, {**fields, "traceback": traceback.format_exc()})

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        line = {"t": self._clock.utc_ns(), "level": level, "event": event, **self._fields, **fields}
        data = orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
        with contextlib.suppress(OSError):  # a full tmpfs must not stop a plant
            os.write(STDERR, data)
