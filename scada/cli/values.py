"""`status`, `read`, `watch`, `write`, `force`: what the plant is doing, and asking it for something else."""

from __future__ import annotations

import sys
import threading
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from scada.cli import options
from scada.cli.options import AsJson, Data, Reason, connect, known
from scada.cli.render import (
    OK,
    REJECTED,
    USAGE,
    age_text,
    failed,
    local_text,
    out,
    plain,
    quality_text,
    sample_json,
    show_json,
    show_table,
    utc_text,
    value_text,
)
from scada.client import Client, Outcome
from tags.model import ALARM, COMMAND, SYSTEM

WATCH_PERIOD_S: Final = 0.2
SLOW: Final = 2  # of the states of a device
_CONNECTED: Final = {True: "yes", False: "NO", None: "—"}
_ARMED: Final = {True: "armed", False: "not armed", None: "—"}
_UNUSUAL: Final = frozenset({SYSTEM, ALARM, COMMAND})


def status(data: Data = None, as_json: AsJson = False) -> None:
    """Services, devices, alarms and forces at a glance."""
    plant = connect(data, role="viewer")
    services = plant.services()
    alarms = plant.alarms()
    devices, tasks = _devices(plant), _tasks(plant)
    forces, bypasses = plant.forces(), plant.bypasses()
    if as_json:
        show_json(
            {
                "site": plant.site.name,
                "services": [
                    {
                        "name": s.name,
                        "state": s.state,
                        "heartbeat_age_s": s.heartbeat_age_s,
                        "memory_mb": s.memory,
                    }
                    for s in services
                ],
                "devices": devices,
                "tasks": tasks,
                "alarms": len(alarms),
                "unacknowledged": sum(alarm.unacknowledged for alarm in alarms),
                "forces": [
                    {
                        "path": f.path,
                        "value": f.value,
                        "until": utc_text(f.expires_utc_ns) if f.expires_utc_ns else None,
                        "user": f.user,
                    }
                    for f in forces
                ],
                "bypasses": [
                    {"path": b.path, "until": utc_text(b.until_ns), "user": b.user, "reason": b.reason}
                    for b in bypasses
                ],
            }
        )
        return
    out.print(f"[bold]{plant.site.name}[/bold]  OPC UA {plant.site.opcua_endpoint}  HMI http://{_hmi(plant)}")
    show_table(
        ("service", "state", "memory"),
        ((s.name, s.state, f"{s.memory:.0f} MB" if s.memory else "—") for s in services),
    )
    out.print()
    show_table(
        ("device", "connected", "outputs", "period asked", "achieved", "p99"),
        (
            (
                device["name"],
                _CONNECTED[device["connected"]] if device["state"] != SLOW else "slow",
                _ARMED[device["armed"]] if device["outputs"] else "none",
                f"{device['period_asked']:.3g} s" if device["period_asked"] is not None else "—",
                f"{device['period_achieved']:.3g} s" if device["period_achieved"] else "—",
                f"{device['latency_p99']:.1f} ms" if device["latency_p99"] is not None else "—",
            )
            for device in devices
        ),
    )
    for device in devices:
        if device["reason"]:
            out.print(f"  {device['name']}: {plain(device['reason'])}", markup=False)
    if tasks:
        out.print()
        show_table(
            ("task", "period", "latest start", "longest run", "left out"),
            (
                (
                    str(task["name"]),
                    f"{task['period_ms']:g} ms",
                    f"{task['lateness_max']:.2f} ms" if task["lateness_max"] is not None else "—",
                    f"{task['execution_max']:.2f} ms" if task["execution_max"] is not None else "—",
                    str(task["overruns"]) if task["overruns"] is not None else "—",
                )
                for task in tasks
            ),
        )
    open_alarms = sum(alarm.unacknowledged for alarm in alarms)
    out.print(
        f"\nalarms: {len(alarms)} standing, {open_alarms} to acknowledge   forces: {len(forces)}   bypasses: {len(bypasses)}"
    )
    for held in forces:
        until = (
            f", until {local_text(held.expires_utc_ns, plant.site.timezone)}" if held.expires_utc_ns else ""
        )
        what = (
            f"{held.path} = {value_text(plant.tags[held.path], held.value)}{until} {held.user} {held.reason}"
        )
        out.print(f"  forced: {plain(what)}", markup=False)
    for off in bypasses:
        what = f"{off.path}, until {local_text(off.until_ns, plant.site.timezone)} {off.user} {off.reason}"
        out.print(f"  bypassed: {plain(what)}", markup=False)


def _hmi(plant: Client) -> str:
    return f"{plant.site.hmi_host}:{plant.site.hmi_port}"


def _devices(plant: Client) -> list[dict[str, Any]]:
    plant.refresh()
    reasons = plant.why_not_connected()
    written = {tag.device for tag in plant.site.tags if tag.owner is not None}
    rows: list[dict[str, Any]] = []
    for device in plant.site.devices:
        row: dict[str, Any] = {"name": device.name}
        for key in (
            "connected",
            "state",
            "armed",
            "period_asked",
            "period_achieved",
            "latency_p99",
            "errors",
        ):
            path = f"system/{device.name}/{key}"
            sample = plant.read(path) if path in plant.tags else None
            row[key] = sample.value if sample is not None and sample.good else None
        row["outputs"] = device.name in written
        row["reason"] = reasons.get(device.name, "") if row["connected"] is False else ""
        rows.append(row)
    return rows


