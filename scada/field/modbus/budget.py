"""What the plan of devices costs in time, and whether the periods that are asked can be kept: pure.

A link carries one request after the other, so what counts is the share of the time of the link that all groups of all its
devices take together. `scada check` shows it as a table, refuses what cannot be, and says where little room is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scada.field.modbus import cost, plan
from scada.field.modbus.address import Address
from scada.field.modbus.config import Config
from tags.model import Device, Tag

DEFAULT_PERIOD_NS: Final = 1_000_000_000
LITTLE_ROOM: Final = 0.8
HEARTBEAT: Final = "heartbeat"


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of one device again and again.

    Attributes:
        device: Name.
        link: Endpoint; devices with the same one share it.
        group: The period as people write it, or `heartbeat`.
        period_ns: Of the group.
        tags: That it reads.
        requests: That it takes.
        time_ns: That they take on the link.
    """

    device: str
    link: str
    group: str
    period_ns: int
    tags: int
    requests: int
    time_ns: int

    @property
    def share(self) -> float:
        """Of the time of the link."""
        return self.time_ns / self.period_ns

    @property
    def sum(self) -> str:
        """As in 100 requests of 12 ms = 1.2 s."""
        many = f"{self.requests} request{'s' if self.requests != 1 else ''}"
        each = time_text(self.time_ns // max(1, self.requests))
        return f"{many} × {each} = {time_text(self.time_ns)}"  # noqa: RUF001 - it is a product


@dataclass(frozen=True, slots=True)
class Budget:
    """The loads of devices and what follows from them.

    Attributes:
        loads: By device, the fastest group first.
        problems: (device, what cannot be kept and what to do).
        notes: (device, where little room is left).
    """

    loads: tuple[Load, ...]
    problems: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]


def budget(devices: Sequence[tuple[Device, Config, Sequence[Tag]]]) -> Budget:
    """The budget of devices.

    Args:
        devices: Each with its settings and its tags, addresses parsed.
    """
    settings = {device.name: config for device, config, _ in devices}
    loads = [load for device, config, tags in devices for load in _loads(device, config, tags)]
    problems: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    links: dict[str, list[Load]] = {}
    for load in loads:
        links.setdefault(load.link, []).append(load)
    for mine in links.values():
        share = sum(load.share for load in mine)
        most = max(mine, key=lambda load: load.share)
        if share > 1.0:
            problems.append((most.device, _too_much(mine, most, share, settings[most.device])))
        elif share > LITTLE_ROOM:
            text = f"{_takes(mine)} {share:.0%} of the time of {most.link}: little is left for an answer that comes late"
            notes.append((most.device, text))
    return Budget(tuple(loads), tuple(problems), tuple(notes))


def _loads(device: Device, config: Config, tags: Sequence[Tag]) -> list[Load]:
    placed = [tag for tag in tags if tag.address is not None]
    addresses = [Address.of(tag.address or {}) for tag in placed]
    periods = [tag.scan_ns or DEFAULT_PERIOD_NS for tag in placed]
    link = str(config.at)
    loads = [
        Load(
            device.name,
            link,
            time_text(group.period_ns),
            group.period_ns,
            sum(len(request.members) for request in group.requests),
            len(group.requests),
            cost.requests_ns(config, group.requests),
        )
        for group in plan.plan(addresses, periods, config)
    ]
    if device.heartbeat is not None:  # is read back, then written
        time_ns = 2 * cost.request_ns(config, 2)
        loads.append(Load(device.name, link, HEARTBEAT, int(device.heartbeat["every_ns"]), 0, 2, time_ns))
    return loads


def _too_much(loads: Sequence[Load], most: Load, share: float, config: Config) -> str:
    if most.share > 1.0:
        what = f"{_label(most)}: {most.sum} > {time_text(most.period_ns)}"
    else:
        several = len({load.device for load in loads}) > 1
        parts = "; ".join(
            f"{load.device if several else ''} {_label(load)}: {load.sum}, {load.share:.0%}".lstrip()
            for load in sorted(loads, key=lambda load: -load.share)[:3]
        )
        rest = f" and {len(loads) - 3} more" if len(loads) > 3 else ""
        what = f"{_takes(loads)} {share:.0%} of the time of {most.link} ({parts}{rest})"
    said = "turnaround" in config.model_fields_set
    why = (
        ""
        if said
        else f" {config.turnaround} for an answer is assumed: if it is faster, say so by turnaround:."
    )
    return f"{what}. Use a longer scan:, or put the tags closer together.{why}"


def _label(load: Load) -> str:
    return load.group if load.group == HEARTBEAT else f"scan {load.group}"


def _takes(loads: Sequence[Load]) -> str:
    count = len({load.device for load in loads})
    return "it takes" if count == 1 else f"{count} devices together take"


def time_text(ns: int) -> str:
    """A time as people write it: `12 ms`, `1.2 s`, `1 h`."""
    for unit, size in (("h", 3_600_000_000_000), ("min", 60_000_000_000)):
        if ns >= size and ns % size == 0:
            return f"{ns // size} {unit}"
    return f"{ns / 1e9:.4g} s" if ns >= 1_000_000_000 else f"{ns / 1e6:.3g} ms"
