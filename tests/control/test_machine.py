"""`scada doctor`: facts of made-up machines, and the verb on this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from scada.cli.app import app
from scada.control import machine
from scada.control.latency import Lateness, summary
from scada.control.machine import PERIODS_NS, Check
from tests.control.test_health import histogram
from tests.site.helpers import make_folder

MS = 1_000_000


def made(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def of(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_machine_made_for_it(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        proc__sys__kernel__version="#1 SMP PREEMPT_RT Debian 6.1.0",
        proc__sys__kernel__osrelease="6.1.0-rt",
        proc__sys__kernel__sched_rt_runtime_us="950000",
        proc__sys__kernel__sched_rt_period_us="1000000",
        proc__cpuinfo="processor : 0\nflags : fpu vme sse",
        proc__swaps="Filename Type Size Used Priority",
        sys__devices__system__cpu__isolated="3",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_governor="performance",
        sys__devices__system__clocksource__clocksource0__current_clocksource="tsc",
    )
    found = of(machine.facts(root, cpu=3))
    assert [name for name, check in found.items() if check.ok is False and name != "processors"] == []
    assert found["kernel"].found == "6.1.0-rt PREEMPT_RT"
    assert found["machine"].found == "physical"
    assert "isolated" in found["processors"].found


def test_a_machine_that_costs_something(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        proc__sys__kernel__version="#1 SMP PREEMPT_DYNAMIC",
        proc__sys__kernel__osrelease="6.1.0",
        proc__sys__kernel__sched_rt_runtime_us="-1",
        proc__sys__kernel__sched_rt_period_us="1000000",
        proc__cpuinfo="processor : 0\nflags : fpu hypervisor sse",
        proc__swaps="Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_governor="powersave",
        sys__devices__system__cpu__cpu1__cpufreq__scaling_governor="performance",
        sys__devices__system__clocksource__clocksource0__current_clocksource="acpi_pm",
    )
    found = of(machine.facts(root))
    names = ("kernel", "real-time throttling", "frequency of processors", "clock source")
    for name in names:
        assert found[name].ok is False, name
        assert found[name].advice.endswith((".", ")")), name
    assert found["machine"].found == "virtual"
    assert found["frequency of processors"].found == "performance, powersave"
    assert found["swap"].found == "1 device(s)"


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    found = of(machine.facts(tmp_path))
    assert (found["clock source"].found, found["real-time throttling"].found) == ("unknown", "unknown")
    assert machine.steal_ticks(tmp_path) == (0, 0)


def test_steal_is_the_share_between_two_looks(tmp_path: Path) -> None:
    root = made(tmp_path, proc__stat="cpu  10 0 10 70 0 0 0 10 0 0\ncpu0 1 2 3")
    assert machine.steal_ticks(root) == (10, 100)
    assert machine.steal((10, 100), (10, 1100)).ok
    stolen = machine.steal((10, 100), (15, 1100))
    assert (stolen.ok, stolen.found) == (False, "0.50 % of processor time")


def test_what_was_refused_is_said_with_what_to_do() -> None:
    said = (
        "SCHED_FIFO was refused (Operation not permitted)",
        "memory is not locked: the limit is 8 MB",
        "processor 9 was refused: …",
    )
    found = of(machine.granted(Lateness(1, 1, 1, 1, 1, (0,), said=said), cpu=9))
    assert [check.ok for check in found.values()] == [False, False, False]
    assert found["locked memory"].found == said[1]
    assert found["a processor of its own"].found == said[2]
    whole = of(machine.granted(Lateness(1, 1, 1, 1, 1, (0,), fifo=True, locked=True, cpu=9), cpu=9))
    assert [check.ok for check in whole.values()] == [True, True, True]
    assert machine.worst(list(whole.values())) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3 * 10**10), min_size=1, max_size=500))
def test_a_period_that_fits_makes_all_longer_ones_fit(sleeps: list[int]) -> None:
    found = summary(histogram(sleeps))
    shortest = machine.shortest(found)
    fitting = [period for period in PERIODS_NS if machine.fits(found, period)]
    assert fitting == list(PERIODS_NS[PERIODS_NS.index(shortest) :] if shortest else ())
    assert all(max(sleeps) < period for period in fitting)


@pytest.mark.parametrize(
    ("worst_ns", "shortest_ms"),
    [(50_000, 10), (999_000, 10), (1_500_000, 20), (40 * MS, 500), (2000 * MS, None)],
)
def test_the_shortest_period_is_ten_times_what_is_late(worst_ns: int, shortest_ms: int | None) -> None:
    found = machine.shortest(summary(histogram([worst_ns] * 2000)))
    assert found == (None if shortest_ms is None else shortest_ms * MS)


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    memory, disk = machine.storage(tmp_path, tmp_path / "absent")
    assert (memory.ok, disk.ok) == (False, False)
    assert "cannot be written" in disk.found
    assert machine.storage(Path("/dev/shm"), tmp_path)[1].found.count("ms") == 2
    assert list(tmp_path.iterdir()) == []


def test_the_verb_judges_the_periods_of_a_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "site", {})
    done = CliRunner().invoke(app, ["doctor", str(folder), "--seconds", "0.2", "--data", str(tmp_path)])
    assert "task scan, 100 ms:" in done.stdout
    assert "10 ms is the shortest that is promised" in done.stdout
    assert done.exit_code in (0, 1)

    monkeypatch.setattr(machine, "fits", lambda _found, _period_ns: False)
    told = CliRunner().invoke(
        app, ["doctor", str(folder), "--seconds", "0.2", "--json", "--data", str(tmp_path)]
    )
    assert told.exit_code == 1
    document = json.loads(told.stdout)
    assert document["tasks"] == [{"task": "scan", "period_ms": 100.0, "fits": False}]
    assert document["shortest_ms"] is None
    assert document["plain"]["count"] > 0
    assert {check["name"] for check in document["checks"]} >= {
        "kernel",
        "steal",
        "disk",
        "real-time priority",
    }


def test_a_bad_site_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "site", {"case.yaml": "tags: {a/X: {type: nothing}}"})
    done = CliRunner().invoke(app, ["doctor", str(folder)])
    assert done.exit_code == 78
