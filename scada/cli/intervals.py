"""What `history --aggregate` asks and prints: one value for each interval."""

from __future__ import annotations

import csv
import datetime as dt
import math
import sys
from typing import Any, Final
from zoneinfo import ZoneInfo

from scada.cli.options import parse_duration, parse_value
from scada.cli.render import USAGE, failed, quality_text, show_json, show_table, utc_text
from scada.client import CALENDAR, Archive, Client, Intervals
from tags import quality
from tags.model import Tag
from tags.types import STRING

_CIVIL: Final = {"1d": "day", "1 d": "day", "1w": "week"} | {name: name for name in CALENDAR}
COLUMNS: Final = ("start", "end", "value", "unit", "quality", "good", "samples", "partial")


def ask(
    source: Client | Archive,
    tag: Tag,
    aggregate: str,
    start_ns: int,
    end_ns: int,
    every: str,
    zone: str,
    *,
    shifts: str,
    state: str | None,
    roll_over: float | None,
    uncertain: bool,
) -> Intervals:
    """Asks with what a person typed; ends with what is wrong with it."""
    words = every.strip().lower()
    length = _CIVIL[words] if words in _CIVIL else round(parse_duration(every) * 1e9)
    wanted = None if state is None or tag.type == STRING else float(parse_value(tag, state))
    try:
        return source.aggregate(
            tag.path,
            aggregate,
            start_ns,
            end_ns,
            length,
            shifts=[text.strip() for text in shifts.split(",")],
            state=wanted,
            roll_over=roll_over,
            origin_ns=_midnight(start_ns, ZoneInfo(zone)),
            uncertain=uncertain,
        )
    except ValueError as error:
        raise failed(f"{str(error)[:1].upper()}{str(error)[1:]}.", USAGE)


def show(found: Intervals, tag: Tag, zone: str, style: str) -> None:
    """Prints as `table`, `csv` or `json`; times with the offset of the site, in JSON in UTC too."""
    place = ZoneInfo(zone)
    rows = [_row(found, i, place) for i in range(len(found))]
    if style == "json":
        show_json(rows)
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(["" if row[name] is None else row[name] for name in COLUMNS] for row in rows)
    else:
        show_table(
            (f"start ({zone})", "end", "value", "quality", "good", "samples", ""),
            (
                (
                    row["start"],
                    row["end"],
                    _number(row["value"], tag, found.unit),
                    quality_text(row["status"]),
                    f"{row['good']:.1f} %",
                    str(row["samples"]),
                    "partial" if row["partial"] else "",
                )
                for row in rows
            ),
        )


def _midnight(utc_ns: int, place: ZoneInfo) -> int:
    """The begin of that day at the place: intervals begin at whole hours, not where somebody pressed Enter."""
    day = dt.datetime.fromtimestamp(utc_ns // 1_000_000_000, place).date()
    return int(dt.datetime.combine(day, dt.time(), place).timestamp()) * 1_000_000_000


def _row(found: Intervals, i: int, place: ZoneInfo) -> dict[str, Any]:
    value, start, end, status = (
        column[i].item() for column in (found.value, found.start, found.end, found.status)
    )
    return {
        "start": _local(start, place),
        "end": _local(end, place),
        "start_utc": utc_text(start),
        "end_utc": utc_text(end),
        "value": None if math.isnan(value) else value,
        "unit": found.unit,
        "quality": quality.name(status),
        "status": status,
        "good": round(found.percent_good[i].item(), 3),
        "samples": found.count[i].item(),
        "partial": bool(found.partial[i]),
    }


def _number(value: float | None, tag: Tag, unit: str | None) -> str:
    if value is None:
        return "—"
    text = f"{value:.{max(tag.decimals, 0)}f}"
    return f"{text} {unit}" if unit else text


def _local(utc_ns: int, place: ZoneInfo) -> str:
    """ISO 8601 with the offset of the place; milliseconds only where there are any."""
    seconds, rest = divmod(utc_ns, 1_000_000_000)
    stamp = dt.datetime.fromtimestamp(seconds, place).replace(microsecond=rest // 1000)
    return stamp.isoformat(timespec="milliseconds" if rest else "seconds")
