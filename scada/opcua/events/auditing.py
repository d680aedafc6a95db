"""Audit events (OPC 10000-5 §6.4.3 ff.) of what clients did (`events.audit`) and of what people asked for elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from asyncua import ua

from scada.opcua.events.event import NULL, Event, at
from scada.opcua.events.mapping import SERVER, Frame, Maker, Raw
from scada.opcua.events.types import Path
from scada.opcua.nodes.ids import MARK, NAMESPACE, node_id
from scada.opcua.types import VARIANT, time_of

V = ua.VariantType
Fields = dict[Path, ua.Variant]
ENDED: Final = frozenset({"confirmed", "rejected", "timed out", "mismatched", "superseded"})
_GOOD, _BAD = 100, 400  # severity

# What a client did: (EventType, SourceName).
_ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "OpenSecureChannel": ("AuditOpenSecureChannelEventType", "SecureChannel/OpenSecureChannel"),
    "Channel": ("AuditChannelEventType", "SecureChannel/CloseSecureChannel"),
    "CreateSession": ("AuditCreateSessionEventType", "Session/CreateSession"),
    "ActivateSession": ("AuditActivateSessionEventType", "Session/ActivateSession"),
    "CloseSession": ("AuditSessionEventType", "Session/CloseSession"),
    "Cancel": ("AuditCancelEventType", "Session/Cancel"),
    "WriteUpdate": ("AuditWriteUpdateEventType", "Attribute/Write"),
    "UpdateMethod": ("AuditUpdateMethodEventType", "Attribute/Call"),
    "HistoryValueUpdate": ("AuditHistoryValueUpdateEventType", "Attribute/HistoryUpdate"),
    "HistoryRawModifyUpdate": ("AuditHistoryRawModifyDeleteEventType", "Attribute/HistoryUpdate"),
    "HistoryAtTimeUpdate": ("AuditHistoryAtTimeDeleteEventType", "Attribute/HistoryUpdate"),
    "HistoryEventUpdate": ("AuditHistoryEventUpdateEventType", "Attribute/HistoryUpdate"),
    "HistoryAnnotationUpdate": ("AuditHistoryAnnotationUpdateEventType", "Attribute/HistoryUpdate"),
    "AddNodes": ("AuditAddNodesEventType", "NodeManagement/AddNodes"),
    "DeleteNodes": ("AuditDeleteNodesEventType", "NodeManagement/DeleteNodes"),
    "AddReferences": ("AuditAddReferencesEventType", "NodeManagement/AddReferences"),
    "DeleteReferences": ("AuditDeleteReferencesEventType", "NodeManagement/DeleteReferences"),
    **{
        f"Certificate{problem}": (f"AuditCertificate{problem}EventType", "Security/Certificate")
        for problem in ("DataMismatch", "Expired", "Invalid", "Untrusted", "Revoked", "Mismatch")
    },
}
_ENDS: Final = {"Timeout": "Session/Timeout", "Terminated": "Session/Terminated"}

# Methods and requests on conditions: (EventType, SourceName by OPC 10000-9 §5.10).
CONDITION_TYPES: Final[dict[str, tuple[str, str]]] = {
    "acknowledge": ("AuditConditionAcknowledgeEventType", "Method/Acknowledge"),
    "confirm": ("AuditConditionConfirmEventType", "Method/Confirm"),
    "comment": ("AuditConditionCommentEventType", "Method/AddComment"),
    "enable": ("AuditConditionEnableEventType", "Method/Enable"),
    "disable": ("AuditConditionEnableEventType", "Method/Disable"),
    "shelve": ("AuditConditionShelvingEventType", "Method/TimedShelve"),
    "unshelve": ("AuditConditionShelvingEventType", "Method/Unshelve"),
    "suppress": ("AuditConditionSuppressionEventType", "Method/Suppress"),
    "unsuppress": ("AuditConditionSuppressionEventType", "Method/Unsuppress"),
    "remove": ("AuditConditionOutOfServiceEventType", "Method/RemoveFromService"),
    "return": ("AuditConditionOutOfServiceEventType", "Method/PlaceInService"),
}
_ALARM_METHODS: Final[dict[int, str]] = {
    ua.ObjectIds.AcknowledgeableConditionType_Acknowledge: "acknowledge",
    ua.ObjectIds.AcknowledgeableConditionType_Confirm: "confirm",
    ua.ObjectIds.ConditionType_AddComment: "comment",
    ua.ObjectIds.ConditionType_Enable: "enable",
    ua.ObjectIds.ConditionType_Disable: "disable",
    ua.ObjectIds.AlarmConditionType_Suppress: "suppress",
    ua.ObjectIds.AlarmConditionType_Suppress2: "suppress",
    ua.ObjectIds.AlarmConditionType_Unsuppress: "unsuppress",
    ua.ObjectIds.AlarmConditionType_Unsuppress2: "unsuppress",
    ua.ObjectIds.AlarmConditionType_RemoveFromService: "remove",
    ua.ObjectIds.AlarmConditionType_RemoveFromService2: "remove",
    ua.ObjectIds.AlarmConditionType_PlaceInService: "return",
    ua.ObjectIds.AlarmConditionType_PlaceInService2: "return",
    **{
        getattr(ua.ObjectIds, f"{of}{name}{with_comment}"): kind
        for of in ("ShelvedStateMachineType_", "AlarmConditionType_ShelvingState_")
        for name, kind in (("TimedShelve", "shelve"), ("OneShotShelve", "shelve"), ("Unshelve", "unshelve"))
        for with_comment in ("", "2")
    },
}
_EVENT_ID_FIRST: Final = frozenset({"acknowledge", "confirm", "comment"})


def makers(
    server_id: str, certificates: Mapping[str, bytes] | None = None, source: str = "opcua"
) -> dict[str, Maker]:
    """Makers of audit events by kind of event of the plant.

    Args:
        server_id: ServerId: the server's ApplicationUri.
        certificates: DER by thumbprint (`Audit.certificates`).
        source: Requests of this source were recorded where they came in.
    """
    known = certificates if certificates is not None else {}

    def client(frame: Frame, raw: Raw) -> list[Event]:
        return _client(frame, raw, server_id, known)

    def request(frame: Frame, raw: Raw) -> list[Event]:
        return [] if raw.get("source") == source else _request(frame, raw, server_id)

    def login(frame: Frame, raw: Raw) -> list[Event]:
        return [] if raw.get("service") == source else _login(frame, raw, server_id)

    return {"opcua": client, "request": request, "login": login}


def _audit(
    frame: Frame,
    raw: Raw,
    server_id: str,
    type_name: str,
    message: str,
    *,
    ok: bool,
    path: str = "",
    source: tuple[ua.NodeId, str],
    part: int = 0,
    more: Fields | None = None,
) -> Event:
    type_ = ua.NodeId(getattr(ua.ObjectIds, type_name))
    fields = frame.base(
        raw, type_, message, severity=_GOOD if ok else _BAD, path=path, source=source, part=part
    )
    fields |= {
        at("ActionTimeStamp"): ua.Variant(time_of(int(raw["t"])), V.DateTime),
        at("Status"): ua.Variant(ok, V.Boolean),
        at("ServerId"): ua.Variant(server_id, V.String),
        at("ClientAuditEntryId"): ua.Variant(str(raw.get("entry", "")), V.String),
        at("ClientUserId"): ua.Variant(str(raw.get("user", "")), V.String),
        **(more or {}),
    }
    return Event(type_, fields, path=path, audit=True, t_ns=int(raw["t"]))


def _client(frame: Frame, raw: Raw, server_id: str, certificates: Mapping[str, bytes]) -> list[Event]:
    action, status = str(raw.get("action", "")), int(raw.get("status", 0))
    if action == "Suppressed":
        return [
            _audit(
                frame, raw, server_id, "AuditEventType", f"{raw.get('count')} audit events were too many to be kept",
                ok=False, source=(SERVER, "Audit"),
            )
        ]  # fmt: skip
    type_name, source_name = _ACTIONS.get(action, ("AuditEventType", action))
    source_name = _ENDS.get(str(raw.get("why", "")), source_name)
    node = _node(raw.get("node"))
    if action == "UpdateMethod" and (alarm := _alarm_method(raw)) is not None:
        type_name, source_name = CONDITION_TYPES[alarm]
    more: Fields = {at("StatusCodeId"): ua.Variant(ua.StatusCode(status), V.StatusCode)}
    for name, (field_name, make) in _DETAILS.items():
        if name in raw:
            more[at(field_name)] = make(raw[name])
    more |= _for_action(action, raw, certificates)
    named = node is not None and action not in (
        "AddNodes",
        "DeleteNodes",
        "AddReferences",
        "DeleteReferences",
    )
    path = _path(node) if node is not None and named else ""
    message = f"{action} by {raw.get('user') or raw.get('address') or 'a client'}"
    if path:
        message += f": {path}"
    if status:
        message += f", refused: {ua.StatusCode(status).name}"
    return [
        _audit(
            frame, raw, server_id, type_name, f"{message} {raw.get('message', '')}".strip(), ok=not status & 0x8000_0000,
            path=path, source=(node if node is not None and named else SERVER, source_name), more=more,
        )
    ]  # fmt: skip


def _text(value: Any) -> ua.Variant:
    return ua.Variant(str(value), V.String)


def _milliseconds(value: Any) -> ua.Variant:
    return ua.Variant(float(value), V.Double)


_DETAILS: Final[dict[str, tuple[str, Callable[[Any], ua.Variant]]]] = {
    "channel": ("SecureChannelId", _text),
    "session": ("SessionId", lambda value: ua.Variant(_node(value) or ua.NodeId(), V.NodeId)),
    "certificate": ("ClientCertificateThumbprint", _text),
    "policy": ("SecurityPolicyUri", _text),
    "mode": ("SecurityMode", lambda value: ua.Variant(int(value), V.Int32)),
    "request": ("RequestType", lambda value: ua.Variant(int(value), V.Int32)),
    "lifetime": ("RequestedLifetime", _milliseconds),
    "timeout": ("RevisedSessionTimeout", _milliseconds),
    "handle": ("RequestHandle", lambda value: ua.Variant(int(value) & 0xFFFF_FFFF, V.UInt32)),
}


def _for_action(action: str, raw: Raw, certificates: Mapping[str, bytes]) -> Fields:
    """The fields that only one sort of audit event has."""
    der = certificates.get(str(raw.get("certificate", "")))
    if action.startswith("Certificate"):
        return {at("Certificate"): ua.Variant(der, V.ByteString)}
    if action in ("CreateSession", "OpenSecureChannel"):
        return {at("ClientCertificate"): ua.Variant(der, V.ByteString)}
    if action == "WriteUpdate":
        return {
            at("AttributeId"): ua.Variant(int(raw.get("attribute", 13)), V.UInt32),
            at("IndexRange"): _text(raw.get("range", "")),
            at("OldValue"): variant(raw.get("old")),
            at("NewValue"): variant(raw.get("new")),
        }
    if action == "UpdateMethod":
        given = [variant(value) for value in raw.get("inputs") or ()]
        fields = {
            at("MethodId"): ua.Variant(_node(raw.get("method")) or ua.NodeId(), V.NodeId),
            at("InputArguments"): ua.Variant(given, V.Variant, is_array=True),
        }
        if _alarm_method(raw) in _EVENT_ID_FIRST and len(given) > 1:
            fields[at("ConditionEventId")] = given[0]
            fields[at("Comment")] = ua.Variant(ua.LocalizedText(str(given[1].Value or "")), V.LocalizedText)
        return fields
    if action.startswith("History"):
        return _history(raw)
    return {}


def _history(raw: Raw) -> Fields:
    told = raw.get("detail")
    what: Mapping[str, Any] = told if isinstance(told, dict) else {}
    fields: Fields = {at("UpdatedNode"): ua.Variant(_node(raw.get("node")) or ua.NodeId(), V.NodeId)}
    if isinstance(what.get("perform"), int):
        fields[at("PerformInsertReplace")] = ua.Variant(what["perform"], V.Int32)
    if isinstance(what.get("deleted"), bool):
        fields[at("IsDeleteModified")] = ua.Variant(what["deleted"], V.Boolean)
    for name, field_name in (("start", "StartTime"), ("end", "EndTime")):
        if isinstance(what.get(name), int):
            fields[at(field_name)] = ua.Variant(time_of(what[name]), V.DateTime)
    if isinstance(what.get("times"), list):
        times = [time_of(t) for t in what["times"] if isinstance(t, int)]
        fields[at("ReqTimes")] = ua.Variant(times, V.DateTime, is_array=True)
    return fields


def _request(frame: Frame, raw: Raw, server_id: str) -> list[Event]:
    """A request that did not come over OPC UA, when it has ended: one event for each item."""
    status, kind = raw.get("status"), str(raw.get("request", ""))
    if status not in ENDED or raw.get("repeated"):
        return []
    ok = status == "confirmed"
    type_name, source_name = CONDITION_TYPES.get(
        kind, ("AuditWriteUpdateEventType", "Attribute/Write") if kind == "write" else ("AuditUpdateEventType", f"Request/{kind}")
    )  # fmt: skip
    items, old = raw.get("items") or [], raw.get("old") or []
    events = []
    for part, item in enumerate(items):
        path, value = str(item[0]), item[1]
        more: Fields = {}
        if kind == "write":
            more = {
                at("AttributeId"): ua.Variant(13, V.UInt32),
                at("IndexRange"): _text(""),
                at("OldValue"): _of_tag(frame, path, old[part] if part < len(old) else None),
                at("NewValue"): _of_tag(frame, path, value),
            }
        elif kind in CONDITION_TYPES and raw.get("reason"):
            more = {at("Comment"): ua.Variant(ua.LocalizedText(str(raw["reason"])), V.LocalizedText)}
        message = f"{kind} {path} by {raw.get('user') or '?'} ({raw.get('source', '')}): {status}"
        why = "; ".join(str(reason) for reason in raw.get("reasons") or ())
        events.append(
            _audit(
                frame, raw, server_id, type_name, f"{message} {why}".strip(), ok=ok, path=path,
                source=(node_id(path) if path in frame.tags else SERVER, source_name), part=part, more=more,
            )
        )  # fmt: skip
    return events


def _login(frame: Frame, raw: Raw, server_id: str) -> list[Event]:
    done = str(raw.get("done") or ("signed in" if raw.get("accepted") else "refused"))
    user, source = raw.get("user") or "somebody", str(raw.get("source", ""))
    return [
        _audit(
            frame, raw, server_id, "AuditSecurityEventType", f"{user}: {done} ({source} {raw.get('address', '')})",
            ok=done != "refused", source=(SERVER, f"Security/{source}"),
        )
    ]  # fmt: skip


def variant(told: Any) -> ua.Variant:
    """The inverse of `audit.plain`, as far as JSON kept the value: numbers, Booleans, texts, bytes; else its text."""
    if not isinstance(told, dict) or told.get("value") is None:
        return NULL
    value = told["value"]
    kind = V.__members__.get(str(told.get("type")), V.String)
    if isinstance(value, list):
        return ua.Variant([str(part) for part in value], V.String, is_array=True)
    if isinstance(value, bool):
        return ua.Variant(value, V.Boolean)
    if kind == V.ByteString and isinstance(value, str):
        return ua.Variant(bytes.fromhex(value), kind)
    number = isinstance(value, int | float) and kind in VARIANT.values() and kind not in (V.String, V.Boolean)
    if number or kind in (V.SByte, V.Byte):
        return ua.Variant(float(value) if kind in (V.Double, V.Float) else value, kind)
    return ua.Variant(str(value), V.String)


def _of_tag(frame: Frame, path: str, value: Any) -> ua.Variant:
    tag = frame.tags.get(path)
    if tag is None or value is None:
        return NULL
    kind = VARIANT[tag.type]
    if kind in (V.Double, V.Float) and isinstance(value, int | float):
        value = float(value)
    return ua.Variant(value, kind)


def _alarm_method(raw: Raw) -> str | None:
    method = _node(raw.get("method"))
    if method is None or method.NamespaceIndex != 0 or not isinstance(method.Identifier, int):
        return None
    return _ALARM_METHODS.get(method.Identifier)


def _node(text: Any) -> ua.NodeId | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError):
        return None


def _path(node: ua.NodeId) -> str:
    """The tag or folder that a node of the site belongs to."""
    if node.NamespaceIndex != NAMESPACE or not isinstance(node.Identifier, str):
        return ""
    return node.Identifier.partition(MARK)[0]
