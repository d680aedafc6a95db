"""`history quarantine list|retry|drop`: rows that a sink refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from historian.sinks import state
from scada.cli.options import AsJson, Data, past
from scada.cli.render import USAGE, failed, out, show_json, show_table, utc_text
from scada.client import StoreError

Sink = Annotated[str, typer.Argument(metavar="SINK")]
Row = Annotated[list[int] | None, typer.Option("--row", metavar="NUMBER", help="Only this row; repeatable.")]


app = typer.Typer(no_args_is_help=True, help="Samples that a sink refuses: list, send again, forget.")


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
def drop(sink: Sink, row: Row = None, data: Data = None) -> None:
    """Forgets rows, all of a sink or some; history keeps the samples."""
    with _desk(data) as desk:
        count = 0 if desk is None else desk.drop(sink, row)
    _done(sink, row, count, "forgotten")


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
