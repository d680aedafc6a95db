"""`replay`: recordings of control, repeated to the bit, looked into, tried on a changed site, or made into a test."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scada.cli.options import AsJson, Data, parse_time, usual_plant
from scada.cli.render import FAILED, OK, USAGE, err, failed, local_text, out, plain, show_json
from tags import quality

if TYPE_CHECKING:
    from historian.recorded import Recording
    from scada.scan.inspect import Seen
    from scada.scan.record import Item
    from scada.scan.replay import Replay, Step

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="A recording, a folder of them or a data directory; the plant's, if left out."
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME|SCAN", help="First scan to tell of; -2h, 2026-11-22 13:00."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME|SCAN", help="Last scan.")]
StopAt = Annotated[
    str | None, typer.Option("--stop-at", metavar="TIME|SCAN", help="Stop after this scan and look at it.")
]
Blocks = Annotated[
    list[str] | None,
    typer.Option("--block", metavar="PATH", help="Print what this block or tag was; may be given again."),
]
Against = Annotated[
    Path | None,
    typer.Option(
        "--against", metavar="SITE", help="What if: every output that this site would have made different."
    ),
]
ToTest = Annotated[
    Path | None,
    typer.Option(
        "--to-test", metavar="YAML", help="Write the stretch as a plant test: SITE/tests/incident-1.yaml."
    ),
]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Go on after a scan that came out otherwise, and count them.")
]


@dataclass(frozen=True, slots=True)
class Range:
    """What somebody asked for: by time (ns UTC) or by number of the scan.

    Attributes:
        since_ns: Not before this.
        until_ns: Not after this.
        first: Not before this scan.
        last: Not after this scan.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    first: int | None = None
    last: int | None = None

    def begun(self, number: int, utc_ns: int) -> bool:
        """A scan is not before it."""
        return number >= (self.first or 0) and utc_ns >= (self.since_ns or 0)

    def over(self, number: int, utc_ns: int) -> bool:
        """A scan is after it."""
        return (self.last is not None and number > self.last) or (
            self.until_ns is not None and utc_ns > self.until_ns
        )

    def items(self, recording: Recording) -> Iterator[Item]:
        """Of a recording, from its last checkpoint before it."""
        return recording.items(self.since_ns, self.until_ns)


