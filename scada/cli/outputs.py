"""`outputs arm|disarm|list`: nothing is written to a device before its outputs were armed on this host."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from scada import arming
from scada.cli.options import AsJson, Data, connect
from scada.cli.render import failed, local_text, out, plain, show_json, show_table
from scada.client import Client
from scada.clock import SystemClock
from tags import model

app = typer.Typer(no_args_is_help=True, help="Arm and disarm the outputs of devices.")
Device = Annotated[str, typer.Argument(metavar="DEVICE")]


@app.command()
def arm(
    device: Device,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in history.")],
    data: Data = None,
) -> None:
    """Lets Closedloop write to a device from now on, also after a restart."""
    plant = connect(data)
    known = _known_device(plant, device)
    arming.arm(plant.data.armed, known, reason=reason, user=getpass.getuser(), utc_ns=SystemClock().utc_ns())
    out.print(f"{device}: outputs armed. Commands start from what the device holds now.")


@app.command()
def disarm(
    device: Device,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in history.")],
    data: Data = None,
) -> None:
    """Stops all writing to a device; control goes on in shadow."""
    plant = connect(data)
    _known_device(plant, device)
    arming.disarm(
        plant.data.armed, device, reason=reason, user=getpass.getuser(), utc_ns=SystemClock().utc_ns()
    )
    out.print(f"{device}: outputs disarmed. {plain(reason)}", markup=False)


@app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """Which devices may be written to, since when and why."""
    plant = connect(data, role="viewer")
    armed = arming.armed(plant.data.armed, plant.site.devices)
    outputs = {
        device.name: sum(1 for tag in plant.site.tags if tag.device == device.name and tag.owner)
        for device in plant.site.devices
    }
    if as_json:
        show_json(
            [{"device": name, "outputs": count, "armed": armed.get(name)} for name, count in outputs.items()]
        )
        return
    show_table(
        ("device", "outputs", "state", "since", "by", "reason"),
        (
            (
                name,
                str(count),
                "armed" if name in armed else "not armed",
                local_text(int(armed[name]["utc_ns"]), plant.site.timezone) if name in armed else "",
                str(armed[name]["user"]) if name in armed else "",
                str(armed[name]["reason"]) if name in armed else "",
            )
            for name, count in outputs.items()
        ),
    )


def _known_device(plant: Client, name: str) -> model.Device:
    for device in plant.site.devices:
        if device.name == name:
            return device
    raise failed(f"There is no device {name}. Devices: {', '.join(d.name for d in plant.site.devices)}.")
