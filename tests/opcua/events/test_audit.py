"""What is recorded of clients: bounded, plain JSON, with who did it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import UserRole
from hypothesis import given
from hypothesis import strategies as st

from scada.clock import SimulatedClock
from scada.opcua.events.audit import BURST, PER_S, WHO, Audit, Who, plain
from scada.opcua.security.caller import Caller

ANNA = Who(
    caller=Caller(role=UserRole.User, name="anna", site_role="operator"),
    session=ua.NodeId(7, 1),
    entry="entry-1",
    channel="12",
    address="10.0.0.7",
    encrypted=True,
)


class Log:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def __call__(self, kind: str, **fields: Any) -> None:
        self.records.append(orjson.loads(orjson.dumps({"kind": kind, **fields})))


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_write_is_recorded_with_who_and_what(log: Log) -> None:
    token = WHO.set(ANNA)
    try:
        Audit(log).write(0, ua.NodeId("tank1/SP", 2), 13, "", ua.Variant(1.0), ua.Variant(2.5))
    finally:
        WHO.reset(token)
    assert log.records == [
        {
            "kind": "opcua", "action": "WriteUpdate", "status": 0, "user": "anna", "address": "10.0.0.7",
            "session": "ns=1;i=7", "entry": "entry-1", "channel": "12", "node": "ns=2;s=tank1/SP",
            "attribute": 13, "old": {"type": "Double", "value": 1.0}, "new": {"type": "Double", "value": 2.5},
        }
    ]  # fmt: skip


def test_strangers_have_a_small_budget_and_what_exceeds_it_is_told(log: Log) -> None:
    clock = SimulatedClock()
    audit = Audit(log, clock)
    for _ in range(500):
        audit.create_session(0, session=None, certificate=None, timeout_ms=1000)
    assert len(log.records) == BURST["stranger"]
    assert audit.suppressed == 500 - BURST["stranger"]
    token = WHO.set(ANNA)  # those who have signed in are recorded all the same
    try:
        audit.method(0, ua.NodeId("a", 2), ua.NodeId("b", 2), [])
    finally:
        WHO.reset(token)
    assert [record["action"] for record in log.records[-2:]] == ["Suppressed", "UpdateMethod"]
    assert log.records[-2]["count"] == 400
    clock.advance(2_000_000_000)
    before = len(log.records)
    for _ in range(500):
        audit.create_session(0, session=None, certificate=None, timeout_ms=1000)
    assert len(log.records) - before == 2 * PER_S["stranger"]


def test_nobody_hides_what_others_do_behind_a_flood(log: Log) -> None:
    audit = Audit(log, SimulatedClock())
    flood = [
        Who(caller=Caller(role=UserRole.User)),
        Who(caller=Caller(role=UserRole.User, name="tom", site_role="operator")),
    ]
    for who in (*flood, ANNA):
        token = WHO.set(who)
        try:
            for _ in range(3000 if who is not ANNA else 1):
                audit.method(0, ua.NodeId("a", 2), ua.NodeId("b", 2), [])
        finally:
            WHO.reset(token)
    assert log.records[-1]["user"] == "anna"
    assert (
        len(log.records) == BURST["anonymous"] + BURST["user"] + 1 + 2
    )  # that some were too many is told twice


def test_certificates_are_kept_by_thumbprint_and_only_so_many(log: Log) -> None:
    audit = Audit(log)
    for number in range(150):
        audit.certificate("Untrusted", 0x801A0000, number.to_bytes(2, "big"))
    assert len(audit.certificates) <= 100
    name = log.records[0]["certificate"]
    assert len(name) == 40


def test_without_a_log_nothing_happens() -> None:
    Audit().write(0, ua.NodeId("x", 2), 13, "", None, None)


_SCALARS = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=2000)
    | st.binary(max_size=2000)
)


@given(st.lists(_SCALARS, max_size=40) | _SCALARS)
def test_whatever_a_client_writes_becomes_json_of_bounded_size(value: Any) -> None:
    variant = ua.Variant(Value=value, VariantType=ua.VariantType.Variant)
    assert len(orjson.dumps(plain(variant))) < 50_000
