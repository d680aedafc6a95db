"""A session with a device that is gone, silent or back: nothing old becomes a value, and it recovers by itself."""

from __future__ import annotations

import asyncio

import pytest

from scada.field.contract.peer import Given
from scada.field.contract.rig import CLOCK, PATIENCE_S, Rig, rig, run
from scada.field.driver import CONNECT, KINDS, TIMEOUT, NoReplyError
from tags import quality

_RETRY_MOST_NS = 5_000_000_000
_SLACK_NS = 2_000_000_000  # a busy machine


class Failing(Given):
    """Tests of the link."""

    def test_nothing_is_sent_before_it_is_connected(self) -> None:
        """NoReplyError, at once."""

        async def test() -> None:
            async with rig(self) as one:
                assert not one.session.link.open
                with pytest.raises(NoReplyError):
                    await one.fetch()

        run(test)

    def test_a_device_that_is_not_there_is_tried_again(self) -> None:
        """`connect` says False within its time-outs, and when to try again: soon, not at once for ever."""

        async def test() -> None:
            async with rig(self, started=False) as one:
                link = one.session.link
                for turn in range(1, 4):
                    before = CLOCK.monotonic_ns()
                    assert not await link.connect()
                    now = CLOCK.monotonic_ns()
                    assert now - before < 2 * one.session.timeout_ns + _SLACK_NS
                    assert not link.open
                    assert link.failures == turn
                    assert link.errors_by_kind[CONNECT] == turn
                    assert link.reason.strip()
                    assert link.next_try_ns - now < _RETRY_MOST_NS
                assert link.next_try_ns > now
                await one.peer.start()
                await one.connect()
                await _right(one, 0)
                assert link.failures == 0

        run(test)

    def test_a_device_that_goes_away_and_comes_back(self) -> None:
        """The loss is noticed by the next request, and the values after it are those of after it."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                await _right(one, 0)
                errors = one.session.link.errors
                await one.peer.stop()
                await _lost(one)
                assert one.session.link.errors > errors
                await one.peer.start()
                for point in one.points:
                    await one.peer.put(point, point.values[1])
                await _right_soon(one, 1)

        run(test)

    def test_silence_ends_with_the_time_out_and_a_late_answer_is_no_value(self) -> None:
        """What the device meant to say before is never taken for an answer to what is asked now."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                await _right(one, 0)
                for turn in (1, 0, 1):
                    await one.peer.mute(True)
                    await _lost(one)
                    for point in one.points:
                        await one.peer.put(point, point.values[turn])
                    await one.peer.mute(False)
                    await _right_soon(one, turn)

        run(test)

    def test_a_request_that_is_cancelled_leaves_nothing_behind(self) -> None:
        """As when the plant is stopped."""

        async def test() -> None:
            async with rig(self) as one:
                await one.connect()
                await one.peer.mute(True)
                task = asyncio.ensure_future(one.fetch())
                for _ in range(10):
                    await asyncio.sleep(0)  # it is on its way
                task.cancel()
                await asyncio.wait({task})
                assert task.cancelled()
                for point in one.points:
                    await one.peer.put(point, point.values[1])
                await one.peer.mute(False)
                await _right_soon(one, 1)

        run(test)

    def test_closing_is_final_and_may_be_repeated(self) -> None:
        """And it may be connected again."""

        async def test() -> None:
            async with rig(self) as one:
                one.session.link.close()
                await one.connect()
                assert _is_open(one)
                one.session.link.close()
                one.session.link.close()
                assert not _is_open(one)
                with pytest.raises(NoReplyError):
                    await one.fetch()
                await one.connect()
                await _right(one, 0)

        run(test)

    def test_health_is_told(self) -> None:
        """Latency and the time of the last good reply."""

        async def test() -> None:
            async with rig(self) as one:
                link = one.session.link
                assert link.latency_ms() == (0.0, 0.0)
                assert link.good_ns == 0
                before = CLOCK.monotonic_ns()
                await one.connect()
                await one.fetch()
                p50, p99 = link.latency_ms()
                assert 0.0 < p50 <= p99 < 10_000.0
                assert before <= link.good_ns <= CLOCK.monotonic_ns()
                assert (link.failures, link.errors) == (0, 0)
                assert {kind: link.errors_by_kind[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0)
                await one.peer.mute(True)
                await _lost(one)
                assert link.errors_by_kind[TIMEOUT] > 0
                assert link.errors >= link.errors_by_kind[TIMEOUT]
                assert link.reason.strip()
                await one.peer.mute(False)

        run(test)

    def test_two_devices_of_one_service_do_not_mix(self) -> None:
        """One driver object, two devices, both asked at once: each gives its own values, and one's silence is its own."""

        async def test() -> None:
            driver = self.driver(CLOCK)
            async with rig(self, driver=driver) as one, rig(self, driver=driver) as two:
                for point in two.points:
                    await two.peer.put(point, point.values[1])
                await asyncio.gather(one.connect(), two.connect())
                for _ in range(3):
                    await asyncio.gather(_right(one, 0), _right(two, 1))
                await one.peer.mute(True)
                await asyncio.gather(_lost(one), _right(two, 1))
                await one.peer.mute(False)

        run(test)


def _is_open(one: Rig) -> bool:
    return one.session.link.open


async def _right(one: Rig, turn: int) -> None:
    """Everything is read, is Good and is the value of this turn."""
    for position, sample in (await one.poll()).items():
        point = one.points[position]
        assert (point.address, sample.value, sample.status) == (
            point.address,
            point.values[turn],
            quality.GOOD,
        )


async def _right_soon(one: Rig, turn: int) -> None:
    """Late bytes may cost a request or two, never a wrong value: what is read is right."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if not _is_open(one):
                await one.connect()
            try:
                await _right(one, turn)
            except NoReplyError:
                continue
            return


async def _lost(one: Rig) -> None:
    """The next requests end without an answer, in time, and the link knows; one more may be answered from before."""
    before = CLOCK.monotonic_ns()
    with pytest.raises(NoReplyError):
        await _ask_twice(one)
    assert CLOCK.monotonic_ns() - before < 2 * one.session.timeout_ns + _SLACK_NS
    assert not one.session.link.open
    assert one.session.link.failures > 0


async def _ask_twice(one: Rig) -> None:
    await one.fetch()
    await one.fetch()
