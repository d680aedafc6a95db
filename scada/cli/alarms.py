"""`alarms list|ack`."""

from __future__ import annotations

from typing import Annotated

import typer

from scada.cli.options import AsJson, Data, Reason, connect
from scada.cli.render import REJECTED, USAGE, failed, local_text, out, show_json, show_table, utc_text

app = typer.Typer(no_args_is_help=True, help="List and acknowledge alarms.")


def state_text(bits: int) -> str:
    """ISA-18.2 state in words."""
    names = {8: "shelved", 16: "out of service", 4: "suppressed"}
    for bit, name in names.items():
        if bits & bit:
            return name
    return {0: "normal", 1: "acknowledged", 2: "returned, unacknowledged", 3: "UNACKNOWLEDGED"}[bits & 3]


@app.command("list")
def list_(
    data: Data = None,
    as_json: AsJson = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that are suppressed, shelved, out of service.")
    ] = False,
) -> None:
    """Alarms that stand or wait for acknowledgement, most urgent first."""
    plant = connect(data, role="viewer")
    shown = plant.alarms(hidden=every)
    if as_json:
        show_json(
            [
                {
                    "path": a.path,
                    "tag": a.tag,
                    "state": state_text(a.bits),
                    "active": a.active,
                    "unacknowledged": a.unacknowledged,
                    "priority": a.priority,
                    "message": a.message,
                    "response": a.response,
                    "value": a.value,
                    "since": utc_text(a.since_ns) if a.since_ns else None,
                }
                for a in shown
            ]
        )
        return
    if not shown:
        out.print("No alarms.")
        return
    show_table(
        ("priority", "state", "alarm", "since", "message", "response"),
        (
            (
                a.priority,
                state_text(a.bits),
                a.path,
                local_text(a.since_ns, plant.site.timezone) if a.since_ns else "—",
                a.message,
                a.response,
            )
            for a in shown
        ),
    )


@app.command()
def ack(
    alarms: Annotated[list[str] | None, typer.Argument(metavar="ALARM…")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every unacknowledged alarm.")] = False,
    data: Data = None,
    reason: Reason = "",
) -> None:
    """Acknowledges alarms."""
    plant = connect(data)
    waiting = [alarm.path for alarm in plant.alarms(hidden=True) if alarm.unacknowledged]
    paths = waiting if every else list(alarms or [])
    if not paths:
        if every:
            out.print("Nothing to acknowledge.")
            return
        raise failed("Name an alarm, or --all.", USAGE)
    known = {alarm.path for alarm in plant.site.alarms}
    if unknown := [path for path in paths if path not in known]:
        raise failed(f"There is no alarm {', '.join(unknown)}. `scada alarms list` shows those that stand.")
    outcome = plant.request("acknowledge", [(path, None) for path in paths], reason=reason)
    if outcome.status != "confirmed":
        raise failed(f"{outcome.status}. {'; '.join(outcome.reasons)}", REJECTED)
    out.print(f"acknowledged: {', '.join(paths)}")
