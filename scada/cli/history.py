"""`history`: stored samples of one tag, or one value for each interval."""

from __future__ import annotations

import csv
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from scada.cli import history_sinks, intervals
from scada.cli.options import AsJson, Data, known, parse_time, past
from scada.cli.render import USAGE, err, failed, quality_text, show_json, show_table, utc_text, value_text
from scada.client import SHIFTS, StoreError
from scada.clock import SystemClock
from tags import quality


class Format(StrEnum):
    """How samples are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def history(
    tag: str,
    start: Annotated[
        str, typer.Option(help="-2h, 2026-11-22 13:00 (site time), 2026-11-22T12:00:00Z.")
    ] = "-1h",
    end: Annotated[str, typer.Option(help="As start; also now.")] = "now",
    format_: Annotated[Format, typer.Option("--format")] = Format.TABLE,
    limit: Annotated[int, typer.Option(help="At most so many samples.", min=1, max=10_000_000)] = 100_000,
    aggregate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="One value for each interval: time-average, min, max, integral, counter, …"
        ),
    ] = None,
    every: Annotated[
        str,
        typer.Option(metavar="LENGTH", help="Interval: 10min, 1h, … or day, week, month, shift of the site."),
    ] = "1h",
    shifts: Annotated[
        str, typer.Option(metavar="TIMES", help="When shifts begin, time of the site.")
    ] = ",".join(SHIFTS),
    state: Annotated[str | None, typer.Option(help="For time-in-state: a state's text or number.")] = None,
    roll_over: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="For counter: where it starts again from 0.")
    ] = None,
    uncertain: Annotated[
        bool, typer.Option("--uncertain", help="Calculate with Uncertain values too.")
    ] = False,
    originals: Annotated[
        bool, typer.Option("--originals", help="Samples as they were stored, without later corrections.")
    ] = False,
    sink: Annotated[
        str | None, typer.Option(metavar="NAME", help="What this database holds, not our own history.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Stored samples of one tag, raw or by interval: time, value, quality. The plant need not run."""
    now = SystemClock().utc_ns()
    try:
        source, tags, zone = past(data)
        target = known(tags, tag)
        begin, stop = parse_time(start, now, zone), parse_time(end, now, zone)
        if stop <= begin:
            raise failed(f"--end {end} is not after --start {start}.", USAGE)
        if aggregate is not None and sink is not None:
            raise failed("--aggregate is of our own history. Leave out --sink, or --aggregate.", USAGE)
        if aggregate is not None and originals:
            raise failed("--originals shows samples; leave --aggregate out.", USAGE)
        if aggregate is not None:
            found = intervals.ask(
                source,
                target,
                aggregate,
                begin,
                stop,
                every,
                zone,
                shifts=shifts,
                state=state,
                roll_over=roll_over,
                uncertain=uncertain,
            )
            intervals.show(found, target, zone, Format.JSON if as_json else format_)
            return
        if sink is None:
            samples = source.history(target.path, begin, stop, limit, originals=originals)
        else:
            samples = history_sinks.read(source, sink, target, begin, stop, limit)
    except StoreError as error:
        raise failed(str(error))
    rows = list(zip(samples.t.tolist(), samples.values, samples.status.tolist(), strict=True))
    if as_json or format_ is Format.JSON:
        show_json([_row(t, value, status) for t, value, status in rows])
    elif format_ is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("time", "value", "quality"))
        writer.writerows(
            (utc_text(t), "" if value is None else value, quality.name(status)) for t, value, status in rows
        )
    else:
        show_table(
            ("time (UTC)", "value", "quality"),
            ((utc_text(t), value_text(target, value), quality_text(status)) for t, value, status in rows),
        )
    if samples.more:
        err.print(
            f"More than {limit} samples; the rest is left out. Choose a shorter time or a larger --limit."
        )


def _row(time_ns: int, value: Any, status: int) -> dict[str, Any]:
    return {"time": utc_text(time_ns), "value": value, "quality": quality.name(status), "status": status}
