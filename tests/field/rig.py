"""One device's loop in this process, on real sockets: the test plays control, people and the clock of neither."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scada.clock import SystemClock
from scada.field.modbus import Modbus
from scada.field.modbus.config import Config
from scada.field.poller import Poller
from scada.field.samples import Samples
from tags import publish, quality
from tags.image import ImageReader
from tags.model import Device, OnLoss, Tag, Write
from tags.types import Value, from_bits
from tests.support.site import make_site

SCAN_NS = 50_000_000


def output(address: str, type_: str = "int16", **more: Any) -> dict[str, Any]:
    """A writable tag at an address of the device."""
    return {
        "address": address,
        "type": type_,
        "owner": "scada",
        "write": Write(),
        "on_loss": OnLoss(action="hold"),
        **more,
    }


class Rig:
    """A poller with its tags `t/0`, `t/1`, … and their commands.

    Args:
        folder: For the images.
        config: Of the device.
        tags: Fields of each tag; `address` as people write it.
        heartbeat: As `Device.heartbeat`, its address parsed.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        tags: Sequence[dict[str, Any]],
        heartbeat: dict[str, Any] | None = None,
    ) -> None:
        settings = Config.model_validate(config)
        clock = self.clock = SystemClock()
        made, commands = [], []
        for row, fields in enumerate(tags):
            address = Modbus.parse_address(fields["address"], fields["type"], settings)
            path = f"t/{row}"
            made.append(
                Tag(**{"id": row + 1, "path": path, "kind": "device", "writer": "field", "row": row, "device": "PLC1",
                       "scan_ns": SCAN_NS, "command": f"{path}/command" if "owner" in fields else None, **fields,
                       "address": address})
            )  # fmt: skip
            commands.append(
                Tag(id=1000 + row, path=f"{path}/command", type=fields["type"], kind="command", writer="control",
                    row=row, command=path)
            )  # fmt: skip
        site = dataclasses.replace(make_site(), tags=(*commands, *made))
        folder.mkdir(parents=True, exist_ok=True)
        publish.create_files(folder, site, 1)
        self.tags = made
        self._field = publish.Publisher(folder, "field", site.of_writer("field"), 1)
        self._control = publish.Publisher(folder, "control", site.of_writer("control"), 1)
        self._image = ImageReader(folder / "field.image")
        self._commands = ImageReader(folder / "control.image")
        self.events: list[dict[str, Any]] = []
        self.alive = True
        device = Device(name="PLC1", driver="modbus", service="field", config=config, heartbeat=heartbeat)
        self._samples = Samples(self._field, made)
        self.poller = Poller(
            device,
            made,
            Modbus(clock).session(settings, made),
            self._samples,
            clock,
            lambda kind, **fields: self.events.append({"kind": kind, **fields}),
        )
        outs = [tag.row for tag in made if tag.owner is not None]
        self._rows = np.array(outs, np.intp)
        self._samples.start(clock.utc_ns(), clock.monotonic_ns())

    def command(self, values: Mapping[int, Value], *, drive: bool = True, within_ns: int = 0) -> None:
        """Control publishes commands, all in one scan; with `within_ns` they have a deadline."""
        for row, value in values.items():
            now = self.clock.monotonic_ns()
            deadline = now + within_ns if within_ns else 0
            self._control.put_value(
                row, value, quality.GOOD, self.clock.utc_ns(), now, int(drive) | deadline << 1
            )
        self.look()

    def look(self) -> None:
        """Field takes control's image."""
        assert self._commands.snapshot()
        self.poller.observe(self._commands, self._rows, self.alive)

    def value(self, row: int) -> Value:
        """A tag's value now."""
        self._image.snapshot()
        return from_bits(self.tags[row].type, int(self._image.value[row]))

    def status(self, row: int) -> int:
        """A tag's status now."""
        self._image.snapshot()
        return int(self._image.status[row])

    def result(self, row: int) -> int:
        """What became of the last command that field acted on; -1 when it is not the newest."""
        self._image.snapshot()
        aux = int(self._image.aux[row])
        assert self._commands.snapshot()
        newest = int(self._commands.version[row]) & (2**56 - 1)
        return aux >> 56 if aux & (2**56 - 1) == newest else -1

    @contextlib.asynccontextmanager
    async def running(self, *, armed: bool = True) -> AsyncIterator[None]:
        """The loop at work."""
        self.poller.arm(armed)
        task = asyncio.create_task(self.poller.run())
        try:
            yield
        finally:
            self.poller.stop()
            await asyncio.wait_for(task, 5)
