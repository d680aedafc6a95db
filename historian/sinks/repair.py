"""Correcting lines in quarantine: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from historian.sinks.quarantine import Refused

_NAME: Final = r"(?:\\.|[^\\,= \n])+"  # of a tag key, a tag value, a field: commas, blanks and = are escaped
_MEASUREMENT: Final = r"(?:\\.|[^\\, \n])+"
_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_VALUE: Final = rf'(?:{_NUMBER}|[+-]?\d+[iu]|"(?:\\.|[^"\\])*"|t|T|true|True|TRUE|f|F|false|False|FALSE)'
_LINE: Final = re.compile(
    rf"{_MEASUREMENT}(?:,{_NAME}={_NAME})* {_NAME}={_VALUE}(?:,{_NAME}={_VALUE})*(?: -?\d{{1,19}})?"
)


def problem(line: str) -> str:
    """What is wrong with a line of the line protocol, or ""."""
    if _LINE.fullmatch(line):
        return ""
    head = re.match(rf"{_MEASUREMENT}(?:,{_NAME}={_NAME})* ", line)
    return "its fields or its time" if head else "its measurement or its tags"


def repaired(
    rows: Iterable[Refused], find: str, replace: str
) -> tuple[dict[int, str], list[tuple[int, str, str]]]:
    """New lines by number of the row, of those that change; and those that would be no lines: number, line, why.

    Raises:
        ValueError: `find` or `replace` is not what `re` takes.
    """
    lines: dict[int, str] = {}
    broken: list[tuple[int, str, str]] = []
    try:
        wanted = re.compile(find)
        for row in rows:
            line = wanted.sub(replace, row.line)
            if line == row.line:
                continue
            why = problem(line)
            if why:
                broken.append((row.id, line, why))
            else:
                lines[row.id] = line
    except (re.error, IndexError) as error:
        raise ValueError(f"{find!r}, {replace!r}: {error}") from None
    return lines, broken
