"""The time that polling takes of each link, as `scada check` shows it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from scada.cli.render import out, show_table
from tags.model import DEVICE, Site, Tag
from tags.site.devices import installed

MOST: Final = 24  # lines; a larger plant shows its busiest


def loads_and_notes(site: Site) -> tuple[list[Any], list[str]]:
    """What its drivers say of a site: the loads of all groups, and where little room is left."""
    tags: dict[str, list[Tag]] = {}
    for tag in site.tags:
        if tag.kind == DEVICE and tag.device is not None:
            tags.setdefault(tag.device, []).append(tag)
    loads: list[Any] = []
    notes: list[str] = []
    drivers = installed()
    for name in sorted({device.driver for device in site.devices}):
        driver = drivers[name].load()
        if not hasattr(driver, "budget"):
            continue
        found = driver.budget(
            [
                (device, driver.Config.model_validate(device.config), tags.get(device.name, []))
                for device in site.devices
                if device.driver == name
            ]
        )
        loads += found.loads
        notes += [f"device {device}: {text}" for device, text in found.notes]
    return loads, notes


def as_dicts(loads: list[Any]) -> list[dict[str, Any]]:
    """For JSON."""
    return [{**asdict(load), "share": load.share} for load in loads]


def show(loads: list[Any]) -> None:
    """As a table, the busiest links first where there are many."""
    by_link: dict[str, float] = {}
    for load in loads:
        by_link[load.link] = by_link.get(load.link, 0.0) + load.share
    shown = (
        loads
        if len(loads) <= MOST
        else sorted(loads, key=lambda load: (-by_link[load.link], load.link))[:MOST]
    )
    show_table(
        ["Device", "Group", "Tags", "Requests", "Time", "Of its period", "Link", "Of the link's time"],
        [
            [
                load.device,
                load.group,
                str(load.tags),
                str(load.requests),
                f"{load.time_ns / 1e6:.1f} ms",
                f"{load.share:.1%}",
                load.link,
                f"{by_link[load.link]:.1%}",
            ]
            for load in shown
        ],
    )
    if len(shown) < len(loads):
        out.print(f"… and {len(loads) - len(shown)} more groups, less busy; scada check --json shows all.")
