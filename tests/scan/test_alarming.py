"""What people ask of alarms in a running scan: roles, all or none, kept, checkpointed, replayed and carried over."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from scada.requests import Request
from scada.requests.message import ALARM_KINDS
from scada.scan import build, checkpoint, record, retain, step
from scada.scan.replay import Replay
from scada.scan.retain_text import Text
from scada.scan.transfer import transfer
from tests.scan.plant import LEVEL, PROGRAM, REMOTE, SECOND, START_NS, Plant, plant_site
from tests.scan.test_replay import Recording

ENDS = ("unshelve", "unsuppress", "return", "enable", "enable")
HH, FORCED, FAILED = f"{LEVEL}/HH", "system/control/FORCED", "system/control/FAILED"


@pytest.fixture
def plant() -> Plant:
    made = Plant(registers={LEVEL: 4.9})
    made.scan(scans=5)
    assert made.value(HH) == 3
    return made


@pytest.mark.parametrize("kind", ALARM_KINDS)
def test_who_may(plant: Plant, kind: str) -> None:
    least = "engineer" if kind in ("remove", "return", "enable", "disable") else "operator"
    below = {"engineer": "operator", "operator": "viewer"}[least]
    for role in (below, "viewer", "", "nobody"):
        said = plant.ask(kind, (HH, "x"), role=role)
        assert said == [("rejected", [f"to {kind} takes the role {least}; you are {role or 'nobody'}"])]
    assert plant.value(HH) == 3
    (_, reasons), *_ = plant.ask(kind, (HH, "x"), role=least)
    assert not any("role" in reason for reason in reasons)


def test_a_shelf_from_request_to_its_end(plant: Plant) -> None:
    assert plant.ask("shelve", (HH, None), for_ns=SECOND, reason=" spare part ordered ") == [
        ("confirmed", [])
    ]
    told = [e for e in plant.events if e["kind"] == "alarm"][-1]
    assert told["user"] == "anna"
    assert (told["source"], told["role"], told["comment"]) == ("hmi", "engineer", "spare part ordered")
    assert plant.last.urgent, "kept at once"
    plant.scan(scans=9)
    assert plant.value(HH) == 9
    plant.scan()
    assert plant.value(HH) == 3


def test_all_or_none(plant: Plant) -> None:
    before = checkpoint.dump(PROGRAM, plant.state)["objects"]
    (status, reasons), *_ = plant.ask("acknowledge", (HH, None), (FORCED, None), ("no/such", None))
    assert status == "rejected"
    assert reasons == [f"{FORCED} has nothing to acknowledge", "there is no alarm 'no/such'"]
    assert plant.value(HH) == 3
    after = checkpoint.dump(PROGRAM, plant.state)["objects"]
    moved = {name for name in before if "alarms" in name and before[name] != after[name]}
    assert not any("_all" in name for name in moved)


def test_each_item_has_its_comment_or_the_reason(plant: Plant) -> None:
    plant.ask("comment", (HH, "of its own"), (FORCED, None), (FAILED, ""), reason="for all")
    alarms = plant.state.alarms
    assert [alarms.record(path).comment for path in (HH, FORCED, FAILED)] == [
        (plant.utc_ns, "anna", text) for text in ("of its own", "for all", "")
    ]


def asks(chance: random.Random, n: int) -> list[Request]:
    """A request for alarms now and then."""
    if chance.random() > 0.5:
        return []
    items: list[tuple[str, Any]] = [(path, chance.choice([None, "", f"text {n}"]))
                                    for path in chance.sample([HH, FORCED, FAILED], chance.choice((1, 1, 2)))]  # fmt: skip
    return [Request(f"a{n}", chance.choice((*ALARM_KINDS, *ENDS)), tuple(items), chance.choice(["", "why"]), "hmi", "anna",
                    "engineer", chance.choice([0, SECOND, 5 * SECOND]))]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_kept_text_checkpoint_and_replay_are_the_same(seed: int) -> None:
    chance = random.Random(seed)
    plant = Plant()
    recording = Recording(plant)
    text = Text(PROGRAM, plant.state)
    for n in range(300):
        plant.registers[LEVEL] = chance.choice((2.0, 4.9, plant.registers[LEVEL], plant.registers[LEVEL]))
        plant.registers[REMOTE] = chance.random() > 0.1
        recording.scan(*asks(chance, n), periods=chance.choice((1, 1, 3)))
        kept = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, 0)))
        del kept["utc_ns"]
        assert orjson.loads(b"{%b}" % text.text()) == kept
    done = {e["request"] for e in plant.events if e["kind"] == "request" and e["status"] == "confirmed"}
    assert done >= set(ALARM_KINDS) - {"acknowledge", "confirm"}
    found = orjson.loads(orjson.dumps(checkpoint.dump(PROGRAM, plant.state)))
    state = checkpoint.load(PROGRAM, found)
    replay = Replay(PROGRAM)
    for _ in replay.run(record.items(recording.records, PROGRAM)):
        pass
    assert replay.skipped == replay.gaps == 0
    assert replay.state is not None
    assert checkpoint.differences(checkpoint.dump(PROGRAM, replay.state), found) == []
    for n in range(300, 360):
        told = plant.scan(*asks(chance, n))
        state, _, events = step(PROGRAM, state, *plant.given[-1])
        assert orjson.dumps(events) == orjson.dumps(told)
    assert (
        checkpoint.differences(checkpoint.dump(PROGRAM, state), checkpoint.dump(PROGRAM, plant.state)) == []
    )


def test_a_restart_keeps_shelf_service_and_words(plant: Plant) -> None:
    plant.ask("shelve", (HH, "noisy"), for_ns=3 * SECOND)
    plant.ask("disable", (FORCED, "never"))
    kept = orjson.loads(orjson.dumps(retain.dump(PROGRAM, plant.state, plant.utc_ns)))
    again = Plant(retained=kept, registers={LEVEL: 4.9}, utc_ns=plant.utc_ns + SECOND)
    told = again.scan(scans=2)
    assert (again.value(HH), again.value(FORCED)) == (9, 64)
    assert not [e for e in told if e["kind"] == "alarm"], "announced once"
    for path in (HH, FORCED):
        assert again.state.alarms.record(path) == plant.state.alarms.record(path)
    again.scan(scans=20)
    assert again.value(HH) == 3
    assert START_NS < again.state.alarms.record(HH).active_ns < plant.utc_ns


def test_a_what_if_goes_on_with_them(plant: Plant) -> None:
    plant.ask("shelve", (HH, "noisy"), for_ns=2 * SECOND)
    changed = build(plant_site(digest="another"))
    made = transfer(PROGRAM, plant.state, changed)
    assert made.alarms.record(HH) == plant.state.alarms.record(HH)
    assert made.alarms.shelved() == plant.state.alarms.shelved()
    assert made.alarms.records.number == plant.state.alarms.records.number
