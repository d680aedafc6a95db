"""`doctor`: what this machine grants to a control program, and which scan periods it allows."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scada.cli.options import AsJson, Data
from scada.cli.render import BAD_SITE, FAILED, failed, out, plain, show_json, show_table
from scada.datadir import default_data

if TYPE_CHECKING:
    from scada.control.latency import Lateness
    from scada.control.machine import Check
    from tags.model import Site

_SHM = Path("/dev/shm")  # noqa: S108 - looked at, not written


def doctor(
    site: Annotated[
        Path | None, typer.Argument(metavar="[SITE]", help="Folder with site.yaml, whose periods are judged.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.2, max=86_400.0, help="How long lateness is measured.")
    ] = 10.0,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """What this machine grants to control, how late a scan would start on it, and which periods that allows.

    Exit code 1: a period of the site cannot be kept here.
    """
    from scada.control import machine  # noqa: PLC0415 - other verbs start faster without
    from scada.control.latency import Measurement  # noqa: PLC0415
    from tags.model import Realtime  # noqa: PLC0415

    compiled = None if site is None else _read(site)
    wish = compiled.realtime if compiled is not None else Realtime()
    me = os.getpid()
    before = machine.steal_ticks()
    running = [
        Measurement(seconds, priority=max(1, wish.priority - 1), cpu=wish.cpu, parent=me),
        Measurement(seconds, priority=0, cpu=wish.cpu, parent=me),
    ]
    try:
        if not as_json:
            out.print(f"Measuring for {seconds:g} s …", style="dim")
        real, ordinary = (one.result() for one in running)
    except ValueError as error:
        raise failed(f"The measurement failed: {error}")
    finally:
        for one in running:
            one.close()
    checks = [
        *machine.granted(real, wish.cpu),
        *machine.facts(cpu=wish.cpu),
        machine.steal(before, machine.steal_ticks()),
        machine.clock_synchronised(),
        *machine.storage(_SHM, _there(data or default_data(compiled.name if compiled else "demo"))),
    ]
    counts = real if real.fifo else ordinary
    periods = _periods(compiled, counts)
    if as_json:
        show_json(
            {
                "checks": [dataclasses.asdict(check) for check in checks],
                "realtime": dataclasses.asdict(real) if real.fifo else None,
                "plain": dataclasses.asdict(ordinary),
                "shortest_ms": None if (ns := machine.shortest(counts)) is None else ns / 1e6,
                "tasks": periods,
            }
        )
    else:
        _show(checks, real, ordinary, machine.shortest(counts), periods)
    if not all(task["fits"] for task in periods):
        raise SystemExit(FAILED)


def _read(folder: Path) -> Site:
    from tags.site import SiteError, read_site  # noqa: PLC0415

    try:
        return read_site(folder)
    except SiteError as error:
        raise failed("\n".join(str(problem) for problem in error.problems), BAD_SITE)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))


def _periods(site: Site | None, lateness: Lateness) -> list[dict[str, Any]]:
    from scada.control import machine  # noqa: PLC0415

    return [
        {
            "task": task.name,
            "period_ms": task.period_ns / 1e6,
            "fits": machine.fits(lateness, task.period_ns),
        }
        for task in (() if site is None else site.tasks)
    ]


def _show(
    checks: list[Check],
    real: Lateness,
    ordinary: Lateness,
    shortest_ns: int | None,
    periods: list[dict[str, Any]],
) -> None:
    marks = {True: "ok", False: "!", None: ""}
    show_table(("", "what", "found"), [(marks[check.ok], check.name, check.found) for check in checks])
    out.print()
    rows = [_row("real-time priority", real)] if real.fifo else []
    rows.append(_row("plain scheduling", ordinary))
    show_table(("lateness of a wake-up, ms", "half below", "99 %", "99.9 %", "largest", "of"), rows)
    out.print()
    for check in checks:
        if check.ok is False and check.advice:
            out.print(plain(f"{check.name}: {check.advice}"), markup=False)
    way = "" if real.fifo else ", without real-time priority"
    if shortest_ns is None:
        out.print(f"No scan period up to 10 s can be kept on this machine{way}.", style="red")
    else:
        out.print(
            f"As measured, scan periods of {shortest_ns / 1e6:g} ms and longer can be kept on this machine{way}."
        )
    out.print(
        "10 ms is the shortest that is promised; 1 ms is not, on no machine. What must be faster belongs in the PLC."
    )
    for task in periods:
        verdict = "can be kept" if task["fits"] else "cannot be kept: write a longer period, or see above"
        out.print(plain(f"task {task['task']}, {task['period_ms']:g} ms: {verdict}"), markup=False)


def _row(name: str, found: Lateness) -> tuple[str, ...]:
    figures = (f"{ns / 1e6:.3f}" for ns in (found.p50, found.p99, found.p999, found.max))
    return (name, *figures, str(found.count))


def add_to(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(doctor)
