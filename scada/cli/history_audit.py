"""`history audit list|verify`: who did what, and whether the record of it is whole."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from scada.cli.options import AsJson, Data, parse_time, past
from scada.cli.render import FAILED, USAGE, failed, out, show_json, show_table, utc_text
from scada.client import StoreError
from scada.clock import SystemClock

app = typer.Typer(no_args_is_help=True, help="The audit trail: who did what, and whether it is whole.")
_APART: Final = frozenset({"kind", "t", "user", "service", "source"})


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.add_typer(app, name="audit")


@app.command("list")
def list_(
    start: Annotated[str, typer.Option(help="-2h, 2026-11-22 13:00 (site time), …Z.")] = "-1d",
    end: Annotated[str, typer.Option(help="As start; also now.")] = "now",
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only this: login, request, edit, …; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1, max=1_000_000)] = 1000,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Entries by time: log-ins, requests and what became of them, writes to devices, edits, imports, services."""
    try:
        source, _, zone = past(data)
        now = SystemClock().utc_ns()
        found = source.audit(parse_time(start, now, zone), parse_time(end, now, zone), kind, limit)
    except StoreError as error:
        raise failed(str(error)) from None
    if as_json:
        show_json([{"seq": e.seq, "time": utc_text(e.t), **e.event, "hash": e.hash.hex()} for e in found])
        return
    show_table(
        ("seq", "time (UTC)", "kind", "by", "what"),
        (
            (str(e.seq), utc_text(e.t), str(e.event.get("kind", "")), _by(e.event), _what(e.event))
            for e in found
        ),
    )


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="SEQ:HASH", help="An entry and its hash that were noted elsewhere."),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Follows the chain of hashes from the first entry, and compares it with those that the history was told."""
    noted: dict[int, bytes] = {}
    if head is not None:
        number, _, digest = head.partition(":")
        try:
            noted[int(number)] = bytes.fromhex(digest)
        except ValueError:
            raise failed(f"{head!r} is not an entry's number and its hash, such as 12:9f86…", USAGE) from None
    try:
        source, _, _ = past(data)
        found = source.verify_audit(noted)
    except StoreError as error:
        raise failed(str(error)) from None
    if as_json:
        show_json(found._asdict() | {"head": found.head.hex()})
    elif found.ok:
        out.print(
            f"{found.entries} entries, all as they were written. The last is {found.entries}:{found.head.hex()}"
        )
    else:
        out.print(f"{found.entries} entries are as they were written. Then {found.problem}.", markup=False)
    if found.others and not as_json:
        out.print(
            f"The history knows of {found.others} other audit trail(s) before this one; see audit.sqlite.damaged-*."
        )
    if not found.ok:
        raise typer.Exit(FAILED)


def _by(event: dict[str, Any]) -> str:
    return " ".join(
        str(event[key]) for key in ("user", "service", "source") if event.get(key) not in (None, "")
    )


def _what(event: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {_text(event, key)}"
        for key, value in event.items()
        if key not in _APART and value not in (None, "", [])
    )


def _text(event: dict[str, Any], key: str) -> str:
    """A value for people: times and durations of forces and bypasses are nanoseconds in the trail."""
    value = event[key]
    if event.get("kind") not in {"force", "bypass"} or not isinstance(value, int):
        return str(value)
    if key in {"since", "until"}:
        return utc_text(value)
    return _span(value) if key == "for" else str(value)


def _span(ns: int) -> str:
    for size, unit in ((3_600, "h"), (60, "min")):
        if ns % (size * 1_000_000_000) == 0:
            return f"{ns // (size * 1_000_000_000)} {unit}"
    return f"{ns / 1e9:g} s"
