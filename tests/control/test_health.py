"""What control says of itself: lateness, overruns, tasks; and the lateness of the machine."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scada.blocks.base import Tick
from scada.control import latency, realtime
from scada.control.health import HEALTH_NS, MINUTE_NS, Health
from scada.control.latency import LATE_MS, Histogram, Lateness, Measurement, summary
from scada.scan import Inputs, Program, build, start, step
from tags.model import Device, Realtime, Tag, Task
from tags.site import system
from tests.control.rig import Rig
from tests.scan.plant import plant_site
from tests.support.wait import wait_for

MS = 1_000_000
SCAN = 100 * MS


def program() -> Program:
    """The plant with two tasks and all health tags that a compiled site has."""
    site = plant_site(
        tasks=(
            Task(name="scan", period_ns=SCAN, priority=1),
            Task(name="slow", period_ns=10 * SCAN, priority=9),
        )
    )
    site = dataclasses.replace(
        site, blocks=(dataclasses.replace(site.blocks[0], task="slow"), *site.blocks[1:])
    )
    known = {tag.path for tag in site.tags}
    row = sum(tag.writer == "control" for tag in site.tags)
    devices: list[Device] = []
    more: list[Tag] = []
    for tag in system.tags(("control",), devices, False, tasks=("scan", "slow")):
        if tag.writer == "control" and tag.path not in known:
            more.append(dataclasses.replace(tag, id=700 + len(more), row=row + len(more)))
    return build(
        dataclasses.replace(site, tags=tuple(sorted((*site.tags, *more), key=lambda t: (t.writer, t.row))))
    )


class Desk:
    """Health with a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0
        self.program = program()
        self.health = Health(self.program, lambda: self.now)

    def report(self) -> dict[str, Any]:
        self.now += HEALTH_NS
        samples = self.health.samples(self.now, 20, 5)
        paths = self.program.slots
        return {paths[slot].path.removeprefix("system/control/"): value for slot, value, *_ in samples}


def test_it_is_reported_once_a_second_as_input() -> None:
    desk = Desk()
    desk.health.count(desk.now, 2 * MS, 3)
    desk.health.execution_ns = 7 * MS
    found = desk.report()
    assert (found["lateness_max"], found["execution_max"], found["overruns"]) == (2.0, 7.0, 3)
    assert (found["realtime"], found["locked"], found["cpu"], found["scans"]) == (False, False, -1, 5)
    assert "forces" not in found, "which the scan itself counts"
    assert "selftest_max" not in found, "not measured yet"
    assert desk.health.samples(desk.now + HEALTH_NS // 2, 20, 6) == []
    desk.health.grants = realtime.Grants(fifo=True, locked=True, said=(), cpu=1)
    desk.health.selftest = (30_000, 400_000)
    found = desk.report()
    assert (found["lateness_max"], found["overruns"]) == (0.0, 3)
    assert (found["realtime"], found["locked"], found["cpu"]) == (True, True, 1)
    assert (found["selftest_p99"], found["selftest_max"]) == (0.03, 0.4)


def test_every_health_tag_of_control_is_written_by_it_or_by_the_scan() -> None:
    desk = Desk()
    desk.health.selftest = (1, 2)
    for task in desk.health.tasks:
        task.ran = True
    scan = {"shadow", "forces", "defects", "bypasses"}
    said = {
        tag.path.removeprefix("system/control/")
        for tag in desk.program.slots
        if tag.path.startswith("system/control/") and tag.kind == "system"
    }
    assert said - scan == set(desk.report())


def test_overruns_of_the_last_minute_go_and_the_count_stays() -> None:
    desk = Desk()
    desk.health.count(desk.now, 0, 2)
    desk.now += MINUTE_NS // 2
    desk.health.count(desk.now, 0, 5)
    assert desk.report()["overruns_minute"] == 7
    desk.now = MINUTE_NS
    assert desk.report()["overruns_minute"] == 5
    desk.now = 2 * MINUTE_NS
    found = desk.report()
    assert (found["overruns_minute"], found["overruns"]) == (0, 7)


@given(st.lists(st.integers(0, 10**9), max_size=1500))
def test_lateness_of_99_of_100_scans_of_the_last_minute(late: list[int]) -> None:
    health = Health(PROGRAM, lambda: 0)
    for one in late:
        health.count(0, one, 0)
    kept = late[-600:]  # a minute at 100 ms
    found = health.lateness_p99_ns()
    if kept:
        assert sum(one <= found for one in kept) >= 0.99 * len(kept)
        assert found in kept
    else:
        assert found == 0


PROGRAM = program()


def test_each_task_has_its_lateness_execution_and_overruns() -> None:
    """A scan that starts 5 ms late, its fast task takes 3 ms: the slow one starts 8 ms late and takes 40 ms."""
    desk = Desk()
    state = start(desk.program)
    base = 10 * SCAN
    spent = {0: 3 * MS, 1: 40 * MS}

    def scan(count: int, periods: int, late: int) -> None:
        desk.now = base + count * SCAN + late
        desk.health.begin(base, count)

        def watch(task: int) -> None:
            desk.now += spent.get(task, 0)
            desk.health.watch(task)

        step(desk.program, state, Inputs(), (), Tick(state.scans + 1, periods, SCAN, desk.now), watch)
        desk.health.ran(state.tasks.ran)

    scan(0, 1, 0)
    desk.report()
    scan(10, 10, 5 * MS)
    found = desk.report()
    assert found["tasks/scan/period"] == 100.0
    assert found["tasks/slow/period"] == 1000.0
    assert found["tasks/scan/lateness_max"] == 5.0
    assert found["tasks/scan/execution_max"] == 3.0
    assert found["tasks/slow/lateness_max"] == 8.0
    assert found["tasks/slow/execution_max"] == 40.0
    assert (found["tasks/scan/overruns"], found["tasks/slow/overruns"]) == (9, 0)
    scan(37, 27, 0)
    found = desk.report()
    assert found["tasks/slow/lateness_max"] == 703.0, "due at 30, run at 37"
    assert (found["tasks/scan/overruns"], found["tasks/slow/overruns"]) == (35, 1)
    scan(38, 1, 0)
    found = desk.report()
    assert "tasks/slow/lateness_max" not in found, "it did not run: the tag keeps what it said"


def histogram(sleeps: Iterable[int]) -> Histogram:
    found = Histogram()
    for one in sleeps:
        found.add(one)
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**9) | st.integers(0, 10**6), min_size=1, max_size=300))
def test_a_summary_orders_its_percentiles(sleeps: list[int]) -> None:
    found = summary(histogram(sleeps))
    assert found.count == len(sleeps)
    assert min(sleeps) <= found.p50 <= found.p99 <= found.p999 <= found.max == max(sleeps)
    assert sum(one > found.p99 for one in sleeps) <= 0.01 * len(sleeps)
    assert found.late == tuple(sum(one > ms * MS for one in sleeps) for ms in LATE_MS)
    assert latency.parse(json.dumps(dataclasses.asdict(found))) == found


