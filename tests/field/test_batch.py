"""Groups that are complete in the same turn of the loop: published together as each alone, and none of a device that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.field.batch import FEW, Batch, Part, join
from scada.field.modbus import Modbus
from scada.field.modbus.address import Address
from scada.field.modbus.device import ModbusDevice
from scada.field.samples import Samples
from tags import publish, quality
from tags.model import Device, Site, Tag
from tests.field.memory import ORDERS
from tests.field.plc import plc
from tests.field.running import Plant
from tests.field.test_joint import device, fetched
from tests.support.site import make_site

DEVICES, TAGS = 6, 3


def tags_of(number: int, period_ns: int = 50_000_000) -> list[Tag]:
    return [
        Tag(
            id=TAGS * number + i + 1, path=f"a/d{number}/{i}", type="int16", kind="device", writer="field",
            device=f"D{number}", row=TAGS * number + i, scan_ns=period_ns,
            address=Address("holding", 10 * number + i, None, 1, "int16").to_json(),
        )
        for i in range(TAGS)
    ]  # fmt: skip


def site(port: int, period_ns: int = 50_000_000) -> Site:
    mine = [tag for number in range(DEVICES) for tag in tags_of(number, period_ns)]
    others = [tag for tag in make_site().tags if tag.writer != "field"]
    devices = tuple(
        Device(
            name=f"D{number}", driver="modbus", service="field",
            config={"endpoint": f"tcp://127.0.0.1:{port}", "timeout": "1 s"},
        )
        for number in range(DEVICES)
    )  # fmt: skip
    return make_site(tags=(*mine, *others), devices=devices, alarms=(), blocks=())


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[publish.Publisher]:
    made = site(1)
    publish.create_files(tmp_path, made, 1)
    out = publish.Publisher(tmp_path, "field", made.of_writer("field"), 2)
    yield out
    out.close()


class Rig:
    """Devices in memory, their columns, and a batch of their groups."""

    def __init__(self, publisher: publish.Publisher) -> None:
        self.publisher = publisher
        self.whole = Samples(publisher, publisher.tags)
        self.samples = [self.whole.part(TAGS * n, tags_of(n)) for n in range(DEVICES)]
        made = [device(ORDERS[n % 4], tags_of(n), n) for n in range(DEVICES)]
        self.sessions, self.peers = [one for one, _ in made], [peer for _, peer in made]
        self.up, self.alone = [True] * DEVICES, list[int]()

    async def batch(self) -> Batch:
        groups: list[tuple[ModbusDevice, int]] = [(session, 0) for session in self.sessions]
        parts = [
            Part(TAGS * n, lambda n=n: self.up[n], lambda now, n=n: self.publish(n, now))  # type: ignore[misc]
            for n in range(DEVICES)
        ]
        return Batch(self.whole, Modbus.joint(groups), parts)

    def publish(self, number: int, now_ns: int) -> None:
        self.alone.append(number)
        self.samples[number].take(self.sessions[number].reading(0), now_ns)

    def image(self) -> list[tuple[int, int, int]]:
        image = self.publisher.image
        rows = range(DEVICES * TAGS)
        return [(int(image.value[r]), int(image.status[r]), int(image.source_ns[r])) for r in rows]


@settings(max_examples=25)
@given(
    complete=st.permutations(range(DEVICES)), count=st.integers(1, DEVICES), lost=st.integers(0, 2 * DEVICES)
)
async def test_together_as_each_alone(
    tmp_path_factory: pytest.TempPathFactory, complete: list[int], count: int, lost: int
) -> None:
    folder = tmp_path_factory.mktemp("batch")
    made = site(1)
    publish.create_files(folder, made, 1)
    out = publish.Publisher(folder, "field", made.of_writer("field"), 2)
    rig = Rig(out)
    before = rig.image()
    batch = await rig.batch()
    some = complete[:count]
    for n in some:
        await fetched(rig.sessions[n])
        assert batch.add(n, 7)
    if lost < DEVICES:
        rig.up[lost] = False
    await asyncio.sleep(0)
    found = rig.image()
    there = [n for n in some if n != lost]
    assert rig.alone == (there if len(there) < FEW else [])
    for n in there:
        rig.publish(n, 8)
    assert rig.image() == found
    for n in set(range(DEVICES)) - set(there):
        mine = slice(TAGS * n, TAGS * (n + 1))
        assert found[mine] == before[mine]
    out.close()


async def test_what_cannot_be_published_ends_the_service(
    publisher: publish.Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else values would stand still and look Good: an event loop only logs what goes wrong in a callback."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    rig = Rig(publisher)
    batch = await rig.batch()
    await fetched(rig.sessions[0])

    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(rig, "publish", broken)
    assert batch.add(0, 1)
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="planted"):
        batch.add(0, 2)


async def test_what_was_refused_is_not_for_it(publisher: publish.Publisher) -> None:
    rig = Rig(publisher)
    batch = await rig.batch()
    assert not batch.add(0, 1)  # not read yet
    rig.peers[0].refuse = 4
    await fetched(rig.sessions[0])
    assert not batch.add(0, 1)
    rig.peers[0].refuse = 0
    await fetched(rig.sessions[0])
    assert batch.add(0, 1)
    await asyncio.sleep(0)


def test_the_service_joins_fast_groups(tmp_path: Path) -> None:
    with plc() as one:
        for n in range(DEVICES):
            one.set("holding", 10 * n, n, n + 100, n + 200)
        plant = Plant(tmp_path, site(one.port), control=False)
        try:
            for n in range(DEVICES):
                for i in range(TAGS):
                    plant.until(f"a/d{n}/{i}", n + 100 * i)
            one.set("holding", 10, 7)
            plant.until("a/d1/0", 7)
            one.kill()
            for n in range(DEVICES):
                plant.until_status(f"a/d{n}/0", quality.BAD_NO_COMMUNICATION)
            one.start()
            plant.until("a/d5/2", 205)
        finally:
            assert plant.close() == 0


def test_slow_groups_and_few_are_left_alone() -> None:
    class One:
        together: dict[int, object]

        def __init__(self) -> None:
            self.together = {}
            self.session = type("S", (), {"periods": ((1_000_000_000, 0),)})

        def unwatched(self) -> list[int]:
            return [0]

    pollers = [One() for _ in range(10)]
    join(None, Modbus, [(one, 0) for one in pollers])  # type: ignore[arg-type,misc]
    assert all(one.together == {} for one in pollers)
    for one in pollers:
        one.session.periods = ((10_000_000, 0),)  # type: ignore[attr-defined]
    join(None, Modbus, [(one, 0) for one in pollers[: FEW - 1]])  # type: ignore[arg-type,misc]
    join(None, object(), [(one, 0) for one in pollers])  # type: ignore[arg-type,misc]
    assert all(one.together == {} for one in pollers)
