"""What the judge lets pass is no hole: for each thing that it forgives, a defect next to it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from scada.datadir import DataDir
from scada.field.commands import Order, Outputs
from scada.requests import Entry, Ledger
from scada.scan import orders
from scada.virtual.judge import Judge
from scada.virtual.machine import Machine
from scada.virtual.people import Asked
from scada.virtual.wire import Weather, Written
from tags.model import Site
from tests.virtual.proof import proof_site

UTC = 1_781_524_800_000_000_000
START = "area1/P-1/START"
SWITCH = "area1/FD-1"
LEVEL = "area1/LV-4"
RENEWED = "area1/LV-2"
REMOTE = 0


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return proof_site(tmp_path_factory.mktemp("proof") / "site", devices=2, outputs=4)


class Rig:
    """A plant at work with a judge, no faults and nobody who asks but the test."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.machine = Machine(site, DataDir(folder), 1, UTC)
        self.judge = Judge(self.machine)
        self.count = 0
        for name in self.machine.wires:
            self.machine.arm(name)
        self.run(4)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.machine.run(0.1)
            self.judge.look()

    def ask(self, *items: tuple[str, Any], deadline_s: float = 5.0) -> str:
        self.count += 1
        id_, deadline_ns = f"r{self.count}", round(deadline_s * 1e9)
        fields = {"id": id_, "kind": "write", "items": items, "role": "engineer", "deadline_ns": deadline_ns}
        asked = Asked(id_, items, deadline_ns, self.machine.world.now_ns, orjson.dumps(fields))
        self.judge.asked(asked)
        self.machine.send(asked.data)
        return id_

    def status(self, id_: str) -> str:
        return self.judge.cases[id_].status

    def remote(self, remote: bool) -> None:
        self.machine.plants["PLC1"].registers.discretes[REMOTE] = remote

    def value(self, path: str) -> Any:
        return self.judge._register(self.machine.site.by_path()[path])

    def sends(self, path: str, bits: int, reason: str = "command") -> None:
        """Field has a defect: it sends this."""
        outputs, index = self.field()
        mine = Order(index(path), bits, 0, reason)
        done: list[Order] = []
        due, written = outputs.due, outputs.written

        def planted(now_ns: int) -> list[Order]:
            return due(now_ns) if done else [mine]

        def noted(order: Order, result: int, now_ns: int) -> None:
            if order is mine:
                done.append(order)
            written(order, result, now_ns)

        outputs.due, outputs.written, outputs.next_ns = planted, noted, 0  # type: ignore[method-assign]
        self.run(0.6)
        assert done
        outputs.due, outputs.written = due, written  # type: ignore[method-assign]

    def finds(self, words: str) -> None:
        assert any(words in breach for breach in self.judge.breaches), self.judge.breaches

    def field(self) -> tuple[Outputs, Callable[[str], int]]:
        """Field's state machine for PLC1, and where in it an output is."""
        life: Any = self.machine.supervisor.life("field")
        poller = next(one for one in life.field._pollers if one.name == "PLC1")
        return poller.writer.outputs, lambda path: poller.command_paths.index(f"{path}/command")


@pytest.fixture
def rig(site: Site, tmp_path: Path) -> Iterator[Rig]:
    one = Rig(site, tmp_path / "data")
    yield one
    one.machine.close()


def test_two_requests_for_one_pulse_of_which_the_first_is_refused_for_another_item(rig: Rig) -> None:
    for plant in rig.machine.plants.values():
        plant.registers.discretes[REMOTE] = True
    rig.run(1)
    rig.ask((START, True))
    rig.run(0.2)  # pressed, so that the next press waits for the release
    rig.machine.plants["PLC2"].registers.discretes[REMOTE] = False
    both = []
    for _ in range(3):  # one of them is accepted in the scan in which control sees the selector
        both.append(rig.ask((START, True), ("area2/LV-1", 1000 + rig.count)))
        rig.run(0.1)
    last = rig.ask((START, True))
    rig.run(3)
    assert "rejected" in {rig.status(id_) for id_ in both}
    assert rig.status(last) == "confirmed"
    assert rig.judge.breaches == []