def test_a_measurement_runs_in_a_process_of_its_own() -> None:
    measurement = Measurement(0.2, priority=1, cpu=min(os.sched_getaffinity(0)), parent=os.getpid())
    found = wait_for(measurement.poll)
    assert isinstance(found, Lateness)
    assert 1 <= found.count <= 200
    assert found.cpu == min(os.sched_getaffinity(0))
    assert found.fifo or any("SCHED_FIFO" in text for text in found.said)


def test_a_measurement_can_be_ended_and_one_that_fails_says_so() -> None:
    measurement = Measurement(60.0, priority=0, cpu=None, parent=os.getpid())
    assert measurement.poll() is None
    measurement.close()
    with pytest.raises(ValueError, match="no measurement"):
        Measurement(0.1, priority=0, cpu=None, parent=1).result()


def test_a_processor_that_is_not_there_is_told_and_not_fatal() -> None:
    said: list[str] = []
    assert realtime.pin(1000, said) is None
    assert "processor 1000 was refused" in said[0]
    assert realtime.pin(None, said) is None
    assert len(said) == 1


@given(st.integers(0, 10**6), st.integers(0, 10**10), st.integers(0, 10**10), st.integers(MS, 10**10))
def test_a_scan_that_is_too_long_leaves_time_to_others(
    index: int, late: int, spent: int, period: int
) -> None:
    began = index * period + late % period
    following = realtime.following(index, began, spent, period)
    assert following > index, "time goes on"
    if spent <= period:
        assert following == index + 1, "none is left out that could be made"
    else:
        assert 0 < following * period - (began + spent) <= period, "the next point that is still to come"


def test_a_program_that_always_takes_too_long_runs_every_second_period() -> None:
    """12 ms of each 10 ms: 8 ms in 20 are left to the others, and nothing bunches."""
    period, spent, now, index, starts = 10 * MS, 12 * MS, 10 * MS, 1, []
    for _ in range(50):
        starts.append(now)
        following = realtime.following(index, now, spent, period)
        now = max(now + spent, following * period)
        index = now // period
    assert {right - left for left, right in itertools.pairwise(starts)} == {20 * MS}


def test_control_says_what_it_was_granted_and_measures_its_tasks(tmp_path: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    rig = Rig(tmp_path, dataclasses.replace(PROGRAM.site, realtime=Realtime(cpu=cpu, priority=40)))
    try:
        rig.start()
        assert rig.process is not None
        rig.until(lambda: rig.value("system/control/selftest_max") > 0.0, "the machine to be measured")
        assert os.sched_getaffinity(rig.process.pid) == {cpu}
        assert rig.value("system/control/cpu") == cpu
        if rig.value("system/control/realtime"):
            assert os.sched_getscheduler(rig.process.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
            assert os.sched_getparam(rig.process.pid).sched_priority == 40
        for task, period in (("scan", 100.0), ("slow", 1000.0)):
            rig.until(
                lambda task=task: rig.value(f"system/control/tasks/{task}/execution_max") > 0.0,
                f"{task} to run",
            )
            assert rig.value(f"system/control/tasks/{task}/period") == period
        assert "lateness of this machine at start" in rig.log.read_text()
    finally:
        rig.close()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_other_services_keep_off_the_processor_of_control() -> None:
    code = (
        "import os; from scada.service.service import keep_off; all_ = os.sched_getaffinity(0); keep_off(min(all_));"
        "assert os.sched_getaffinity(0) == all_ - {min(all_)}; keep_off(max(os.sched_getaffinity(0)) + 50);"
        "only = os.sched_getaffinity(0).pop(); os.sched_setaffinity(0, {only}); keep_off(only);"
        "assert os.sched_getaffinity(0) == {only}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
