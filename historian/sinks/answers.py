"""What a database answers, and what of it is said to people: short, and never a secret."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import orjson
from influxdb_client.rest import ApiException

_TEXT_MAX: Final = 300
_DROPPED: Final = re.compile(r"\bdropped=(\d{1,9})\b")  # InfluxDB 1 and 2: partial write: … dropped=5


class Reply(NamedTuple):
    """What a server answered.

    Attributes:
        status: Of HTTP; 0 for no answer.
        text: What it said, short; "" when it took the rows.
        retry_after_s: It asked to wait so long, s; 0 when it did not.
        dropped: How many rows it says that it did not take.
    """

    status: int
    text: str = ""
    retry_after_s: float = 0.0
    dropped: int = 0


class RefusedError(Exception):
    """A question that the server did not answer; the message says why.

    Attributes:
        status: Of HTTP; 0 for no answer, 200 when the answer itself was an error.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def reply_of(error: ApiException) -> Reply:
    """The answer to a write that was not taken."""
    text = said(error)
    dropped = _DROPPED.search(text)
    return Reply(int(error.status or 0), text, _asked(error), int(dropped[1]) if dropped else 0)


def said(error: ApiException) -> str:
    """What the server said, short."""
    body = error.body or ""
    try:
        found = orjson.loads(body)
        body = str(found.get("message") or found.get("error") or body)
    except (orjson.JSONDecodeError, AttributeError):
        pass
    return short(f"HTTP {error.status}: {body or error.reason}" if error.status else str(error.reason))


def short(text: str) -> str:
    """One line, not too long."""
    return " ".join(text.split())[:_TEXT_MAX]


def _asked(error: ApiException) -> float:
    """`Retry-After` in seconds; a date is not looked at."""
    headers: Any = error.headers or {}
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