def test_a_calm_plant_has_no_breach(rig: Rig) -> None:
    rig.remote(True)
    rig.run(1)
    ids = [
        rig.ask((path, value)) for path, value in ((START, True), (SWITCH, True), (LEVEL, 5), (RENEWED, 6))
    ]
    rig.run(8)
    assert [rig.status(id_) for id_ in ids] == ["confirmed"] * 4
    assert rig.judge.breaches == []


def confirmed(rig: Rig, *items: tuple[str, Any]) -> None:
    rig.remote(True)
    rig.run(1)
    id_ = rig.ask(*items)
    rig.run(2)
    assert rig.status(id_) == "confirmed"
    assert rig.judge.breaches == []


def test_a_pulse_without_a_request_is_found(rig: Rig) -> None:
    confirmed(rig, (START, True))
    rig.sends(START, 1)
    rig.finds("nobody asked")


def test_a_second_pulse_for_an_open_request_is_found(rig: Rig) -> None:
    rig.remote(True)
    rig.run(1)
    wire = rig.machine.wires["PLC1"]

    def no_reply(written: Written) -> None:
        wire.weather = Weather(mute=1.0)

    rig.machine.written.append(no_reply)
    id_ = rig.ask((START, True))
    rig.run(0.3)
    assert rig.value(START)
    rig.machine.written.remove(no_reply)
    wire.weather = Weather()
    rig.run(2.5)
    assert rig.status(id_) == "sent"
    assert rig.judge.breaches == []
    rig.sends(START, 1)
    rig.finds("sent twice")


def test_a_switch_that_nobody_asked_for_is_found(rig: Rig) -> None:
    confirmed(rig, (SWITCH, True))
    rig.sends(SWITCH, 0)
    rig.finds("nobody asked")


def test_a_switch_whose_request_has_ended_is_found(rig: Rig) -> None:
    rig.machine.wires["PLC1"].frozen = True
    id_ = rig.ask((SWITCH, True), deadline_s=0.3)
    rig.run(0.6)
    assert rig.status(id_) == "timed out"
    rig.machine.wires["PLC1"].frozen = False
    rig.run(3)
    assert rig.judge.breaches == []
    rig.sends(SWITCH, 1)
    rig.finds("nobody asked")


def test_a_switch_that_is_sent_again_is_found(rig: Rig) -> None:
    confirmed(rig, (SWITCH, True))
    rig.run(3)
    rig.sends(SWITCH, 1)
    rig.finds("though the device has it")


def test_a_confirmed_value_that_another_has_replaced_is_found(rig: Rig) -> None:
    confirmed(rig, (LEVEL, 5))
    confirmed(rig, (LEVEL, 6))
    rig.sends(LEVEL, 5)
    rig.finds("not the output's value any more")


def test_a_loss_value_while_control_lives_is_found(rig: Rig) -> None:
    confirmed(rig, (RENEWED, 5))
    rig.sends(RENEWED, 7)
    rig.finds("nobody asked")


def test_a_value_that_is_renewed_too_often_is_found(rig: Rig) -> None:
    confirmed(rig, (RENEWED, 5))
    rig.run(4)
    assert rig.judge.breaches == []
    rig.sends(RENEWED, 5)
    rig.sends(RENEWED, 5)
    rig.finds("after the last time")


def test_a_renewal_of_what_somebody_else_wrote_is_found(rig: Rig) -> None:
    confirmed(rig, (RENEWED, 5))
    rig.machine.plants["PLC1"].registers.holding[205] = 55
    rig.sends(RENEWED, 55)
    rig.finds("nobody asked")