def replay(
    file: File = None,
    since: From = None,
    until: Until = None,
    stop_at: StopAt = None,
    block: Blocks = None,
    against: Against = None,
    to_test: ToTest = None,
    keep_going: KeepGoing = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Repeats what control did, from its recording: the same outputs to the bit, or the first scan and tag that differ.

    Exit codes: 0 all came out as it was, 1 something did not, or the recording cannot be read, 2 usage.
    """
    from historian.recorded import RecordingError, recordings  # noqa: PLC0415 - other verbs start faster without
    from scada.scan.record import RecordError  # noqa: PLC0415
    from scada.scan.replay import ReplayError  # noqa: PLC0415

    if sum((stop_at is not None, against is not None, to_test is not None)) > 1:
        raise failed("--stop-at, --against and --to-test are three questions. Ask one.", USAGE)
    if block and stop_at is None:
        raise failed("--block needs --stop-at: the scan after which to look.", USAGE)
    path = file or data or usual_plant()
    try:
        found = recordings(path)
        zone = found[-1].site.timezone
        if stop_at is not None:
            number, utc_ns = _place(stop_at, zone)
            sys.exit(_stop(found, number, utc_ns, block or [], as_json))
        wanted = _range(since, until, zone)
        if against is not None:
            from scada.cli import replay_against  # noqa: PLC0415

            sys.exit(replay_against.show(found, wanted, against, as_json=as_json))
        if to_test is not None:
            from scada.cli import replay_test  # noqa: PLC0415

            sys.exit(replay_test.write(found, wanted, to_test))
        sys.exit(_repeat(found, wanted, keep_going=keep_going, as_json=as_json))
    except FileNotFoundError:
        raise failed(f"{path}: there is no such file or folder.")
    except (RecordingError, RecordError, ReplayError) as error:
        raise failed(str(error))


def _place(text: str, zone: str) -> tuple[int | None, int | None]:
    """A scan's number, or a time."""
    words = text.strip().removeprefix("#")
    if words.isdecimal():
        return int(words), None
    return None, parse_time(text, time.time_ns(), zone)


def _range(since: str | None, until: str | None, zone: str) -> Range:
    first, since_ns = (None, None) if since is None else _place(since, zone)
    last, until_ns = (None, None) if until is None else _place(until, zone)
    return Range(since_ns, until_ns, first, last)


# ---- repeat ---------------------------------------------------------------------------------------------------------


def _repeat(found: list[Recording], wanted: Range, *, keep_going: bool, as_json: bool) -> int:
    from scada.scan.replay import DiffersError, Replay  # noqa: PLC0415

    told: list[dict[str, Any]] = []
    for recording in found:
        began = time.perf_counter()
        replay = Replay(recording.program, strict=False)
        first = last = None
        scans = requests = early = 0
        differs: DiffersError | None = None
        try:
            for done in replay.run(_watched(wanted, recording, replay, strict=not keep_going)):
                tick = done.scan.tick
                if wanted.over(tick.number, tick.utc_ns):
                    break
                if wanted.begun(tick.number, tick.utc_ns):
                    first, last = (tick if first is None else first), tick
                    scans, requests = scans + 1, requests + len(done.scan.requests)
                else:
                    early = replay.differing  # on the way to what was asked for
        except DiffersError as error:
            differs = error
        if first is None and differs is None and (replay.scans or not replay.skipped):
            continue  # all of it is at another time
        told.append(
            {
                "site": recording.site.name,
                "digest": recording.site.digest,
                "from": first.utc_ns if first else None,
                "until": last.utc_ns if last else None,
                "scans": scans,
                "requests": requests,
                "checked": replay.checked,
                "differing": replay.differing - early,
                "differing_before": early,
                "skipped": replay.skipped,
                "gaps": replay.gaps,
                "damaged": recording.damaged,
                "seconds": round(time.perf_counter() - began, 3),
                "differs": None
                if differs is None
                else {
                    "scan": differs.number,
                    "time": differs.utc_ns,
                    "said": str(differs),
                    "places": [asdict(place) for place in differs.places],
                },
            }
        )
        if not as_json:
            _say(told[-1], recording)
    if as_json:
        show_json(told)
    if not told:
        raise failed("There is no scan in that time.")
    return FAILED if any(one["differing"] or not one["scans"] for one in told) else OK


def _watched(wanted: Range, recording: Recording, replay: Replay, *, strict: bool) -> Iterator[Item]:
    """What leads to the time that was asked for may come out otherwise: another version may have run then."""
    from scada.scan.record import Scan  # noqa: PLC0415

    for item in wanted.items(recording):
        if isinstance(item, Scan) and wanted.begun(item.tick.number, item.tick.utc_ns):
            replay.strict = strict
        yield item


def many(count: int, what: str) -> str:
    """`1 scan`, `2,000 scans`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _say(one: dict[str, Any], recording: Recording) -> None:
    zone = recording.site.timezone
    period = recording.site.scan_ns / 1e6
    if one["from"] is None:
        out.print(f"{one['site']}: no scan can be repeated.", markup=False)
    else:
        out.print(
            f"{one['site']}, {local_text(one['from'], zone)} to {local_text(one['until'], zone)}: "
            f"{many(one['scans'], 'scan')} of {period:g} ms, {many(one['requests'], 'request')}, "
            f"repeated in {one['seconds']:.1f} s.",
            markup=False,
        )
    for key, text in (
        ("gaps", "places where scans are missing"),
        ("skipped", "scans with no checkpoint before them, which cannot be repeated"),
        ("damaged", "places where the file is damaged"),
    ):
        if one[key]:
            out.print(f"  {one[key]:,} {text}.", markup=False)
    if one["differing_before"]:
        early = many(one["differing_before"], "scan")
        out.print(f"  {early} before that came out otherwise already; without --from they are named.")
    differs = one["differs"]
    if differs is not None:
        err.print(f"{_when(differs['time'], zone)}: {plain(differs['said'])}", style="red", markup=False)
        for place in differs["places"]:
            was = f", was {place['was']}" if place["was"] is not None else ""
            err.print(plain(f"  {place['path']}: now {place['now']}{was}"), markup=False)
        err.print(f"Look at it with: --stop-at {differs['scan']} --block PATH", markup=False)
    elif one["differing"]:
        err.print(f"{many(one['differing'], 'scan')} came out otherwise.", style="red", markup=False)
    elif one["scans"]:
        out.print(f"All outputs as they were, to the bit; {one['checked']:,} checks of everything agreed.")


def _when(utc_ns: int, zone: str) -> str:
    return f"{local_text(utc_ns, zone)}.{utc_ns // 1_000_000 % 1000:03d}"


# ---- stop and look --------------------------------------------------------------------------------------------------


def _stop(
    found: list[Recording], number: int | None, utc_ns: int | None, paths: list[str], as_json: bool
) -> int:
    from scada.scan.replay import Replay  # noqa: PLC0415

    for recording in found:
        replay = Replay(recording.program, strict=False)
        for done in replay.run(recording.items(utc_ns)):
            tick = done.scan.tick
            if (number is not None and tick.number == number) or (
                utc_ns is not None and tick.utc_ns >= utc_ns
            ):
                _show(recording, replay, done, paths, as_json=as_json)
                return FAILED if replay.differing else OK
    raise failed("The recording has no such scan, or none that can be repeated up to it.")


def _show(recording: Recording, replay: Replay, done: Step, paths: list[str], *, as_json: bool) -> None:
    from scada.scan import inspect  # noqa: PLC0415

    program, state, tick = replay.program, replay.state, done.scan.tick
    assert state is not None
    zone = recording.site.timezone
    blocks = {block.path.lower(): block.path for block in program.site.blocks}
    tags = {path.lower(): path for path in program.index}
    document: dict[str, Any] = {
        "scan": tick.number,
        "time": tick.utc_ns,
        "periods": tick.periods,
        "requests": [request.to_json() for request in done.scan.requests],
        "events": done.events,
        "blocks": [],
        "tags": [],
    }
    for path in paths:
        if path.lower() in blocks:
            view = inspect.block(program, state, blocks[path.lower()])
            document["blocks"].append(asdict(view))
        elif path.lower() in tags:
            document["tags"].append(asdict(inspect.seen(program, state, tags[path.lower()])))
        else:
            import difflib  # noqa: PLC0415 - only on the way out

            close = difflib.get_close_matches(path.lower(), [*blocks, *tags], n=3)
            names = [blocks.get(one) or tags[one] for one in close]
            hint = f" Did you mean {' or '.join(names)}?" if names else ""
            raise failed(f"The site of this recording has no block or tag {path}.{hint}", USAGE)
    if as_json:
        show_json(document)
        return
    out.print(f"After scan {tick.number}, {_when(tick.utc_ns, zone)}", markup=False)
    for request in document["requests"]:
        items = ", ".join(f"{path} = {value}" for path, value in request["items"])
        out.print(
            plain(f"  request: {request['kind']} {items} by {request['user'] or request['source']}"),
            markup=False,
        )
    for event in done.events:
        words = " ".join(
            str(event[key]) for key in ("path", "status", "message", "reasons", "action") if event.get(key)
        )
        out.print(plain(f"  event: {event['kind']} {words}"), markup=False)
    for path in paths:
        if path.lower() in blocks:
            _show_block(inspect.block(program, state, blocks[path.lower()]))
        else:
            out.print(_line(inspect.seen(program, state, tags[path.lower()])), markup=False)
    if not paths:
        out.print("Name a block or a tag to look at with --block.")


def _show_block(view: Any) -> None:
    out.print(
        f"{view.path} ({view.type})" + (f", stopped: {view.failed}" if view.failed else ""), markup=False
    )
    for title, rows in (("inputs", view.inputs), ("points", view.points)):
        if rows:
            out.print(f"  {title}", markup=False)
        for row in rows:
            out.print(f"    {_line(row)}", markup=False)
    if view.outputs:
        out.print("  outputs", markup=False)
    for one in view.outputs:
        why = f" ({one.why})" if one.why else ""
        driven = "" if one.driven else ", not driven"
        out.print(
            plain(f"    {one.path}: wanted {one.wanted}, command {one.applied}{why}{driven}"), markup=False
        )
    if view.state:
        out.print("  state", markup=False)
    for key, value in view.state.items():
        text = str(value)
        out.print(
            plain(f"    {key.lstrip('_')} = {text if len(text) < 120 else text[:120] + '…'}"), markup=False
        )


def _line(seen: Seen) -> str:
    name = quality.name(seen.status)
    return plain(f"{seen.path} = {seen.value}" + ("" if name == "Good" else f"  {name}"))


def add_to(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(replay)
