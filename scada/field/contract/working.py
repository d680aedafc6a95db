"""A session with a device that answers: what it holds comes through, and what is written arrives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scada.field.contract.peer import Given
from scada.field.contract.rig import CLOCK, config_of, rig, run
from scada.field.driver import RefusedError
from tags import quality, types

_ROUNDS = 40  # enough to find one address among thousands by halving


class Working(Given):
    """Tests of plan, reading and writing."""

    def test_every_tag_is_in_one_request_of_its_period(self) -> None:
        """`periods`, `count` and `place` agree with the scan periods of the tags."""

        async def test() -> None:
            async with rig(self) as one:
                session = one.session
                assert all(period > 0 and 0 <= phase <= period for period, phase in session.periods)
                assert session.timeout_ns > 0
                for position, point in enumerate(one.points):
                    group, number = session.place(position)
                    assert session.periods[group][0] == point.scan_ns
                    assert 0 <= number < session.count(group)
                    assert position in session.reading(group, number).members
                assert sorted(one.read()) == list(range(len(one.points)))

        run(test)

    def test_a_device_without_tags_is_fine(self) -> None:
        """It may have a heartbeat only, or nothing yet."""

        async def test() -> None:
            async with rig(self, ()) as one:
                assert one.session.periods == ()
                await one.connect()
                assert one.session.link.open

        run(test)

    def test_what_was_never_read_is_not_good(self) -> None:
        """A value that nobody has seen must not look like one."""

        async def test() -> None:
            async with rig(self) as one:
                assert all(quality.is_bad(sample.status) for sample in one.read().values())
                await one.connect()
                assert all(quality.is_bad(sample.status) for sample in one.read().values())

        run(test)

    def test_what_the_device_holds_is_read_with_the_time_of_its_reply(self) -> None:
        """Each value of each point, exactly, Good, and stamped between request and now."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                for turn in range(max(len(point.values) for point in one.points)):
                    held = [point.values[turn % len(point.values)] for point in one.points]
                    for point, value in zip(one.points, held, strict=True):
                        await one.peer.put(point, value)
                    before = CLOCK.utc_ns()
                    samples = await one.poll()
                    after = CLOCK.utc_ns()
                    for position, value in enumerate(held):
                        sample = samples[position]
                        assert (one.points[position].address, sample.value) == (
                            one.points[position].address,
                            value,
                        )
                        assert sample.status == quality.GOOD
                        assert before <= sample.source_ns <= after

        run(test)

    def test_a_reading_is_of_the_last_fetch(self) -> None:
        """What changes in the device later is not in it."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                await one.fetch()
                for point in one.points:
                    await one.peer.put(point, point.values[1])
                assert [s.value for _, s in sorted(one.read().items())] == [p.values[0] for p in one.points]
                assert [s.value for _, s in sorted((await one.poll()).items())] == [
                    p.values[1] for p in one.points
                ]

        run(test)

    def test_fetch_says_how_many_requests_were_answered(self) -> None:
        """At least one, never more than are left."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                for group in range(len(one.session.periods)):
                    for number in range(one.session.count(group)):
                        done = await one.session.fetch(group, number)
                        assert 1 <= done <= one.session.count(group) - number

        run(test)

    def test_one_request_can_be_read_alone(self) -> None:
        """As field does after a write."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                await one.fetch()
                for position in range(len(one.points)):
                    group, number = one.session.place(position)
                    reading = one.session.reading(group, number)
                    assert position in reading.members
                    assert all(one.session.place(int(i)) == (group, number) for i in reading.members)
                    shapes = {
                        len(c) for c in (reading.members, reading.bits, reading.status, reading.source_ns)
                    }
                    assert len(shapes) == 1

        run(test)

    def test_groups_that_are_decoded_together_are_what_they_are_alone(self) -> None:
        """Where the driver has `joint`; field leaves texts out of it."""

        async def test() -> None:
            points = [point for point in self.points if point.type != types.STRING]
            driver = self.driver(CLOCK)
            if not hasattr(driver, "joint") or not points:
                return
            async with rig(self, points, driver=driver) as one, rig(self, points, driver=driver) as two:
                await one.connect()
                await two.connect()
                groups = [(r.session, n) for r in (one, two) for n in range(len(r.session.periods))]
                joint = driver.joint(groups)
                for turn in (1, 0):
                    for point in points:
                        await two.peer.put(point, point.values[turn])
                    await one.fetch()
                    await two.fetch()
                    together = joint.reading()
                    for number, (session, group) in enumerate(groups):
                        assert joint.usable(number)
                        alone, mine = session.reading(group), joint.slices[number]
                        members, bits = joint.members(number).tolist(), together.bits[mine].tolist()
                        assert dict(zip(members, bits, strict=True)) == dict(
                            zip(alone.members.tolist(), alone.bits.tolist(), strict=True)
                        )
                        assert (together.status[mine] == quality.GOOD).all()
                        assert sorted(together.source_ns[mine]) == sorted(alone.source_ns)

        run(test)

    def test_what_is_written_arrives_and_is_read_back(self) -> None:
        """The device holds it, and the reading is what the quantiser said it would be."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                for position, point in enumerate(one.points):
                    if not point.writable:
                        continue
                    for value in (*point.values[1:], point.values[0]):
                        bits, cannot = one.quantised(position, value)
                        assert not cannot, f"{point.address}: {value} could not be written"
                        await one.write(position, value)
                        assert await one.peer.get(point) == value, point.address
                        got = (await one.poll())[position]
                        assert (got.value, got.status) == (value, quality.GOOD)
                        if point.type != types.STRING:
                            assert one.bits(position, got.value) == bits

        run(test)

    def test_a_write_touches_nothing_else(self) -> None:
        """All other points hold what they held."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                for position, point in enumerate(one.points):
                    if point.writable:
                        await one.write(position, point.values[1])
                        for other in one.points:
                            expected = point.values[1] if other is point else other.values[0]
                            assert await one.peer.get(other) == expected, (
                                f"{point.address} changed {other.address}"
                            )
                        await one.write(position, point.values[0])

        run(test)

    def test_the_quantiser_rounds_once(self) -> None:
        """What would be read back would be read back again."""

        async def test() -> None:
            async with rig(self) as one:
                positions = [i for i, p in enumerate(one.points) if p.writable and p.type != types.STRING]
                if not positions:
                    return
                quantise = one.session.quantiser(positions)
                for turn in range(2):
                    bits = np.array([one.bits(i, one.points[i].values[turn]) for i in positions], np.uint64)
                    first, cannot = quantise(bits)
                    first = first.copy()
                    assert not cannot.any()
                    assert (quantise(first)[0] == first).all()

        run(test)

    def test_a_number_that_is_none_is_never_written(self) -> None:
        """NaN and infinity: said by the quantiser, or ValueError; the device keeps what it has."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                for position, point in enumerate(one.points):
                    if not point.writable or point.type not in types.FLOATS:
                        continue
                    for value in (math.nan, math.inf, -math.inf):
                        if not one.quantised(position, value)[1]:
                            with pytest.raises(ValueError):  # noqa: PT011 - any sentence will do
                                await one.session.write(position, one.bits(position, value), "")
                        assert await one.peer.get(point) == point.values[0]

        run(test)

    def test_the_heartbeat_is_written_and_read(self) -> None:
        """Where the driver has one."""

        async def test() -> None:
            if self.heartbeat is None:
                return
            async with rig(self) as one:
                address = self.driver.parse_address(
                    self.heartbeat, types.UINT16, config_of(self, one.peer.config)
                )
                await one.connect()
                for value in (0, 1, 0x1234, 0xFFFF):
                    await one.session.write_counter(address, value)
                    assert await one.session.read_counter(address) == value

        run(test)

    def test_what_the_device_refuses_costs_nothing_else(self) -> None:
        """After a while at the latest: the one tag is Bad, all others are Good, and the link stays."""

        async def test() -> None:
            if self.absent is None:
                return
            async with rig(self, (*self.points, self.absent)) as one:
                await one.connect()
                last = len(self.points)
                for _ in range(_ROUNDS):
                    samples = await one.poll()
                    if all(samples[i].status == quality.GOOD for i in range(last)):
                        break
                assert [samples[i].status for i in range(last)] == [quality.GOOD] * last
                assert quality.is_bad(samples[last].status)
                assert one.session.link.open

        run(test)

    def test_a_refused_write_is_told_and_the_link_stays(self) -> None:
        """RefusedError with the device's code; reading goes on."""

        async def test() -> None:
            if self.read_only is None:
                return
            async with rig(self, (*self.points, self.read_only)) as one:
                await one.connect()
                with pytest.raises(RefusedError) as error:
                    await one.write(len(self.points), self.read_only.values[0])
                assert 1 <= error.value.code <= 252
                assert one.session.link.open
                await one.fetch()

        run(test)
