"""`replay --against`: a recording given to a changed site, and every output that would have been different."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scada.cli.render import BAD_SITE, FAILED, OK, err, failed, local_text, out, show_json, show_table
from scada.cli.replay import many

if TYPE_CHECKING:
    from historian.recorded import Recording
    from scada.cli.replay import Range
    from scada.scan import Program
    from scada.scan.rerun import Change

_SHOWN: Final = 40


def show(found: list[Recording], wanted: Range, against: Path, *, as_json: bool) -> int:
    """Runs it and tells.

    Returns:
        0 when nothing would have been different, else 1.
    """
    from scada.scan.rerun import Rerun  # noqa: PLC0415 - other verbs start faster without

    changed = _program(against)
    changes: list[Change] = []
    zone = changed.site.timezone
    scans = differing = 0
    unknown: list[str] = []
    first = last = None
    for recording in found:
        rerun = Rerun(changed, recording.program, wanted.items(recording))
        begun = None
        for tick, _, _ in rerun:
            if wanted.over(tick.number, tick.utc_ns):
                break
            if wanted.begun(tick.number, tick.utc_ns):
                scans += 1
                begun = tick.utc_ns if begun is None else begun
                last = tick.utc_ns
        if begun is not None:
            first = begun if first is None else first
            changes += [one for one in rerun.changes.all() if one.until_ns >= begun]
        unknown += [path for path in rerun.unknown if path not in unknown]
        differing += rerun.was.differing
    if not scans or first is None or last is None:
        raise failed("There is no scan in that time.")
    if as_json:
        show_json(
            {
                "from": first,
                "until": last,
                "scans": scans,
                "differing": differing,
                "unknown": unknown,
                "changes": [_json(one) for one in changes],
            }
        )
        return FAILED if changes else OK
    out.print(
        f"{scans:,} scans, {local_text(first, zone)} to {local_text(last, zone)}, given to {against}.",
        markup=False,
    )
    if differing:
        err.print(
            f"Beware: {differing:,} scans came out otherwise already with the site that was recorded.",
            style="yellow",
            markup=False,
        )
    if unknown:
        names = ", ".join(unknown[:5]) + ("…" if len(unknown) > 5 else "")
        err.print(f"Not in the recording, so without a value: {names}", style="yellow", markup=False)
    if not changes:
        out.print("No output would have been different.")
        return OK
    _tables(changes, zone)
    return FAILED


def _tables(changes: list[Change], zone: str) -> None:
    by_path: dict[str, list[Change]] = defaultdict(list)
    for one in changes:
        by_path[one.path].append(one)
    out.print(
        f"{many(len(by_path), 'output')} would have been different. The plant in the recording did not answer to that: "
        "what comes after the first difference is what control would have asked, not what would have become."
    )
    show_table(
        ("output", "first", "times", "scans", "largest difference"),
        [
            (path, _time(rows[0].since_ns, zone), str(len(rows)), str(sum(one.scans for one in rows)),
             f"{max(one.largest for one in rows):g}")
            for path, rows in by_path.items()
        ],
    )  # fmt: skip
    out.print()
    show_table(
        ("from", "until", "output", "was", "would be", "largest difference"),
        [
            (_time(one.since_ns, zone), _time(one.until_ns, zone), one.path, _text(one.was), _text(one.would),
             f"{one.largest:g}")
            for one in changes[:_SHOWN]
        ],
    )  # fmt: skip
    if len(changes) > _SHOWN:
        out.print(f"… and {len(changes) - _SHOWN:,} more; --json has all of them.")


def _program(against: Path) -> Program:
    from scada.scan import build  # noqa: PLC0415
    from tags.site import SiteError, read_site  # noqa: PLC0415

    try:
        return build(read_site(against))
    except SiteError as error:
        for problem in error.problems:
            err.print(str(problem), markup=False)
        sys.exit(BAD_SITE)


def _text(command: tuple[Any, bool]) -> str:
    value, driven = command
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return shown if driven else f"{shown}, not driven"


def _time(utc_ns: int, zone: str) -> str:
    return f"{local_text(utc_ns, zone)}.{utc_ns // 1_000_000 % 1000:03d}"


def _json(one: Change) -> dict[str, Any]:
    return {
        "path": one.path,
        "from": one.since_ns,
        "until": one.until_ns,
        "scans": one.scans,
        "was": one.was[0],
        "was_driven": one.was[1],
        "would": one.would[0],
        "would_driven": one.would[1],
        "largest": one.largest,
    }
