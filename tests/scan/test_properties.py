"""Whatever people, panel and process do: a locked valve is not driven, Local is left alone, limits hold, once is once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scada.requests import FINAL, Request
from tests.scan.plant import (
    ARMED,
    DAMPER,
    LEVEL,
    LOCK,
    MODE,
    PANEL,
    PROGRAM,
    PUMP,
    REMOTE,
    SP,
    SPEED,
    VALVE,
    Plant,
)
from tests.support.examples import examples

PATHS = (VALVE, SPEED, PANEL, DAMPER, PUMP, SP, MODE, f"{LOCK}/ACTIVE", "tank1/draining")
LIMITS = {VALVE: (0.0, 100.0), SPEED: (20.0, 80.0), PANEL: (15.0, 26.0)}

_values = st.sampled_from(
    (0, 1, 2, True, False, 18.0, 22.5, 42.0, 79.0, 1e9, -5.0, "Auto", "Manual", "x", None)
)
_write = st.tuples(
    st.just("write"), st.lists(st.tuples(st.sampled_from(PATHS), _values), min_size=1, max_size=3)
)
_force = st.tuples(
    st.just("force"),
    st.lists(
        st.tuples(st.sampled_from((f"{VALVE}/command", f"{SPEED}/command", f"{PANEL}/command", SP, LEVEL)), _values),
        min_size=1, max_size=2,
    ),
)  # fmt: skip
_unforce = st.tuples(st.just("unforce"), st.just([(f"{VALVE}/command", None)]))
_request = st.tuples(st.integers(0, 6), _write | _force | _unforce)
_change = st.sampled_from(
    (
        (LEVEL, 2.0), (LEVEL, 3.9), (LEVEL, 4.9), (REMOTE, False), (REMOTE, True), (ARMED, False), (ARMED, True),
        (VALVE, 66.0), (PANEL, 19.0), ("linked", False), ("linked", True), ("result", 254), ("result", 2), ("result", 0),
        ("deaf", True), ("deaf", False), ("every", 1), ("every", 4),
    )
)  # fmt: skip
_moves = st.lists(
    st.tuples(st.lists(_request, max_size=2), st.lists(_change, max_size=2), st.integers(1, 8)), max_size=25
)


_any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**64) | st.text("aä\0/", max_size=5),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@examples(100)
@given(
    st.sampled_from(("write", "force", "unforce", "acknowledge")),
    st.lists(
        st.tuples(st.sampled_from([*PROGRAM.tags, "x"]), _any),
        min_size=1,
        max_size=4,
        unique_by=lambda i: i[0],
    ),
)
def test_nothing_that_is_sent_stops_the_scan(kind: str, items: list[tuple[str, Any]]) -> None:
    plant = Plant()
    plant.scan(scans=3)
    told = plant.ask(kind, *items, role="admin", for_ns=10**9, scans=3)
    assert told
    assert not any("internal error" in reason for _, reasons in told for reason in reasons)


@examples(75)
@given(_moves)
def test_no_sequence_of_requests_gets_past_what_guards_an_output(moves: list[Any]) -> None:
    plant = Plant()
    plant.scan(scans=3)
    seen: set[str] = set()
    for requests, changes, scans in moves:
        for what, value in changes:
            if what in ("linked", "result", "deaf", "every"):
                setattr(plant, what, value)
            else:
                plant.registers[what] = value
        batch = []
        for number, (kind, items) in requests:
            unique = tuple(dict(items).items())
            batch.append(Request(f"r{number}", kind, unique, role="engineer", source="hmi", for_ns=3 * 10**9))
            seen.add(f"r{number}")
        for _ in range(scans):
            locked = plant.registers[LEVEL] > 4.5
            local = not plant.registers[REMOTE] or not plant.registers[ARMED]
            # Without the link the interlock keeps what it saw last.
            judged = plant.linked and plant.status.get(LEVEL, 0) == 0
            before = len(plant.writes)
            plant.scan(*batch)
            batch = []
            for _, path, value in plant.writes[before:]:
                if path in LIMITS:
                    low, high = LIMITS[path]
                    assert low <= value <= high, (path, value)
                if path == VALVE:
                    assert not local, "driven in Local or unarmed"
                    assert not (judged and locked) or value == 0.0, "a locked valve was driven"
    ended = Counter(
        e["id"]
        for e in plant.events
        if e["kind"] == "request" and e["status"] in FINAL and not e.get("repeated")
    )
    assert max(ended.values(), default=1) == 1, "an outcome is final"
    plant.result, plant.linked = 0, True
    late = plant.scan(scans=80)
    ended.update(
        e["id"] for e in late if e["kind"] == "request" and e["status"] in FINAL and not e.get("repeated")
    )
    assert set(ended) == seen, "every request ends"
    pulses = sum(path == PUMP for _, path, _ in plant.writes)
    asked = sum(
        any(path == PUMP for path, _ in event["items"])
        for event in plant.events
        if event["kind"] == "request" and event["status"] == "sent" and not event.get("repeated")
    )
    assert pulses <= asked, "no pulse without a request"
