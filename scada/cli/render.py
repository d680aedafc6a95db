"""Words, tables and exit codes of the command line."""

from __future__ import annotations

import datetime as dt
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from scada.client import Sample
from tags import quality
from tags.model import Tag
from tags.types import Value

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REJECTED: Final = 3
BAD_SITE: Final = 78  # EX_CONFIG of sysexits.h

_STEERING: Final = {"Cc", "Cf", "Cs"}  # control, format (also right-to-left marks), half of a pair

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def failed(message: str, code: int = FAILED) -> SystemExit:
    """Says one thing on stderr; raise what it returns to end with the code."""
    err.print(plain(message), style="red", markup=False)
    return SystemExit(code)


def show_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(
        orjson.dumps(
            document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
        )
    )
    sys.stdout.flush()


def plain(text: str) -> str:
    """A text of somebody else (a reason, a value, a description) that cannot steer the terminal."""
    return "".join(
        "\ufffd" if unicodedata.category(mark) in _STEERING and mark != "\n" else mark for mark in text
    )


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """A table on a terminal; tab-separated lines with a head in a pipe."""
    lines = ([_cell(cell) for cell in row] for row in rows)
    if not out.is_terminal:
        print("\t".join(columns))
        for line in lines:
            print("\t".join(str(cell) for cell in line))
        return
    table = Table(
        *(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False, header_style="bold"
    )
    for line in lines:
        table.add_row(*line)
    out.print(table)


def _cell(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(plain(cell).replace("\n", " "))


def value_text(tag: Tag, value: Value | None) -> str:
    """A value as people read it: state text, decimals, unit."""
    if value is None:
        return "—"
    if isinstance(value, int):
        state = tag.states.get(str(int(value)))
        if state is not None:
            return state
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"{value:.{tag.decimals}f}" if isinstance(value, float) else str(value)
    return f"{text} {tag.unit}" if tag.unit else text


def quality_text(status: int) -> Text:
    """Name of the status, coloured when it is not good."""
    bad = quality.is_bad(status)
    return Text(quality.name(status), style="red" if bad else "yellow" if status != quality.GOOD else "")


def sample_json(tag: Tag, sample: Sample) -> dict[str, Any]:
    """A sample as `--json` shows it."""
    return {
        "path": tag.path,
        "value": sample.value,
        "unit": tag.unit,
        "quality": quality.name(sample.status),
        "status": sample.status,
        "time": utc_text(sample.source_ns) if sample.source_ns else None,
        "age_s": None if sample.age_s is None else round(sample.age_s, 3),
    }


def utc_text(utc_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    stamp = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def local_text(utc_ns: int, zone: str) -> str:
    """Time of day at the site, with the date."""
    return f"{dt.datetime.fromtimestamp(utc_ns / 1e9, ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def age_text(seconds: float | None) -> str:
    """A duration in the unit that fits: `0.3 s`, `12 s`, `4 min`, `3 h`, `2 d`; a dash for never."""
    if seconds is None:
        return "—"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / (60 if unit == 'min' else size):.0f} {unit}"
    return f"{seconds:.0f} s"
