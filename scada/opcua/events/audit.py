"""What clients do, for the record (OPC 10000-4 §6.5, OPC 10000-5 §6.4.3 to §6.4.25).

Each report becomes one event `opcua` in the ring of this service: from there it goes to the historian, and back as an
audit event to the OPC UA clients that may see it. Reports are bounded in size and in number: each user has a budget of
his own, all anonymous callers together have one, and those without a session a small one, so that nobody hides what
another one does. What exceeds it is counted and told.

    iserver.audit.write(status, node, ua.AttributeIds.Value, "", old, new)

Who did it stands in `WHO`, which is set for each request before it is served; tasks inherit it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal

from asyncua import ua

from scada.clock import Clock, SystemClock
from scada.opcua.security.caller import Caller

KIND: Final = "opcua"
TEXT_MAX: Final = 500  # characters of one text in a record
ITEMS_MAX: Final = 20  # of one list in a record
CERTIFICATES_MAX: Final = 100  # kept to be shown in live events; history has their thumbprints
BURST: Final = {"user": 1000.0, "anonymous": 500.0, "stranger": 100.0}
PER_S: Final = {"user": 200.0, "anonymous": 50.0, "stranger": 10.0}
USERS_MAX: Final = 1000  # with a budget of their own at a time

History = Literal["Value", "RawModify", "AtTime", "Event", "Annotation"]
CertificateProblem = Literal["DataMismatch", "Expired", "Invalid", "Untrusted", "Revoked", "Mismatch"]
Log = Callable[..., None]
"""`service.event`: (kind, **fields)."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who a request comes from.

    Attributes:
        caller: Signed in; None before a session is activated.
        session: SessionId; None before there is one.
        entry: `RequestHeader.AuditEntryId`.
        channel: Id of the secure channel.
        address: Of the socket, without the port.
        encrypted: The channel is SignAndEncrypt.
        isession: asyncua's session, for methods that act on it; None for none.
    """

    caller: Caller | None = None
    session: ua.NodeId | None = None
    entry: str = ""
    channel: str = ""
    address: str = ""
    encrypted: bool = False
    isession: Any = None

    @property
    def user(self) -> str:
        """ClientUserId: the name, "" for an anonymous caller."""
        return (self.caller.name or "") if self.caller is not None else ""


WHO: Final[ContextVar[Who]] = ContextVar("who", default=Who())  # noqa: B039 - it is frozen


class Audit:
    """Reports what was done; each method is cheap and never raises.

    Args:
        log: Takes the records.
        clock: For the budgets.

    Attributes:
        suppressed: Reports that were not recorded, in all.
        certificates: DER by SHA-1 thumbprint in hex, the latest `CERTIFICATES_MAX`.
    """

    def __init__(self, log: Log | None = None, clock: Clock | None = None) -> None:
        self._log = log
        self._clock = clock or SystemClock()
        self._left: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()  # (reports, since when)
        self._untold = 0
        self.suppressed = 0
        self.certificates: OrderedDict[str, bytes] = OrderedDict()

    # Channels and certificates

    def open_channel(
        self,
        status: int,
        *,
        channel: object = "",
        certificate: bytes | None = None,
        policy: str = "",
        mode: int = 0,
        request_type: int = 0,
        lifetime_ms: float = 0.0,
    ) -> None:
        """A secure channel was opened or renewed, or refused."""
        self._report(
            "OpenSecureChannel", status, channel=str(channel), certificate=self._thumbprint(certificate),
            policy=policy, mode=int(mode), request=int(request_type), lifetime=float(lifetime_ms),
        )  # fmt: skip

    def close_channel(self, *, channel: object, why: str = "") -> None:
        """A secure channel ended."""
        self._report("Channel", 0, channel=str(channel), message=why)

    def certificate(
        self, problem: CertificateProblem, status: int, certificate: bytes | None, message: str = ""
    ) -> None:
        """A certificate was refused."""
        self._report(
            f"Certificate{problem}", status, certificate=self._thumbprint(certificate), message=message
        )

    # Sessions

    def create_session(
        self, status: int, *, session: ua.NodeId | None, certificate: bytes | None, timeout_ms: float
    ) -> None:
        """CreateSession was answered."""
        self._report(
            "CreateSession", status, session=_node(session), certificate=self._thumbprint(certificate),
            timeout=float(timeout_ms),
        )  # fmt: skip

    def activate_session(
        self, status: int, *, session: ua.NodeId | None, token_kind: str, user: str = ""
    ) -> None:
        """ActivateSession was answered; `token_kind` is `anonymous`, `password` or `certificate`."""
        self._report("ActivateSession", status, session=_node(session), token=token_kind, user=user)

    def close_session(
        self,
        *,
        session: ua.NodeId | None,
        why: Literal["CloseSession", "Timeout", "Terminated"] = "CloseSession",
        user: str | None = None,
    ) -> None:
        """A session ended: by its client, by its timeout, or by us."""
        more = {} if user is None else {"user": user}
        self._report("CloseSession", 0, session=_node(session), why=why, **more)

    def cancel(self, handle: int, count: int) -> None:
        """Cancel was answered."""
        self._report("Cancel", 0, handle=int(handle), count=int(count))

    # Nodes

    def write(
        self,
        status: int,
        node: ua.NodeId,
        attribute: int = ua.AttributeIds.Value,
        index_range: str | None = "",
        old: ua.Variant | None = None,
        new: ua.Variant | None = None,
    ) -> None:
        """One node of a Write was answered."""
        self._report(
            "WriteUpdate", status, node=_node(node), attribute=int(attribute), range=index_range or "",
            old=plain(old), new=plain(new),
        )  # fmt: skip

    def method(
        self, status: int, object_: ua.NodeId, method: ua.NodeId, inputs: Sequence[ua.Variant] | None
    ) -> None:
        """One method of a Call was answered."""
        given = [plain(value) for value in (inputs or ())[:ITEMS_MAX]]
        self._report("UpdateMethod", status, node=_node(object_), method=_node(method), inputs=given)

    def history_update(self, kind: History, status: int, node: ua.NodeId, **what: Any) -> None:
        """One operation of a HistoryUpdate was answered; `what` is for the record, as JSON.

        Args:
            kind: Which of the audit event types.
            status: Result.
            node: Whose history.
            **what: `perform` (PerformUpdateType), `start`, `end` (UTC, ns), `deleted` (IsDeleteModified), `times`
                (UTC, ns), `count` (values).
        """
        self._report(f"History{kind}Update", status, node=_node(node), detail=what)

    def node_management(self, kind: str, status: int, node: ua.NodeId | None = None) -> None:
        """AddNodes, DeleteNodes, AddReferences or DeleteReferences was answered."""
        self._report(kind, status, node=_node(node))

    # Inside

    def _thumbprint(self, certificate: bytes | None) -> str:
        if not certificate:
            return ""
        name = hashlib.sha1(certificate, usedforsecurity=False).hexdigest()
        self.certificates[name] = bytes(certificate)
        self.certificates.move_to_end(name)
        if len(self.certificates) > CERTIFICATES_MAX:
            self.certificates.popitem(last=False)
        return name

    def _report(self, what: str, status: int, **more: Any) -> None:
        if self._log is None:
            return
        who = WHO.get()
        group = "stranger" if who.caller is None else "user" if who.user else "anonymous"
        if not self._allowed(group, who.user):
            self.suppressed += 1
            self._untold += 1
            return
        if self._untold:
            untold, self._untold = self._untold, 0
            self._log(KIND, action="Suppressed", status=0, count=untold)
        fields: dict[str, Any] = {
            "action": what,
            "status": int(status),
            "user": who.user,
            "address": who.address,
        }
        if who.session is not None:
            fields["session"] = _node(who.session)
        if who.entry:
            fields["entry"] = who.entry
        if who.channel:
            fields["channel"] = who.channel
        fields |= {name: value for name, value in more.items() if value not in ("", None)}
        self._log(KIND, **{name: _bounded(value) for name, value in fields.items()})

    def _allowed(self, group: str, user: str) -> bool:
        now = self._clock.monotonic_ns()
        left, since = self._left.pop((group, user), (BURST[group], now))
        left = min(BURST[group], left + (now - since) / 1e9 * PER_S[group])
        self._left[group, user] = (left - 1.0 if left >= 1.0 else left, now)
        if len(self._left) > USERS_MAX:
            self._left.popitem(last=False)
        return left >= 1.0


def plain(variant: ua.Variant | None) -> Any:
    """A variant as JSON: `{"type": "Double", "value": 2.5}`; None for none. What JSON cannot say is its text."""
    if variant is None or variant.Value is None:
        return None
    kind = variant.VariantType
    return {"type": getattr(kind, "name", str(kind)), "value": _plain(variant.Value)}


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, bytes):
        return value[: TEXT_MAX // 2].hex()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value[:ITEMS_MAX]]
    if isinstance(value, ua.NodeId):
        return _node(value)
    if isinstance(value, ua.LocalizedText):
        return _bounded(value.Text or "")
    return _bounded(value if isinstance(value, str) else str(value))


def _node(node: ua.NodeId | None) -> str:
    return "" if node is None else _bounded(node.to_string())


def _bounded(value: Any) -> Any:
    """A text that JSON takes and that is not too long."""
    if isinstance(value, str):
        return value[:TEXT_MAX].encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_bounded(str(name)): _bounded(part) for name, part in list(value.items())[:ITEMS_MAX]}
    if isinstance(value, list | tuple):
        return [_bounded(part) for part in value[:ITEMS_MAX]]
    return value
