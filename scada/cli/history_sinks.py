"""`history sinks|forward|compare`: databases that history is forwarded to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scada.cli.options import AsJson, Data, parse_time, past
from scada.cli.render import USAGE, age_text, err, failed, out, show_json, show_table, utc_text
from scada.client import StoreError
from scada.clock import SystemClock
from tags import model

if TYPE_CHECKING:
    from historian.sinks.reading import SinkReader
    from historian.sinks.state import State
    from scada.client import Archive, Client, Samples
    from tags.model import Sink, Site, Tag

SinkName = Annotated[str, typer.Argument(metavar="SINK")]
Patterns = Annotated[
    list[str] | None, typer.Option("--tags", metavar="PATTERN", help="Only such tags: tank1/*; repeatable.")
]


def add_to(verbs: typer.Typer) -> None:
    """Adds the verbs to `scada history`."""
    verbs.command("sinks")(sinks)
    verbs.command("forward")(forward)
    verbs.command("compare")(compare)


def sinks(data: Data = None, as_json: AsJson = False) -> None:
    """Databases that history is forwarded to: how far each is, and what it is still to get."""
    with _desk(data) as (source, desk):
        site = _site(source)
        cursors = desk.cursors()
        now = SystemClock().utc_ns()
        rows: list[dict[str, Any]] = [
            {
                "sink": sink.name,
                "url": sink.url,
                "delivered": utc_text(cursors[sink.name].t) if sink.name in cursors else None,
                "age_s": (now - cursors[sink.name].t) / 1e9 if sink.name in cursors else None,
                "quarantine": desk.count(sink.name),
                "jobs": [
                    {
                        "from": utc_text(job.start),
                        "to": utc_text(job.end),
                        "at": utc_text(job.at),
                        "sent": job.sent,
                        "reason": job.reason,
                    }
                    for job in desk.jobs(sink.name)
                ],
            }
            for sink in site.sinks
        ]
    if as_json:
        show_json(rows)
        return
    if not rows:
        out.print("The site names no sinks: nothing is forwarded.")
        return
    show_table(
        ("sink", "delivered up to (UTC)", "age", "quarantine", "of the history it still gets"),
        (
            (
                row["sink"],
                row["delivered"] or "nothing yet",
                age_text(row["age_s"]),
                str(row["quarantine"]),
                "; ".join(f"up to {job['to']}, now at {job['at']}: {job['reason']}" for job in row["jobs"]),
            )
            for row in rows
        ),
    )


def forward(
    sink: SinkName,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="All by default.")] = None,
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="As --from.")] = "now",
    tags: Patterns = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Send no history that was asked for.")] = False,
    data: Data = None,
) -> None:
    """Sends a stretch of history to a sink once more. What is new goes on meanwhile; rows that are there are replaced."""
    with _desk(data) as (source, desk):
        site = _site(source)
        _named(site, sink)
        if cancel:
            count = desk.cancel(sink)
            out.print(
                f"{sink}: {count} {'stretch' if count == 1 else 'stretches'} of history will not be sent."
            )
            return
        now = SystemClock().utc_ns()
        begin = 0 if start is None else parse_time(start, now, site.timezone)
        stop = parse_time(end, now, site.timezone)
        if stop <= begin:
            raise failed(f"--to {end} is not after --from {start}.", USAGE)
        for pattern in tags or ():
            if not any(fnmatchcase(tag.path, pattern) for tag in site.tags):
                raise failed(f"No tag fits {pattern}.", USAGE)
        desk.ask(sink, begin, stop + 1, "asked for", tags or ["*"])
    out.print(f"{sink}: will get the history up to {utc_text(stop)} again. See: scada history sinks")


def compare(
    sink: SinkName,
    start: Annotated[
        str, typer.Option(help="-2h, 2026-11-22 13:00 (site time), 2026-11-22T12:00:00Z.")
    ] = "-1d",
    end: Annotated[str, typer.Option(help="As start.")] = "-1min",
    tags: Patterns = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Counts samples in history and in the database, tag by tag; ends with 1 where they differ."""
    from historian.sinks.counting import counted  # noqa: PLC0415 - heavy

    now = SystemClock().utc_ns()
    source, _, zone = past(data)
    site = _site(source)
    chosen = _named(site, sink)
    begin, stop = parse_time(start, now, zone), parse_time(end, now, zone)
    wanted = [tag for tag in site.tags if any(fnmatchcase(tag.path, p) for p in tags or ["*"])]
    with _reader(chosen) as reader:
        theirs = reader.counts(begin, stop)
        try:
            ours = counted(source.data.history, chosen, wanted, begin, stop)
        except StoreError as error:
            raise failed(str(error)) from None
    rows = [
        {"path": path, "history": count, "sink": theirs.get(path, 0), "same": count == theirs.get(path, 0)}
        for path, count in sorted(ours.items())
    ]
    different = [row for row in rows if not row["same"]]
    if as_json:
        show_json(rows)
    else:
        show_table(
            ("tag", "in history", f"in {sink}"),
            ((str(row["path"]), str(row["history"]), str(row["sink"])) for row in different),
        )
        total = sum(ours.values())
        out.print(
            f"{len(rows) - len(different)} of {len(rows)} tags are the same; {total} samples in history."
        )
    if different:
        err.print(f"Send what is missing: scada history forward {sink} --from '{start}' --to '{end}'")
        raise SystemExit(1)


def read(source: Client | Archive, name: str, tag: Tag, start_ns: int, end_ns: int, limit: int) -> Samples:
    """Samples of a tag as a sink has them.

    Args:
        source: Whose sinks.
        name: Of the sink.
        tag: Of the site.
        start_ns: UTC, ns.
        end_ns: UTC, ns.
        limit: At most so many.
    """
    with _reader(_named(_site(source), name)) as reader:
        return reader.raw(tag, start_ns, end_ns, limit)


@contextlib.contextmanager
def _reader(sink: Sink) -> Iterator[SinkReader]:
    from historian.sinks.reading import RefusedError, SinkReader  # noqa: PLC0415 - heavy

    try:
        with contextlib.closing(SinkReader(sink)) as reader:
            yield reader
    except (RefusedError, ValueError) as error:
        raise failed(f"{sink.name}: {error}") from None


def _site(source: Client | Archive) -> Site:
    try:
        return model.load(source.data.site_json.read_bytes())
    except (OSError, ValueError):
        raise failed(
            "Which sinks there are is known while the plant runs, and until this machine is started anew."
        ) from None


def _named(site: Site, name: str) -> Sink:
    for sink in site.sinks:
        if sink.name == name:
            return sink
    there = ", ".join(sink.name for sink in site.sinks) or "none"
    raise failed(f"There is no sink {name}. The site has: {there}.", USAGE)


@contextlib.contextmanager
def _desk(data: Path | None) -> Iterator[tuple[Client | Archive, State]]:
    from historian.sinks.state import State  # noqa: PLC0415 - heavy

    try:
        source, _, _ = past(data)
        with contextlib.closing(State.writer(source.data.history)) as desk:
            yield source, desk
    except StoreError as error:
        raise failed(str(error)) from None