def test_a_pulse_that_is_released_again_and_again_is_found(rig: Rig) -> None:
    confirmed(rig, (START, True))
    rig.remote(False)
    rig.run(4)
    assert rig.judge.breaches == []
    rig.sends(START, 0, "release")
    rig.finds("released again")


def test_what_is_sent_in_local_is_found_also_when_control_has_died_since(rig: Rig) -> None:
    confirmed(rig, ("area1/LV-1", 5))
    rig.remote(False)
    rig.run(4)
    process = rig.machine.process("control")
    assert process is not None
    process.freeze()
    rig.run(1.5)
    assert rig.judge.breaches == []
    rig.sends("area1/LV-1", 5)
    rig.finds("in Local")


def test_what_was_not_accepted_yet_is_found(rig: Rig) -> None:
    rig.judge.asked(Asked("r77", ((LEVEL, 77),), 10**9, 0, b""))
    rig.sends(LEVEL, 77)
    rig.finds("before it was accepted")


def test_a_refused_item_is_found_though_another_was_done(rig: Rig) -> None:
    rig.remote(True)
    rig.run(1)
    rig.machine.arm("PLC2", False)
    rig.run(1)
    id_ = rig.ask((LEVEL, 5), ("area2/LV-4", 6))
    rig.run(1)
    assert rig.status(id_) == "rejected"
    rig.sends(LEVEL, 5)
    rig.finds("it was refused")


def test_what_is_sent_late_is_found_while_control_is_frozen(rig: Rig) -> None:
    rig.machine.wires["PLC1"].frozen = True
    rig.ask((LEVEL, 5), deadline_s=0.5)
    rig.run(0.2)
    process = rig.machine.process("control")
    assert process is not None
    process.freeze()
    rig.machine.wires["PLC1"].frozen = False
    rig.run(2)
    assert rig.judge.breaches == []
    rig.sends(LEVEL, 5)
    rig.finds("after its deadline")


def test_what_control_took_back_is_found(rig: Rig) -> None:
    confirmed(rig, ("area1/LV-1", 5))
    rig.remote(False)
    rig.run(1)  # too short for the rule about Local
    rig.sends("area1/LV-1", 5)
    rig.finds("taken the command back")


def test_a_request_with_more_time_than_it_asked_for_is_found(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generous(request: Any, items: Any, deadline: int = 0) -> Entry:
        return Entry(request, items, deadline + 10**9)

    monkeypatch.setattr(orders, "Entry", generous)
    rig.ask((LEVEL, 5))
    rig.run(0.2)
    rig.finds("more than it asked for")


def test_a_request_that_stays_open_after_its_outcome_is_found(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "close", lambda self: None)
    rig.ask((LEVEL, 5))
    rig.run(2)
    rig.finds("is open, and it had ended")


def test_a_refused_request_may_be_refused_by_the_next_control_too_but_not_twice_by_one(rig: Rig) -> None:
    refused = rig.ask((LEVEL, -1))
    data = rig.judge.cases[refused].asked.data
    rig.run(1)
    rig.machine.kill("control")
    rig.run(4)
    rig.machine.send(data)
    rig.run(1)
    assert rig.judge.counts["rejected"] == 2
    assert rig.judge.breaches == []
    control = rig.machine.control
    assert control is not None
    control.state.ledger._rejected.clear()
    rig.machine.send(data)
    rig.run(1)
    rig.finds("ended twice")


def test_an_accepted_request_that_a_new_control_does_again_is_found(rig: Rig) -> None:
    rig.machine.wires["PLC1"].frozen = True
    id_ = rig.ask((LEVEL, 5), deadline_s=0.3)
    rig.run(1)
    assert rig.status(id_) == "timed out"
    control = rig.machine.control
    assert control is not None
    control.state.ledger._outcomes.clear()
    rig.machine.wires["PLC1"].frozen = False
    rig.run(3)
    rig.machine.send(rig.judge.cases[id_].asked.data)
    rig.run(1)
    rig.finds("had ended")
