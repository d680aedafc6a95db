"""Groups of many devices decoded and published in one go, against each for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.clock import Clock, SimulatedClock
from scada.field.driver import Reading
from scada.field.modbus.address import COUNT, Address
from scada.field.modbus.bus import Bus
from scada.field.modbus.config import Config
from scada.field.modbus.device import ModbusDevice
from scada.field.modbus.group import Group
from scada.field.modbus.joint import Joint
from scada.field.modbus.transport import Transport
from scada.field.samples import Samples
from scada.modbus import wire
from scada.modbus.wire import Ask
from tags import publish, quality
from tags.model import Scaling, Tag
from tests.field.memory import ORDERS
from tests.support.site import make_site

TYPES = [type_ for type_ in COUNT if type_ != "string"]
KINDS = st.tuples(st.sampled_from([*TYPES, "coil", "bit"]), st.integers(0, 3), st.sampled_from([1.0, 0.5]))
SITE = 40
DEVICES = st.lists(
    st.tuples(st.sampled_from(ORDERS), st.lists(KINDS, min_size=1, max_size=8)), min_size=1, max_size=4
)


class _Device:
    """A transport that answers from random registers, or refuses."""

    open: bool = True
    reason: str = ""

    def __init__(self, seed: int) -> None:
        self.words = np.random.default_rng(seed).bytes(4000)
        self.refuse = 0

    async def connect(self) -> bool:
        return True

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        return [self.refuse or self._answer(ask.pdu) for ask in asks]

    async def ask(self, ask: Ask) -> bytes:
        return self._answer(ask.pdu)

    def _answer(self, pdu: wire.Pdu) -> bytes:
        assert pdu.reply_bytes is not None
        start = 2 * int.from_bytes(pdu.data[:2], "big")
        return pdu.reply_head + self.words[start : start + pdu.reply_bytes - 1]

    def close(self) -> None:
        pass


def tags_of(kinds: list[tuple[str, int, float]]) -> list[Tag]:
    tags, offset = [], 0
    for i, (kind, gap, gain_) in enumerate(kinds):
        gain = 1.0 if kind in ("coil", "bit") else gain_
        offset += gap
        if kind == "coil":
            at, type_ = Address("coil", offset, None, 1, "bool"), "bool"
        elif kind == "bit":
            at, type_ = Address("holding", offset, i % 16, 1, "bool"), "bool"
        else:
            at, type_ = (
                Address("holding", offset, None, COUNT[kind], kind),
                kind if gain == 1.0 else "float64",
            )
        offset += at.count
        tags.append(
            Tag(
                id=i + 1, path=f"a/u/{i}", type=type_, kind="device", writer="field", row=i,
                scan_ns=10**9, address=at.to_json(), scaling=Scaling(gain=gain, bad_above=40_000.0 if gap == 1 else None),
            )
        )  # fmt: skip
    return tags


def device(order: tuple[str, str], tags: list[Tag], seed: int) -> tuple[ModbusDevice, _Device]:
    peer, clock = _Device(seed), SimulatedClock(utc_ns=1000 * seed + 1)
    config = Config.model_validate({"endpoint": "tcp://plc", "word_order": order[0], "byte_order": order[1]})

    def opener(_: Config, __: Clock) -> Callable[[], Transport]:
        return lambda: peer

    return ModbusDevice(config, tags, clock, Bus(config, clock, opener)), peer


async def fetched(one: ModbusDevice) -> Group:
    assert one.link.open or await one.link.connect()
    number = 0
    while number < one.count(0):
        number += await one.fetch(0, number)
    return one.groups[0]


@settings(max_examples=40)
@given(DEVICES, st.integers(0, 3))
async def test_together_as_each_alone(
    made: list[tuple[tuple[str, str], list[tuple[str, int, float]]]], refuser: int
) -> None:
    devices = [device(order, tags_of(kinds), seed) for seed, (order, kinds) in enumerate(made)]
    if refuser < len(devices):
        devices[refuser][1].refuse = 4
    alone = [await fetched(one) for one, _ in devices]
    expected = [group.reading(None) for group in alone]
    kept = [(r.bits.copy(), r.status.copy(), r.source_ns.copy()) for r in expected]
    joint = Joint(alone)
    for _ in range(2):
        together = joint.reading()
        for group, at, (bits, status, stamps) in zip(alone, joint.slices, kept, strict=True):
            good = status >> 30 < 2
            assert (together.status[at] == status).all()
            assert (together.bits[at][good] == bits[good]).all()
            assert (together.source_ns[at] == stamps).all()
            assert (group.reading(None).status == status).all()  # each still works for itself
        for one, _ in devices:
            await fetched(one)
    assert [joint.usable(number) for number in range(len(devices))] == [
        n != refuser for n in range(len(devices))
    ]


@pytest.mark.parametrize("together", [True, False])
async def test_a_broken_sensor_stays_broken_while_its_device_is_busy(together: bool) -> None:
    """Not the 0 that a decoder begins with as the last usable value."""
    tag = replace(tags_of([("int16", 0, 1.0)])[0], scaling=Scaling(bad_above=-32769.0))
    one, peer = device(ORDERS[0], [tag], 1)
    joint = Joint([await fetched(one)])
    assert joint.reading().status.tolist() == [quality.BAD_SENSOR_FAILURE]
    peer.refuse = 6
    await fetched(one)
    assert (joint.reading() if together else one.reading(0)).status.tolist() == [quality.BAD_SENSOR_FAILURE]
    peer.refuse = 4
    await fetched(one)
    assert (joint.reading() if together else one.reading(0)).status.tolist() == [quality.BAD_DEVICE_FAILURE]


async def test_a_hole_in_a_block_ends_it() -> None:
    one, peer = device(ORDERS[0], tags_of([("int16", 0, 1.0), ("int16", 2, 1.0)]), 1)
    joint = Joint([await fetched(one)])
    assert joint.usable(0)
    peer.refuse = 2
    await fetched(one)
    one.reading(0)
    assert not joint.usable(0)


def test_strings_are_not_for_it() -> None:
    tag = replace(
        tags_of([("int16", 0, 1.0)])[0],
        type="string",
        address=Address("holding", 0, None, 4, "string").to_json(),
    )
    one, _ = device(ORDERS[0], [tag], 1)
    with pytest.raises(ValueError, match="one by one"):
        Joint(one.groups)


# --- samples ---


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[publish.Publisher]:
    site = make_site()
    publish.create_files(tmp_path, site, 1)
    made = publish.Publisher(tmp_path, "field", site.of_writer("field"), 2)
    yield made
    made.close()


def numbers(values: list[float], status: list[int]) -> Reading:
    n = len(values)
    bits = np.array(values, np.float64).view(np.uint64)
    return Reading(np.arange(n), bits, np.array(status, np.uint32), np.arange(n) + 100, {})


def test_side_by_side_as_one_by_one(publisher: publish.Publisher) -> None:
    tags = [tag for tag in publisher.tags if tag.kind == "device"][:3]
    whole = Samples(publisher, tags)
    part = whole.part(1, tags[1:])
    where = whole.side_by_side(np.arange(3))
    assert where == slice(0, 3)
    assert whole.side_by_side(np.array([0, 2])) is None
    assert whole.side_by_side(np.array([1, 0])) is None
    image = publisher.image
    whole.take_range(where, numbers([1.0, 2.0, 3.0], [0, 0, quality.BAD_SENSOR_FAILURE]), 7)
    assert image.value[:2].view(np.float64).tolist() == [1.0, 2.0]
    assert image.status[:3].tolist() == [0, 0, quality.BAD_SENSOR_FAILURE]
    assert image.source_ns[:3].tolist() == [100, 101, 102]
    assert image.value[2] == 0  # what was last usable stays
    assert part.status.tolist() == [0, quality.BAD_SENSOR_FAILURE]
    forced = {tags[1].path: int(np.float64(9.0).view(np.uint64))}
    part.force(forced, 5, 8)
    whole.take_range(where, numbers([4.0, 5.0, 6.0], [0, 0, 0]), 9)
    assert image.value[:3].view(np.float64).tolist() == [4.0, 9.0, 6.0]
    assert image.status[1] == quality.GOOD_LOCAL_OVERRIDE
    part.force({}, 5, 10)
    assert image.value[1:2].view(np.float64).tolist() == [5.0]
    part.take(numbers([7.0, 8.0], [0, 0]), 11)
    assert whole.bits.view(np.float64).tolist() == [4.0, 7.0, 8.0]
    assert image.value[:3].view(np.float64).tolist() == [4.0, 7.0, 8.0]


@settings(max_examples=30)
@given(st.permutations(range(SITE)), st.lists(st.sampled_from([0, quality.BAD_SENSOR_FAILURE]), min_size=SITE, max_size=SITE),
       st.booleans())  # fmt: skip
def test_many_side_by_side_as_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], status: list[int], force: bool
) -> None:
    """What is published as one piece is what is published one by one."""
    folder = tmp_path_factory.mktemp("many")
    tags = tuple(
        Tag(id=i + 1, path=f"a/u/{i}", type="float64", kind="device", writer="field", row=i)
        for i in range(SITE)
    )
    site = make_site(tags=tags, devices=(), alarms=(), blocks=(), services=("field",))
    publish.create_files(folder, site, 1)
    out = publish.Publisher(folder, "field", site.of_writer("field"), 2)
    found = []
    for positions in (np.arange(SITE), np.array(order)):
        samples = Samples(out, tags)
        if force:
            samples.force({"a/u/3": 77}, 5, 6)
        for turn in (0.0, 1.0):
            values = np.array([position + turn for position in positions], np.float64).view(np.uint64)
            now = np.array([status[position] for position in positions], np.uint32)
            samples.take(Reading(positions, values, now, positions + 100, {}), 7)
        image = out.image
        assert samples.status.tolist() == status
        found.append(
            [image.value.tolist(), image.status.tolist(), image.source_ns.tolist(), samples.bits.tolist()]
        )
        samples.force({}, 5, 6)
        samples.fail(0, 0, 0)
        image.value.fill(0)
    assert found[0] == found[1]
    out.close()
