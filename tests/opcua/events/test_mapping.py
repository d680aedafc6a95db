"""Events of the plant as OPC UA events."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary, variant_to_binary
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.conditions.methods import METHODS
from scada.opcua.events import auditing
from scada.opcua.events.audit import WHO, Audit, plain
from scada.opcua.events.event import Event, at
from scada.opcua.events.mapping import SERVER, Mapper, identity
from scada.opcua.events.types import BASE, EventTypes
from tests.opcua.events.test_audit import ANNA, Log
from tests.support.site import make_site

T = 1_750_000_000_123_456_000
V = ua.VariantType
DER = b"\x30\x82 a certificate"


@pytest.fixture(scope="module")
def mapper() -> Mapper:
    return Mapper(make_site(), auditing.makers("urn:closedloop:small:server"))


def one(mapper: Mapper, **raw: Any) -> Event:
    events = mapper.events({"t": T, "service": "control", **raw})
    assert len(events) == 1
    return events[0]


def field(event: Event, *names: str) -> Any:
    return event.value(at(*names)).Value


def test_every_event_has_the_fields_of_base_event_type(mapper: Mapper) -> None:
    event = one(mapper, kind="mode", path="tank1/LIC-101", to="Manual", reason="PV is not Good")
    assert event.type == BASE
    assert field(event, "SourceNode") == ua.NodeId("tank1/LIC-101", 2)
    assert field(event, "SourceName") == "tank1/LIC-101"
    assert field(event, "Message").Text == "tank1/LIC-101: mode (to Manual, reason PV is not Good)"
    assert 1 <= field(event, "Severity") <= 1000
    assert field(event, "Time").timestamp() == pytest.approx(T / 1e9, abs=1e-6)
    assert field(event, "LocalTime").Offset in range(-840, 841)
    assert len(field(event, "EventId")) == 16
    assert event.path == "tank1/LIC-101"


@pytest.mark.parametrize(
    ("raw", "audit"),
    [
        ({"kind": "mode", "path": "tank1/LIC-101"}, False),
        ({"kind": "edit", "path": "tank1/LT-101", "user": "anna", "reason": "drift"}, True),
        ({"kind": "import", "user": "anna"}, True),
        ({"kind": "opcua", "status": "damaged", "user": "anna", "node": "ns=2;s=tank1/LT-101"}, True),
        ({"kind": "request", "status": "confirmed", "items": 7}, True),
    ],
)
def test_what_people_did_is_for_those_who_audit(mapper: Mapper, raw: dict[str, Any], audit: bool) -> None:
    assert one(mapper, **raw).audit is audit


def test_values_of_texts_are_no_events(mapper: Mapper) -> None:
    assert mapper.events({"kind": "string", "t": T, "path": "tank1/note", "value": "x"}) == []


def test_the_event_id_is_the_same_live_and_from_history() -> None:
    raw = {"kind": "force", "t": T, "path": "a/b", "value": 1.5, "service": "control"}
    assert identity(raw) == identity(dict(reversed(list(raw.items()))))
    assert identity(raw) == identity({key: value for key, value in raw.items() if key != "service"})
    assert identity(raw) != identity({**raw, "value": 1.6})
    assert identity(raw) != identity({**raw, "t": T + 1})
    assert identity(raw) != identity(raw, 1)


def test_what_a_client_did_comes_back_as_audit_event(mapper: Mapper, types: EventTypes) -> None:
    log = Log()
    audit = Audit(log)
    maker = Mapper(make_site(), auditing.makers("urn:server", audit.certificates))
    node, session = ua.NodeId("tank1/LIC-101/SP", 2), ua.NodeId(b"x" * 32, 0)
    token = WHO.set(ANNA)
    try:
        audit.write(0, node, 13, None, ua.Variant(1.0, V.Double), ua.Variant(2.0, V.Double))
        audit.method(0x80150000, node, ua.NodeId("tank1/LIC-101#SetMode", 2), [ua.Variant("Auto")])
        audit.create_session(0, session=session, certificate=DER, timeout_ms=60_000)
        audit.activate_session(0, session=session, token_kind="password", user="anna")
        audit.close_session(session=session, why="Timeout")
        audit.open_channel(0, channel=7, certificate=DER, policy="p", mode=3, request_type=1, lifetime_ms=9.0)
        audit.close_channel(channel=7)
        audit.certificate("Untrusted", 0x801A0000, DER, "not trusted")
        audit.cancel(5, 1)
        audit.history_update("RawModify", 0, node, start=T, end=T + 1, deleted=False)
        audit.history_update("Value", 0, node, perform=1)
        audit.history_update("AtTime", 0, node, times=[T])
        audit.node_management("AddNodes", 0x801F0000)
    finally:
        WHO.reset(token)
    events = [one(maker, **record) for record in log.records]
    expected = [
        "WriteUpdate", "UpdateMethod", "CreateSession", "ActivateSession", "Session", "OpenSecureChannel", "Channel",
        "CertificateUntrusted", "Cancel", "HistoryRawModifyDelete", "HistoryValueUpdate", "HistoryAtTimeDelete",
        "AddNodes",
    ]  # fmt: skip
    assert [event.type for event in events] == [
        ua.NodeId(getattr(ua.ObjectIds, f"Audit{name}EventType")) for name in expected
    ]
    for event in events:
        assert event.audit
        assert field(event, "ClientUserId") == "anna"
        assert field(event, "ServerId") == "urn:server"
        assert field(event, "ClientAuditEntryId") == "entry-1"
        missing = [path for path in mandatory(types, event.type) if path not in event.fields]
        assert missing == []
        unknown = [
            path for path in event.fields if not types.has(event.type, path) and path != at("StatusCodeId")
        ]
        assert set(unknown) <= {
            at(name) for name in ("SessionId", "SecureChannelId", "ClientCertificateThumbprint")
        }
        for value in event.fields.values():  # each can be sent
            assert variant_from_binary(Buffer(variant_to_binary(value))).VariantType is not None
    write, method, create = events[0], events[1], events[2]
    assert (field(write, "OldValue"), field(write, "NewValue"), field(write, "AttributeId")) == (1.0, 2.0, 13)
    assert (field(write, "SourceNode"), write.path) == (node, "tank1/LIC-101/SP")
    assert field(method, "Status") is False
    assert field(method, "InputArguments")[0].Value == "Auto"
    assert field(create, "ClientCertificate") == DER
    assert field(create, "SessionId") == session
    assert field(events[4], "SourceName") == "Session/Timeout"


_HAVE_NO_DATA = {
    at(name)
    for name in (
        "ClientSoftwareCertificates", "UserIdentityToken", "ParameterDataTypeId", "OldValues", "NewValues", "NodesToAdd",
        "ReferencesToAdd", "UpdatedNode",
    )
}  # fmt: skip


def mandatory(types: EventTypes, type_: ua.NodeId) -> list[Any]:
    """Plain fields that the type itself and its super types declare, but those that are null with us."""
    optional = {
        at(name)
        for name in (
            "LocalTime", "ConditionClassId", "ConditionClassName", "ConditionSubClassId", "ConditionSubClassName",
            "ClientApplicationUri", "OutputArguments", "StatusCodeId", "CertificateErrorEventId", "SessionId",
            "SecureChannelId", "CurrentRoleIds",
        )
    }  # fmt: skip
    return [
        path
        for path in types.fields(type_)
        if len(path) == 1 and path not in optional and path not in _HAVE_NO_DATA
    ]


def test_each_method_of_a_condition_has_its_audit_event_by_whichever_node_it_is_called(
    mapper: Mapper,
) -> None:
    for node, method in METHODS.items():
        event = one(
            mapper, kind="opcua", action="UpdateMethod", status=0, method=node.to_string(),
            node="ns=2;s=tank1/LT-101/HH#condition",
        )  # fmt: skip
        type_name, _ = auditing.CONDITION_TYPES[method.request]
        assert event.type == ua.NodeId(getattr(ua.ObjectIds, type_name)), method


def test_a_request_of_the_hmi_is_an_audit_event_when_it_has_ended(mapper: Mapper) -> None:
    raw = {
        "kind": "request", "id": "00", "request": "write", "items": [["tank1/LIC-101/SP", 3], ["tank1/draining", True]],
        "old": [2.5, False], "reasons": [], "user": "anna", "source": "hmi", "role": "operator", "reason": "trial",
    }  # fmt: skip
    assert mapper.events({**raw, "t": T, "status": "accepted"}) == []
    first, second = mapper.events({**raw, "t": T, "status": "confirmed"})
    assert first.type == ua.NodeId(ua.ObjectIds.AuditWriteUpdateEventType)
    assert (field(first, "OldValue"), field(first, "NewValue")) == (2.5, 3.0)
    assert first.value(at("NewValue")).VariantType == V.Double
    assert field(second, "NewValue") is True
    assert field(first, "EventId") != field(second, "EventId")
    refused = mapper.events({**raw, "t": T, "status": "rejected", "reasons": ["5 m is outside"]})[0]
    assert field(refused, "Status") is False
    assert "5 m is outside" in field(refused, "Message").Text
    assert (
        mapper.events({**raw, "t": T, "status": "confirmed", "source": "opcua"}) == []
    )  # recorded as it came in
    shelved = mapper.events(
        {**raw, "t": T, "status": "confirmed", "request": "shelve", "items": [["tank1/LT-101/HH", None]]}
    )[0]
    assert shelved.type == ua.NodeId(ua.ObjectIds.AuditConditionShelvingEventType)


def test_log_ins_elsewhere_are_security_events(mapper: Mapper) -> None:
    event = one(
        mapper, kind="login", user="anna", done="refused", address="10.0.0.1", source="hmi", service="hmi"
    )
    assert event.audit
    assert field(event, "Status") is False
    assert (
        mapper.events({"kind": "login", "t": T, "service": "opcua", "user": "anna", "accepted": True}) == []
    )


def test_services_and_gaps_are_system_events(mapper: Mapper) -> None:
    event = one(
        mapper, kind="service", name="field", state="failed", reason="exit code 1", service="supervisor"
    )
    assert event.type == ua.NodeId(ua.ObjectIds.SystemEventType)
    assert field(event, "SourceNode") == SERVER
    assert field(event, "Severity") == 700
    assert "field: failed exit code 1" in field(event, "Message").Text
    assert "12 events" in field(one(mapper, kind="gap", lost=12), "Message").Text


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    [
        "path", "message", "user", "lost", "state", "reason", "extra", "value", "source", "status", "action", "node",
        "items", "old", "new", "inputs", "session", "detail", "request", "done", "method", "attribute", "certificate",
    ]
)  # fmt: skip


@given(
    st.sampled_from(["mode", "gap", "service", "block", "new-kind", "login", "opcua", "request"]),
    st.dictionaries(_NAMES, _JSON, max_size=6),
)
def test_no_event_of_the_plant_is_an_error(kind: str, more: dict[str, Any]) -> None:
    mapper = Mapper(_SITE, auditing.makers("urn:server"))
    raw = orjson.loads(orjson.dumps({**more, "kind": kind, "t": T}, option=orjson.OPT_NON_STR_KEYS))
    for event in mapper.events(raw):
        for value in event.fields.values():
            variant_to_binary(value)


_SITE = make_site()


@given(
    st.sampled_from(
        [(V.Double, 2.5), (V.Int32, -7), (V.Boolean, True), (V.String, "x"), (V.ByteString, b"\x00\xff")]
    )
)
def test_variants_come_back_from_json(pair: Any) -> None:
    kind, value = pair
    back = auditing.variant(orjson.loads(orjson.dumps(plain(ua.Variant(value, kind)))))
    assert (back.Value, back.VariantType) == (value, kind)
