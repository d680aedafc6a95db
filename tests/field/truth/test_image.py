"""From the line into the process image: what many devices' loops publish, alone and together, was true."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scada.field import batch
from scada.field.modbus import Modbus
from scada.field.poller import Poller
from scada.field.samples import Samples
from scada.modbus import wire
from scada.virtual.world import World
from tags import quality
from tags.model import Device as SiteDevice
from tags.model import Site
from tags.publish import Publisher, create_files
from tests.field.truth.device import MS, Device, Truth
from tests.field.truth.judge import tags_of
from tests.field.truth.memory import UTC_NS, Network
from tests.field.truth.misbehaviours import TABLE, TCP
from tests.support.site import make_site

SEED = int(os.environ.get("TRUTH_SEED", "1"))
BLOCKS = (("holding", 0, 6), ("holding", 500, 6), ("holding", 1000, 3))
TIMEOUT_MS = 40
PERIOD_NS = 50 * MS


class Watched(Publisher):
    """A publisher whose samples are looked at before they are in the image."""

    judge: Callable[..., None] = staticmethod(lambda *_: None)

    def put(self, *samples: Any, **more: Any) -> None:
        self.judge(*samples)
        super().put(*samples, **more)


class Plant:
    """Devices of which every second one misbehaves, and all that field has between them and its image.

    Args:
        folder: For the image.
        name: What every second device does.
        count: How many devices.
    """

    def __init__(self, folder: Path, name: str, count: int) -> None:
        self.world = World(UTC_NS)
        self.network = Network(self.world)
        self.wrong: list[str] = []
        self.judged = self.together = 0
        dice = random.Random(f"{SEED}/{name}")
        places = [(table, start + n) for table, start, size in BLOCKS for n in range(size)]
        self.size = len(places)
        self.tags = tags = tags_of(places * count, scan_ns=PERIOD_NS)
        site: Site = make_site(tags=tuple(tags))
        create_files(folder, site)
        publisher = Watched(folder, "field", tags, 1)
        publisher.judge = self.judge
        whole = Samples(publisher, tags)
        driver = Modbus(self.world.clock)
        pollers = []
        for number in range(count):
            device = Device(TCP, self.network, dice, TABLE[name if number % 2 else "honest"], TIMEOUT_MS * MS)
            self.network.devices[5000 + number] = device
            settings: dict[str, Any] = {
                "endpoint": f"tcp://127.0.0.1:{5000 + number}",
                "timeout": f"{TIMEOUT_MS} ms",
                "max_gap": 0,
            }
            mine = tags[number * self.size : (number + 1) * self.size]
            one = SiteDevice(name=f"PLC{number}", driver="modbus", service="field", config=settings)
            samples = whole.part(number * self.size, mine)
            session = driver.session(driver.Config(**settings), mine)
            pollers.append(Poller(one, mine, session, samples, self.world.clock, lambda *_, **__: None))
            samples.start(self.world.clock.utc_ns(), self.world.now_ns)
        batch.join(whole, driver, [(poller, n * self.size) for n, poller in enumerate(pollers)])
        self.pollers = pollers

    def run(self, seconds: float) -> None:
        """Lets them work, and look at their age as the service does."""
        for poller in self.pollers:
            self.network.start(poller.run())
        for _ in range(round(seconds * 20)):
            self.world.run_until(self.world.now_ns + 50 * MS)
            self.network.run(self._look)
            assert not self.network.errors, self.network.errors
        self.network.kill()

    def _look(self) -> None:
        for poller in self.pollers:
            poller.look_at_age(self.world.now_ns)

    def judge(self, rows: Any, bits: Any, status: Any, source: Any, *_: Any) -> None:
        """Each Good register must be of a reply whose request was carried out within the time-out before its stamp."""
        rows = np.arange(len(self.tags))[rows]
        bits, status, source = (
            np.broadcast_to(np.asarray(one), rows.shape) for one in (bits, status, source)
        )
        good = status == quality.GOOD
        self.together += len({int(row) // self.size for row in rows}) > 1
        offset = self.world.clock.utc_ns() - self.world.now_ns
        for number in {int(row) // self.size for row in rows[good]}:
            truth = self.network.devices[5000 + number].truth
            first = number * self.size
            for table, start, size in BLOCKS:
                block = good & (rows >= first) & (rows < first + size)
                for stamp in np.unique(source[block]):  # a block that was refused is asked for in parts
                    mine = block & (source == stamp)
                    order = np.argsort(rows[mine])
                    at = start + int(rows[mine].min()) - first
                    self._look_at(truth, (table, at), bits[mine][order], int(stamp) - offset)
                first += size

    def _look_at(self, truth: Truth, place: tuple[str, int], bits: Any, told_ns: int) -> None:
        values = bits.astype(">u2").tobytes()
        pdu = wire.read(*place, len(bits))
        verdict = truth.verdict(
            1,
            bytes((pdu.function,)) + pdu.data,
            bytes((pdu.function, len(values))) + values,
            told_ns - (TIMEOUT_MS + 10) * MS,
            told_ns,
        )
        self.judged += 1
        if verdict:
            self.wrong.append(f"{place}: {verdict}")


@pytest.mark.parametrize(
    "name", ["a storm of everything", "late through a gateway, also after reconnecting", "honest"]
)
def test_what_is_published_was_true(name: str, tmp_path: Path) -> None:
    plant = Plant(tmp_path, name, 12)
    plant.run(4.0)
    assert not plant.wrong, plant.wrong[:5]
    assert plant.judged > 500
    assert plant.together > 5  # also what is decoded together was looked at
