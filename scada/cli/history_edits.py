"""`history edit|delete|undo|edits`: corrections of samples; what was stored stays."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from scada.cli.options import AsJson, Data, known, parse_time, parse_value, past
from scada.cli.render import USAGE, failed, out, quality_text, show_json, show_table, utc_text, value_text
from scada.cli.stamps import Stamp, exact, parse_stamp
from scada.client import Archive, Client, Corrections, EditError, StoreError
from scada.clock import SystemClock
from tags import quality
from tags.model import Tag
from tags.types import from_bits

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept for ever.")]
At = typer.Option(
    "--at", metavar="TIME", help="Of the sample, to the digit that is seen; 2026-11-22T12:00:00.250Z."
)


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    for verb in (edit, delete, undo, edits):
        verbs.command()(verb)


def edit(
    tag: str,
    at: Annotated[str, At],
    value: Annotated[str, typer.Option(help="What it was; also a state's text.")],
    reason: Reason,
    bad: Annotated[
        bool, typer.Option("--uncertain", help="Mark it Uncertain (UncertainSubstituteValue).")
    ] = False,
    data: Data = None,
) -> None:
    """Corrects the sample at a time, or puts one there. What was stored stays, with who, when and why."""
    with _corrections(data) as (source, tags, zone, corrections):
        target = known(tags, tag)
        stamp = parse_stamp(at, SystemClock().utc_ns(), zone)
        t = _one(source, target, stamp)
        status = quality.UNCERTAIN_SUBSTITUTE if bad else quality.GOOD
        made = corrections.put(target.path, [(t, parse_value(target, value), status)], reason)
        was = " and ".join(_values(target, made.old.bits.tolist()))
        before = f"it was {was}" if len(made.old.t) else "there was no sample at that time"
        now = " and ".join(_values(target, made.new.bits.tolist()))
        out.print(f"{target.path} at {exact(t)}: {now}; {before}. Edit {made.id}.", markup=False)


def delete(
    tag: str,
    reason: Reason,
    start: Annotated[str | None, typer.Option(help="-2h, 2026-11-22 13:00 (site time), …Z.")] = None,
    end: Annotated[str | None, typer.Option(help="As start; also now.")] = None,
    at: Annotated[str | None, At] = None,
    data: Data = None,
) -> None:
    """Hides the sample at a time, or all from --start to before --end. They stay stored; `undo` shows them again."""
    with _corrections(data) as (source, tags, zone, corrections):
        target, now = known(tags, tag), SystemClock().utc_ns()
        if at is not None and start is None and end is None:
            t = _one(source, target, parse_stamp(at, now, zone))
            span = Stamp(t, t + 1)
        elif at is None and start is not None and end is not None:
            span = Stamp(parse_time(start, now, zone), parse_time(end, now, zone))
        else:
            raise failed("Give --at TIME, or --start TIME and --end TIME.", USAGE)
        made = corrections.delete(target.path, span.start, span.end, reason)
        count = len(made.old.t)
        out.print(
            f"{target.path}: {count} {'sample' if count == 1 else 'samples'} hidden. Edit {made.id}.",
            markup=False,
        )


def undo(number: int, reason: Reason, data: Data = None) -> None:
    """Takes an edit back: what it hid is shown again."""
    with _corrections(data) as (_, _, _, corrections):
        made = corrections.undo(number, reason)
        count = len(made.new.t)
        shown = f"{count} {'sample is' if count == 1 else 'samples are'} shown again"
        out.print(f"Edit {number} is taken back: {shown}. Edit {made.id}.")


def edits(
    tag: str,
    start: Annotated[str, typer.Option(help="-2h, 2026-11-22 13:00 (site time), …Z.")] = "-1d",
    end: Annotated[str, typer.Option(help="As start; also now.")] = "now",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Who changed what in a stretch of history, when and why, and what was there before."""
    with _corrections(data) as (source, tags, zone, _):
        target, now = known(tags, tag), SystemClock().utc_ns()
        found = source.history_edits(target.path, parse_time(start, now, zone), parse_time(end, now, zone))
        rows = [row for edit in found for row in _rows(target, edit)]
    if as_json:
        show_json(rows)
        return
    show_table(
        ("edit", "time (UTC)", "was", "is", "by", "on (UTC)", "reason"),
        (
            (
                f"{row['edit']} {row['kind']}",
                row["time"],
                *(
                    "—"
                    if row[key] is None
                    else quality_text(row[f"{key}_status"]).plain
                    if row[f"{key}_status"] >> 30
                    else value_text(target, row[key])
                    for key in ("was", "is")
                ),
                row["user"],
                row["on"],
                row["reason"],
            )
            for row in rows
        ),
    )


def _rows(tag: Tag, edit: Any) -> list[dict[str, Any]]:
    """One for each time that an edit touched."""
    sides: list[dict[int, tuple[Any, int]]] = []
    for samples in (edit.old, edit.new):
        columns = zip(samples.t.tolist(), samples.bits.tolist(), samples.status.tolist(), strict=True)
        sides.append({t: (from_bits(tag.type, bits), status) for t, bits, status in columns})
    nothing = (None, 0)
    return [
        {
            "edit": edit.id,
            "kind": edit.kind if edit.undoes is None else f"{edit.kind} of {edit.undoes}",
            "time": exact(t),
            "was": sides[0].get(t, nothing)[0],
            "was_status": sides[0].get(t, nothing)[1],
            "is": sides[1].get(t, nothing)[0],
            "is_status": sides[1].get(t, nothing)[1],
            "user": edit.who.user,
            "source": edit.who.source,
            "on": utc_text(edit.who.utc_ns),
            "reason": edit.who.reason,
        }
        for t in sorted(sides[0].keys() | sides[1].keys())
    ]


def _one(source: Client | Archive, tag: Tag, stamp: Stamp) -> int:
    """The time of the one sample that is meant; that which was written when there is none."""
    times = source.history(tag.path, stamp.start, stamp.end, 6).t.tolist()
    distinct = sorted(set(times))
    if len(distinct) > 1:
        names = ", ".join(exact(t) for t in distinct[:5])
        raise failed(f"{tag.path} has several samples there: {names}. Write more digits.", USAGE)
    return distinct[0] if distinct else stamp.start


def _values(tag: Tag, bits: list[int]) -> list[str]:
    return [value_text(tag, from_bits(tag.type, word)) for word in bits]


@contextlib.contextmanager
def _corrections(
    data: Path | None,
) -> Iterator[tuple[Client | Archive, Mapping[str, Tag], str, Corrections]]:
    """The history to correct. The owner of the data directory holds every key, so it acts as admin."""
    try:
        source, tags, zone = past(data)
        user = getpass.getuser()
        yield source, tags, zone, Corrections(source.data.root, tags, user=user, role="admin", source="cli")
    except EditError as error:
        raise failed(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    except StoreError as error:
        raise failed(str(error)) from None