def _tasks(plant: Client) -> list[dict[str, Any]]:
    """The tasks of control; of the last second, and left out since its start."""
    rows: list[dict[str, Any]] = []
    for task in plant.site.tasks:
        row: dict[str, Any] = {"name": task.name, "period_ms": task.period_ns / 1e6}
        for key in ("lateness_max", "execution_max", "overruns"):
            path = f"system/control/tasks/{task.name}/{key}"
            sample = plant.read(path) if path in plant.tags else None
            row[key] = sample.value if sample is not None and sample.good else None
        rows.append(row)
    return rows


def read(
    tags: Annotated[
        list[str] | None,
        typer.Argument(metavar="TAG…", help="Tag paths; none for all but alarms, commands and health."),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """The present values of tags."""
    plant = connect(data, role="viewer")
    plant.refresh()
    usual = sorted((t for t in plant.site.tags if t.kind not in _UNUSUAL), key=lambda t: t.path)
    chosen = [known(plant.tags, path) for path in tags] if tags else usual
    samples = [plant.read(tag.path) for tag in chosen]
    if as_json:
        show_json([sample_json(tag, sample) for tag, sample in zip(chosen, samples, strict=True)])
        return
    show_table(
        ("tag", "value", "quality", "age", "description"),
        (
            (
                tag.path,
                value_text(tag, sample.value),
                quality_text(sample.status),
                age_text(sample.age_s),
                tag.description,
            )
            for tag, sample in zip(chosen, samples, strict=True)
        ),
    )


def watch(tags: Annotated[list[str], typer.Argument(metavar="TAG…")], data: Data = None) -> None:
    """Prints a line whenever a value or its quality changes; Ctrl-C ends it."""
    plant = connect(data, role="viewer")
    chosen = [known(plant.tags, path) for path in tags]
    last: dict[str, tuple[Any, int]] = {}
    pause = threading.Event()
    width = max(len(tag.path) for tag in chosen)
    try:
        while True:
            plant.refresh()
            for tag in chosen:
                sample = plant.read(tag.path)
                if last.get(tag.path) != (sample.value, sample.status):
                    last[tag.path] = (sample.value, sample.status)
                    when = local_text(sample.source_ns, plant.site.timezone) if sample.source_ns else "—"
                    value = plain(value_text(tag, sample.value))
                    out.print(
                        Text.assemble(
                            f"{when}  {tag.path:{width}}  {value:>14}  ", quality_text(sample.status)
                        )
                    )
            sys.stdout.flush()
            pause.wait(WATCH_PERIOD_S)
    except KeyboardInterrupt:
        return


def write(
    tag: str,
    value: str,
    data: Data = None,
    reason: Reason = "",
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to wait for the outcome.")
    ] = "5 s",
) -> None:
    """Asks for a new value and says what became of it."""
    plant = connect(data)
    target = known(plant.tags, tag)
    wanted = options.parse_value(target, value)
    outcome = plant.request(
        "write", [(target.path, wanted)], reason=reason, deadline_s=options.parse_duration(timeout)
    )
    _tell(f"{target.path} = {value_text(target, wanted)}", outcome)


def force(
    tag: str,
    value: Annotated[str | None, typer.Argument(help="The value; left out with --release.")] = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Ends by itself after, e.g. 30m.")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="Ends a force now.")] = False,
    data: Data = None,
    reason: Reason = "",
) -> None:
    """Replaces a value by hand for a time: marked GoodLocalOverride, listed, alarmed, expiring."""
    plant = connect(data)
    target = known(plant.tags, tag)
    if release:
        outcome = plant.request("unforce", [(target.path, None)], reason=reason)
        _tell(f"{target.path} is no longer forced", outcome)
        return
    if value is None or duration is None:
        raise failed("A force needs a value and an end: scada force TAG VALUE --for 30m", USAGE)
    wanted = options.parse_value(target, value)
    outcome = plant.request(
        "force", [(target.path, wanted)], reason=reason, for_s=options.parse_duration(duration)
    )
    _tell(f"{target.path} forced to {value_text(target, wanted)} for {duration}", outcome)


def _tell(what: str, outcome: Outcome) -> None:
    if outcome.status == "confirmed":
        out.print(f"{plain(what)}: confirmed", markup=False)
        raise typer.Exit(OK)
    reasons = "; ".join(outcome.reasons)
    raise failed(f"{what}: {outcome.status}{'. ' + reasons if reasons else ''}", REJECTED)


def add_to(app: typer.Typer) -> None:
    """Registers the verbs."""
    app.command()(status)
    app.command()(read)
    app.command()(watch)
    signed = {"ignore_unknown_options": True}  # `-5` is a value, not an option
    app.command(context_settings=signed)(write)
    app.command(context_settings=signed)(force)
