"""A site with one output of each kind, and a device that a test plays: a dictionary of registers.

The device here is no protocol: it stands where the image of the field service stands, and acts on commands as
`scada.field.commands` does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from scada.blocks.base import Tick
from scada.requests import Request
from scada.scan import Inputs, Program, State, Writes, build, start, step
from scada.scan.program import ASK, HOLD, OWN, PULSE
from tags.model import Block, OnLoss, Scaling, Site, Tag, Write
from tags.quality import BAD_NO_COMMUNICATION, GOOD, is_good
from tests.support.site import make_site

SECOND = 1_000_000_000
START_NS = 1_750_000_000_000_000_000

LEVEL, VALVE, REMOTE = "tank1/LT-101", "tank1/LV-101/OUT", "tank1/LV-101/REM"
PUMP, SPEED, PANEL, DAMPER = "tank1/P-101/START", "tank1/SC-101/SPD", "ahu1/TIC-201/SP", "ahu1/FD-201/OUT"
ARMED, LOCK = "system/PLC1/armed", "tank1/HIGH-101"
SP, MODE = "tank1/LIC-101/SP", "tank1/LIC-101/MODE"

_POINT: dict[str, Any] = {"device": "PLC1", "kind": "device", "writer": "field", "scan_ns": SECOND // 10}
_OUT: dict[str, Any] = {**_POINT, "writable": True, "on_loss": OnLoss(action="hold")}


def plant_site(**overrides: Any) -> Site:
    """`make_site` with a speed (rate and limits, no block), a wall panel (shared), a damper (on/off) and an interlock."""
    site = make_site()
    more: list[dict[str, Any]] = [
        {**_OUT, "path": SPEED, "type": "float64", "range": (0.0, 100.0), "limits": (20.0, 80.0), "rate": 10.0,
         "owner": "scada", "write": Write(tolerance=0.5), "scaling": Scaling(gain=0.01), "command": f"{SPEED}/command"},
        {**_OUT, "path": PANEL, "type": "float64", "range": (0.0, 40.0), "limits": (15.0, 26.0), "owner": "shared",
         "write": Write(tolerance=0.05), "scaling": Scaling(gain=0.1), "command": f"{PANEL}/command"},
        {**_OUT, "path": DAMPER, "type": "bool", "owner": "scada", "write": Write(), "command": f"{DAMPER}/command"},
        {"path": f"{LOCK}/ACTIVE", "type": "bool", "kind": "block", "writer": "control", "writable": True},
        *({"path": f"{path}/command", "type": type_, "kind": "command", "writer": "control", "command": path}
          for path, type_ in ((SPEED, "float64"), (PANEL, "float64"), (DAMPER, "bool"))),
    ]  # fmt: skip
    tags = list(site.tags)
    for fields in more:
        row = sum(tag.writer == fields["writer"] for tag in tags)
        tags.append(Tag(**{"id": len(tags) + 1, "row": row, **fields}))
    lock = Block(path=LOCK, type="interlock", points={"ACTIVE": f"{LOCK}/ACTIVE"},
                 config={"target": VALVE, "when": f"{LEVEL} > 4.5 m", "value": 0.0, "reset": "auto",
                         "description": "Level very high"})  # fmt: skip
    site = dataclasses.replace(
        site, tags=tuple(sorted(tags, key=lambda tag: (tag.writer, tag.row))), blocks=(*site.blocks, lock)
    )
    return dataclasses.replace(site, **overrides)


SITE = plant_site()
PROGRAM = build(SITE)


class Plant:
    """Control's state and a device, scan by scan.

    Attributes:
        registers: Value of each device tag; change it to play the process or the panel.
        status: Of each device tag, Good if absent.
        linked: False: everything is BadNoCommunication, nothing is written.
        deaf: The device accepts writes and does not do them.
        every: Field takes up commands only in each so-manieth scan.
        result: What field answers to writes (0: done).
        writes: (scan, path, value) that reached the device.
        events: Of all scans.
    """

    def __init__(
        self,
        program: Program = PROGRAM,
        retained: Mapping[str, Any] | None = None,
        *,
        manual: bool = False,
        registers: Mapping[str, Any] | None = None,
        utc_ns: int = START_NS,
    ) -> None:
        self.program = program
        self.utc_ns = utc_ns
        self.state: State = start(program, retained, utc_ns=utc_ns, manual=manual)
        self.registers: dict[str, Any] = {
            LEVEL: 2.0, VALVE: 30.0, "tank1/LV-101/POS": 30.0, REMOTE: True, PUMP: False, SPEED: 50.0,
            "tank1/P-101/RUN": False, PANEL: 20.0, DAMPER: False, ARMED: True, "system/PLC1/connected": True,
            **(registers or {}),
        }  # fmt: skip
        self.status: dict[str, int] = {}
        self.linked, self.deaf, self.result, self.every = True, False, 0, 1
        self.writes: list[tuple[int, str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.given: list[tuple[Inputs, list[Request], Tick]] = []
        self.last = Writes([], [], [])
        self._versions: list[tuple[int, int]] = []
        self._version: dict[int, int] = {}
        self._published: dict[int, Any] = {}
        self._acted: dict[int, int] = {}
        self._count = 0

    def value(self, path: str) -> Any:
        """Of a tag that the program touches."""
        return self.state.signals.value[self.program.index[path]]

    def quality(self, path: str) -> int:
        """Status of a tag that the program touches."""
        return self.state.signals.status[self.program.index[path]]

    def command(self, path: str) -> Any:
        """The command of a writable tag when it is driven, else None."""
        output = self.state.outputs[self.program.output_of[path]]
        return self.value(f"{path}/command") if output.drive else None

    def scan(self, *requests: Request, scans: int = 1, periods: int = 1) -> list[dict[str, Any]]:
        """Runs scans; the requests come in the first one. Returns their events."""
        told: list[dict[str, Any]] = []
        waiting = list(requests)
        for _ in range(scans):
            self.utc_ns += periods * SECOND // 10
            tick = Tick(self.state.scans + 1, periods, SECOND // 10, self.utc_ns)
            inputs = self._inputs()
            self.given.append((inputs, waiting, tick))
            self.state, self.last, events = step(self.program, self.state, inputs, waiting, tick)
            waiting = []
            told += events
            self._publish(self.last)
            self._field()
        self.events += told
        return told

    def ask(
        self, kind: str, *items: tuple[str, Any], scans: int = 1, **more: Any
    ) -> list[tuple[str, list[str]]]:
        """One request; (status, reasons) of each of its events within so many scans."""
        self._count += 1
        fields: dict[str, Any] = {"source": "hmi", "user": "anna", "role": "engineer", "reason": "", **more}
        request = Request(**{"id": f"r{self._count}", "kind": kind, "items": items, **fields})
        return self.outcomes(self.scan(request, scans=scans), request.id)

    @staticmethod
    def outcomes(events: Sequence[dict[str, Any]], id_: str) -> list[tuple[str, list[str]]]:
        """(status, reasons) of a request's events."""
        return [(e["status"], e["reasons"]) for e in events if e["kind"] == "request" and e["id"] == id_]

    def _inputs(self) -> Inputs:
        samples = []
        for slot in range(self.program.own, len(self.program.slots)):
            path = self.program.slots[slot].path
            if path in self.registers:
                status = self.status.get(path, GOOD) if self.linked else BAD_NO_COMMUNICATION
                samples.append((slot, self.registers[path], status, self.utc_ns - 1000))
        return Inputs(samples, list(self._acted.items()), self._versions)

    def _publish(self, writes: Writes) -> None:
        """What the publisher does: a new version for a command that changed or is given again."""
        self._versions = []
        signals = self.state.signals
        for plan in self.program.outputs:
            if plan.way == OWN or plan.command not in {*writes.slots, *writes.flags, *writes.renew}:
                continue
            now = (signals.value[plan.command], signals.status[plan.command])
            if now != self._published.get(plan.row) or plan.command in writes.renew:
                self._count += 1
                self._version[plan.row] = (7 << 32) | self._count
            self._published[plan.row] = now
            self._versions.append((plan.row, self._version[plan.row]))

    def _field(self) -> None:
        if not self.linked or not self.registers[ARMED] or self.state.scans % self.every:
            return
        for plan in self.program.outputs:
            if plan.way == OWN or not self.state.drive[plan.command]:
                continue
            if not is_good(self.state.signals.status[plan.command]):
                continue  # held, and on_loss after its delay, which these tests do not reach
            version, path = self._version[plan.row], plan.tag.path
            command = self.state.signals.value[plan.command]
            acted = self._acted.get(plan.row, 0)
            if (plan.way == HOLD and command != self.registers[path]) or (
                plan.way in (ASK, PULSE) and acted != (version | self.result << 56)
            ):
                self._write(plan.way, path, command)
            self._acted[plan.row] = version | self.result << 56

    def _write(self, way: str, path: str, command: Any) -> None:
        if self.result == 0:
            self.writes.append((self.state.scans, path, command))
            if not self.deaf and way != PULSE:
                self.registers[path] = command
