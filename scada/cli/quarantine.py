"""`history quarantine list|repair|retry|drop`: rows that a sink refused."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from historian.sinks import state
from scada.cli.options import AsJson, Data, past
from scada.cli.render import USAGE, err, failed, out, show_json, show_table, utc_text
from scada.client import StoreError
from scada.clock import SystemClock

Sink = Annotated[str, typer.Argument(metavar="SINK")]
Row = Annotated[list[int] | None, typer.Option("--row", metavar="NUMBER", help="Only this row; repeatable.")]


app = typer.Typer(no_args_is_help=True, help="Samples that a sink refuses: list, repair, send again, forget.")


@app.command("list")
def list_(
    sink: Annotated[str | None, typer.Argument(metavar="[SINK]")] = None,
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1, max=100_000)] = 1000,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Rows that were refused, the oldest first, and why."""
    with _desk(data) as desk:
        rows = [] if desk is None else desk.quarantine(sink, limit=limit)
    if as_json:
        show_json([row._asdict() | {"since": utc_text(row.since)} for row in rows])
        return
    show_table(
        ("row", "sink", "since (UTC)", "error", "line"),
        (
            (
                str(row.id),
                row.sink,
                utc_text(row.since),
                f"to be sent again; {row.error}" if row.retry else row.error,
                row.line,
            )
            for row in rows
        ),
    )


@app.command()
def retry(sink: Sink, row: Row = None, data: Data = None) -> None:
    """Sends rows again, all of a sink or some; those that are refused again stay."""
    with _desk(data) as desk:
        count = 0 if desk is None else desk.retry(sink, row)
    _done(sink, row, count, "will be sent again")


@app.command()
def repair(
    sink: Sink,
    find: Annotated[str, typer.Option("--find", metavar="REGEX", help="What is wrong in the lines.")],
    replace: Annotated[
        str, typer.Option("--replace", metavar="TEXT", help=r"What stands there instead; \1 is a group.")
    ],
    row: Row = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without it the new lines are only shown.")
    ] = False,
    data: Data = None,
) -> None:
    """Corrects lines, all of a sink or some, and sends them again. History is not changed."""
    from historian.sinks.repair import repaired  # noqa: PLC0415 - heavy

    with _desk(data) as desk:
        rows = [] if desk is None else desk.quarantine(sink, limit=100_000, ids=row)
        try:
            lines, broken = repaired(rows, find, replace)
        except ValueError as error:
            raise failed(str(error), USAGE) from None
        if broken:
            number, line, why = broken[0]
            raise failed(f"row {number} would become no line of the line protocol ({why}): {line}")
        if apply and desk is not None and lines:
            _witness(data, sink, "repaired", len(lines), find=find, replace=replace)
            _done(sink, row, desk.repair(sink, lines), "repaired; they will be sent again")
            return
    if not lines:
        raise failed(f"No row of {sink} has what fits {find!r}. See: scada history quarantine list")
    show_table(("row", "line"), ((str(number), line) for number, line in lines.items()))
    err.print(f"{len(lines)} {'row' if len(lines) == 1 else 'rows'}. To do it, add --apply.")


@app.command()
def drop(sink: Sink, row: Row = None, data: Data = None) -> None:
    """Forgets rows, all of a sink or some; history keeps the samples."""
    with _desk(data) as desk:
        count = 0 if desk is None else len(desk.quarantine(sink, limit=100_000, ids=row))
        if desk is not None and count:
            _witness(data, sink, "forgotten", count)
            count = desk.drop(sink, row)
    _done(sink, row, count, "forgotten")


def _witness(data: Path | None, sink: str, what: str, rows: int, **fields: str) -> None:
    """The audit trail has it first: what is sent from now on is not what history says."""
    from historian import audit  # noqa: PLC0415 - heavy

    source, _, _ = past(data)
    audit.record(
        source.data.history,
        "quarantine",
        SystemClock().utc_ns(),
        user=getpass.getuser(),
        source="cli",
        sink=sink,
        message=f"sink {sink}: {rows} {'row' if rows == 1 else 'rows'} in quarantine {what}",
        **fields,
    )


def _done(sink: str, rows: list[int] | None, count: int, what: str) -> None:
    if not count:
        raise failed(
            f"{sink} has no such rows in quarantine. See: scada history quarantine list", USAGE if rows else 1
        )
    out.print(f"{sink}: {count} {'row' if count == 1 else 'rows'} {what}.")


@contextlib.contextmanager
def _desk(data: Path | None) -> Iterator[state.State | None]:
    """The quarantine; None when no sink was ever fed."""
    try:
        source, _, _ = past(data)
        folder = source.data.history
        desk = state.State.writer(folder) if (folder / state.FILE).exists() else None
        try:
            yield desk
        finally:
            if desk is not None:
                desk.close()
    except StoreError as error:
        raise failed(str(error)) from None


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.add_typer(app, name="quarantine")
