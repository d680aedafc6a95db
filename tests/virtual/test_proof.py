"""Writes under faults: none doubled, none after its deadline, none after it was taken back. And the judge has teeth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from scada.control import aftermath
from scada.datadir import DataDir
from scada.field.commands import UNKNOWN, Commands, Order, Outputs
from scada.field.service import Field
from scada.virtual.control import TOLD
from scada.virtual.judge import Judge
from scada.virtual.machine import Machine
from scada.virtual.run import Plan, Report, simulate
from tags.model import Site
from tests.virtual.proof import proof_site

UTC = 1_781_524_800_000_000_000


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return proof_site(tmp_path_factory.mktemp("proof") / "site")


def run(site: Site, seed: int, requests: int, faults: tuple[str, ...] | None = None, **more: Any) -> Report:
    fields = {"hours": 1000.0, "requests_s": 20.0, "fault_s": 6.0, "utc_ns": UTC, **more}
    return simulate(site, Plan(seed=seed, requests=requests, faults=faults, **fields))


def test_faults_double_no_write_and_delay_none(site: Site) -> None:
    report = run(site, 3, 500, calm_s=15.0)
    assert report.breaches == [], report.story
    assert report.counts["commands"] > 300
    assert report.counts["confirmed"] > 150
    assert len(report.faults) > 2


def test_a_seed_is_a_run(site: Site) -> None:
    first, again, other = (run(site, seed, 60, fault_s=1.0, calm_s=1.0, hours=8 / 3600) for seed in (5, 5, 6))
    assert (first.digest, first.counts, first.faults) == (again.digest, again.counts, again.faults)
    assert first.digest != other.digest


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12])
def test_many_writes_under_faults(site: Site, seed: int) -> None:
    report = run(site, seed, 4000)
    assert report.breaches == [], (seed, report.story)


@pytest.mark.slow
def test_a_pulse_that_a_refused_request_shares_with_one_that_is_open_is_no_breach(site: Site) -> None:
    report = run(site, 404, 2500, fault_s=8.0, utc_ns=1_795_431_600_000_000_000)
    assert report.breaches == [], report.story


def test_a_text_is_written_and_confirmed(site: Site, tmp_path: Path) -> None:
    machine = Machine(site, DataDir(tmp_path / "data"), 1, UTC)
    told: list[str] = []
    machine.scanned.append(
        lambda control, events: told.extend(e["status"] for e in events if e["kind"] == "request")
    )
    try:
        machine.arm("PLC1")
        machine.run(2)
        request = {"id": "r1", "kind": "write", "items": [["area1/TEXT", "Grüße"]], "role": "engineer"}
        machine.send(orjson.dumps(request))
        machine.run(2)
        words = machine.plants["PLC1"].registers.holding[500:508]
        assert b"".join(word.to_bytes(2, "big") for word in words).rstrip(b"\0").decode() == "Grüße"
        assert told == ["sent", "confirmed"]
    finally:
        machine.close()


# --- planted bugs ---

Plant = Callable[[pytest.MonkeyPatch], None]


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    """Field does not look at the deadline of a command."""
    real = Outputs.observe

    def observe(self: Outputs, commands: Commands, alive: bool, now_ns: int) -> None:
        real(self, dataclasses.replace(commands, deadline_ns=None), alive, now_ns)

    patch.setattr(Outputs, "observe", observe)


def no_second_look(patch: pytest.MonkeyPatch) -> None:
    """Field writes what it decided on an older word."""
    patch.setattr(Field, "_look_again", lambda self: None)


def pulse_again(patch: pytest.MonkeyPatch) -> None:
    """A pulse whose outcome is unknown is given once more."""
    real = Outputs.written

    def written(self: Outputs, order: Order, result: int, now_ns: int) -> None:
        real(self, order, result, now_ns)
        if result == UNKNOWN and order.reason == "command":
            self._seen[order.index] = 0
            self._pulse_end[order.index] = -1

    patch.setattr(Outputs, "written", written)


def forgetful(patch: pytest.MonkeyPatch) -> None:
    """A new control does not know what the old one had announced."""
    patch.setattr(aftermath, "amend", lambda kept, events: kept)


BUGS: list[tuple[Plant, tuple[str, ...], str]] = [
    (no_deadline, ("unplug", "hang", "freeze control"), "after"),
    (no_second_look, ("disarm", "freeze field"), "not armed"),
    (pulse_again, ("weather",), "twice"),
    (forgetful, ("kill control",), "ended twice"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("bug", "faults", "word"), BUGS, ids=[bug[0].__name__ for bug in BUGS])
def test_a_planted_bug_is_found(
    site: Site, monkeypatch: pytest.MonkeyPatch, bug: Plant, faults: tuple[str, ...], word: str
) -> None:
    assert run(site, 1, 400, faults, fault_s=2.0).breaches == []
    bug(monkeypatch)
    report = run(site, 1, 3000, faults, fault_s=2.0)
    assert any(word in breach for breach in report.breaches), report.breaches


# --- loss of control ---


def crash_loop(site: Site, folder: Path) -> list[str]:
    """Control writes some outputs, then dies in the first scan of each of its lives; what the judge says of it."""
    machine = Machine(site, DataDir(folder), 1, UTC)
    try:
        judge = Judge(machine)
        for name in machine.wires:
            machine.arm(name)
        machine.run(2)
        for n in (2, 6):
            request = {
                "id": f"r{n}",
                "kind": "write",
                "items": [[f"area1/LV-{n}", 100 + n]],
                "role": "engineer",
            }
            machine.send(orjson.dumps(request))
        machine.run(2)
        assert machine.plants["PLC1"].registers.holding[205] == 102
        machine.scanned.append(lambda control, events: setattr(control, "doomed", TOLD))
        for _ in range(200):
            machine.run(0.1)
            judge.look()
        assert machine.supervisor.charges["control"].starts > 4
        return [breach for breach in judge.breaches if "after control was lost" in breach]
    finally:
        machine.close()


def test_a_control_that_dies_in_each_first_scan_is_lost(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crash_loop(site, tmp_path / "as it is") == []
    real = Outputs.observe

    def observe(self: Outputs, commands: Commands, alive: bool, now_ns: int) -> None:
        real(self, dataclasses.replace(commands, silent=None), alive, now_ns)

    monkeypatch.setattr(Outputs, "observe", observe)
    assert crash_loop(site, tmp_path / "planted") != []
