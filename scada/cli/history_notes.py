"""`history annotate|notes`: what people write beside the history of a tag."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from scada.cli.options import AsJson, Data, known, parse_time, past
from scada.cli.render import failed, out, show_json, show_table, utc_text
from scada.cli.stamps import exact
from scada.client import Corrections, EditError, StoreError
from scada.clock import SystemClock


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.command()(annotate)
    verbs.command()(notes)


def annotate(
    tag: str,
    text: str,
    at: Annotated[str, typer.Option(metavar="TIME", help="-2h, 2026-11-22 13:00 (site time), …Z.")] = "now",
    data: Data = None,
) -> None:
    """Writes a text beside a time of a tag."""
    try:
        source, tags, zone = past(data)
        target = known(tags, tag)
        clock = SystemClock()
        desk = Corrections(source.data.root, tags, user=getpass.getuser(), role="admin", source="cli")
        made = desk.annotate(target.path, parse_time(at, clock.utc_ns(), zone), text)
    except (EditError, StoreError) as error:
        raise failed(str(error)) from None
    out.print(f"{target.path} at {exact(made.t)}: annotation {made.id}.", markup=False)


def notes(
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]")] = None,
    start: Annotated[str, typer.Option(help="-2h, 2026-11-22 13:00 (site time), …Z.")] = "-7d",
    end: Annotated[str, typer.Option(help="As start; also now.")] = "now",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1, max=100_000)] = 1000,
    remove: Annotated[int | None, typer.Option(metavar="NUMBER", help="Take this one away.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Annotations of a tag, or of all, by time."""
    try:
        source, tags, zone = past(data)
        if remove is not None:
            Corrections(
                source.data.root, tags, user=getpass.getuser(), role="admin", source="cli"
            ).unannotate(remove)
            out.print(f"Annotation {remove} is taken away.")
            return
        now = SystemClock().utc_ns()
        path = None if tag is None else known(tags, tag).path
        found = source.annotations(path, parse_time(start, now, zone), parse_time(end, now, zone), limit)
    except (EditError, StoreError) as error:
        raise failed(str(error)) from None
    paths = {known_tag.id: known_tag.path for known_tag in tags.values()}
    rows = [
        {
            "number": note.id,
            "tag": paths.get(note.tag, str(note.tag)),
            "time": utc_text(note.t),
            "text": note.text,
            "user": note.user,
            "written": utc_text(note.utc_ns),
        }
        for note in found
    ]
    if as_json:
        show_json(rows)
        return
    show_table(
        ("number", "tag", "time (UTC)", "text", "by"),
        ((str(row["number"]), *(str(row[key]) for key in ("tag", "time", "text", "user"))) for row in rows),
    )
