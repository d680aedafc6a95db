"""Alarms & Conditions: the alarms of the plant as conditions, and what clients do with them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from tests.opcua.conformance.case import At, good, is_, negative, positive
from tests.opcua.conformance.peers import Session
from tests.opcua.conformance.services import (
    CONDITION,
    SERVER,
    Fields,
    browse,
    call,
    children,
    events,
    field,
    listening,
    monitor,
    publish,
    subscribe,
    tag,
    value,
)
from tests.support.wait import until

LEVEL: Final = "tank1/LT-101/HH"
LOW: Final = "tank1/LT-101/LL"
SWITCH: Final = "tank1/LSHH-101/ON"  # wants to be confirmed
OTHER: Final = "ahu1/TSLL-203/ON"
OFF_NORMAL, LEVEL_TYPE, SYSTEM_TYPE = "i=10637", "i=10060", "i=11753"
ENABLE, DISABLE, COMMENT, ACKNOWLEDGE, CONFIRM = "i=9027", "i=9028", "i=9029", "i=9111", "i=9113"
SUPPRESS, UNSUPPRESS, REMOVE, PLACE = "i=16403", "i=17868", "i=17869", "i=17870"
TIMED, ONCE, UNSHELVE = "i=9213", "i=9212", "i=9211"
REFRESH, REFRESH_2 = "i=3875", "i=12912"
REFRESH_START, REFRESH_END = "i=2787", "i=2788"
ALARM, ACKNOWLEDGEABLE = "i=2915", "i=2881"
NAMES: Final = (
    "EventId", "EventType", "SourceName", "Retain", "ActiveState/Id", "AckedState/Id", "ConfirmedState/Id", "Comment",
    "EnabledState/Id", "SuppressedOrShelved", "ShelvingState/CurrentState/Id", "SuppressedState/Id",
    "OutOfServiceState/Id", "ClientUserId", "ConditionName", "ConditionClassId", "OnDelay",
)  # fmt: skip
TYPES: Final = {
    "EventId": "i=2041",
    "EventType": "i=2041",
    "SourceName": "i=2041",
    "ConditionClassId": CONDITION,
}


def condition(alarm: str, part: str = "") -> str:
    """NodeId of a condition, or of a part of it."""
    return tag(f"{alarm}#condition{part and '/' + part}")


class Ear:
    """Hears the events of one session."""

    def __init__(self, session: Session, subscription: int, item: int) -> None:
        self.session, self.subscription, self.item = session, subscription, item
        self._heard: list[Fields] = []

    async def next(self, wanted: Callable[[Fields], bool]) -> Fields:
        """The next event that is wanted; others are passed over."""
        for _ in range(100):
            while self._heard:
                event = self._heard.pop(0)
                if wanted(event):
                    return event
            for row in events(await publish(self.session)):
                self._heard.append({"ConditionId": row[0], **dict(zip(NAMES, row[1:], strict=True))})
        raise AssertionError("no such event")


@contextlib.asynccontextmanager
async def hearing(at: At, user: str, *, node: str = SERVER) -> AsyncIterator[Ear]:
    """A fresh session that listens."""
    clauses = [field(kind=CONDITION, attribute=1)]
    clauses += [field(*name.split("/"), kind=TYPES.get(name, ALARM)) for name in NAMES]
    async with at.fresh(user) as session:
        subscription = (await subscribe(session, 50))["subscriptionId"]
        (item,) = await monitor(
            session,
            subscription,
            listening(node, 1, {"selectClauses": clauses, "whereClause": {"elements": []}}),
        )
        good(item["statusCode"])
        yield Ear(session, subscription, item["monitoredItemId"])


def of(alarm: str) -> Callable[[Fields], bool]:
    """Events of one alarm."""
    return lambda event: event["ConditionId"] == condition(alarm)


@contextlib.asynccontextmanager
async def forced(at: At, path: str, value: Any, alarm: str = LEVEL) -> AsyncIterator[None]:
    """A tag has a value by hand, which raises an alarm that was at rest before."""
    with contextlib.closing(at.plant.client("engineer")) as client:

        def at_rest() -> bool:
            client.refresh()
            return not client.condition(alarm).active

        await until(at_rest, f"{alarm} at rest", 12)  # its delay, after the case before
        outcome = await client.arequest("force", [(path, value)], "conformance", for_s=60.0)
        assert outcome.ok, outcome
        try:
            yield
        finally:
            outcome = await client.arequest("unforce", [(path, None)], "conformance")
            assert outcome.ok, outcome


def said(text: str | None) -> tuple[str, Any]:
    return ("LocalizedText", {"text": text, "locale": None})


def bytes_(data: Any) -> tuple[str, Any]:
    return ("ByteString", {"$bytes": str(data).removeprefix("base64:")})


async def code(session: Session, object_: str, method: str, *arguments: tuple[str, Any]) -> int:
    return int((await call(session, object_, method, *arguments))["statusCode"])


@positive(
    "A & C Basic",
    "A & C Alarm",
    "A & C Acknowledge",
    "A & C Comment",
    "A & C Non-Exclusive Limit",
    "A & C Non-Exclusive Level",
)
async def an_alarm_is_heard_acknowledged_and_commented(at: At) -> None:
    async with hearing(at, "operator") as ear, forced(at, "tank1/LT-101", 4.8):
        raised = await ear.next(lambda event: of(LEVEL)(event) and event["ActiveState/Id"])
        assert raised["EventType"] == LEVEL_TYPE
        assert raised["SourceName"] == "tank1/LT-101"
        assert raised["ConditionName"] == "HH"
        assert raised["AckedState/Id"] is False
        assert raised["Retain"] is True
        arguments = (bytes_(raised["EventId"]), said("seen"))
        good(await code(ear.session, condition(LEVEL), ACKNOWLEDGE, *arguments))
        acked = await ear.next(of(LEVEL))
        assert (acked["AckedState/Id"], acked["ClientUserId"]) == (True, "operator")
        assert acked["Comment"]["text"] == "seen"
        good(await code(ear.session, condition(LEVEL), COMMENT, bytes_(acked["EventId"]), said("a comment")))
        assert (await ear.next(of(LEVEL)))["Comment"]["text"] == "a comment"
        assert await value(ear.session, condition(LEVEL, "AckedState/Id")) is True


@negative(
    "A & C Basic",
    "A & C Alarm",
    "A & C Acknowledge",
    "A & C Comment",
    "A & C Non-Exclusive Limit",
    "A & C Non-Exclusive Level",
)
async def events_that_cannot_be_acknowledged(at: At) -> None:
    async with hearing(at, "operator") as ear, forced(at, "tank1/LT-101", 0.3, LOW):
        raised = await ear.next(lambda event: of(LOW)(event) and event["ActiveState/Id"])
        known = bytes_(raised["EventId"])
        good(await code(ear.session, condition(LOW), ACKNOWLEDGE, known, said(None)))
        is_(
            await code(ear.session, condition(LOW), ACKNOWLEDGE, known, said(None)),
            "BadConditionBranchAlreadyAcked",
        )
        for method in (ACKNOWLEDGE, COMMENT):
            unknown = ("ByteString", {"$bytes": "AAAAAAAAAAA="})
            is_(await code(ear.session, condition(LOW), method, unknown, said("x")), "BadEventIdUnknown")
        is_(await code(ear.session, ACKNOWLEDGEABLE, ACKNOWLEDGE, known, said("x")), "BadNodeIdInvalid")
        is_(await code(ear.session, condition("tank1/NO"), ACKNOWLEDGE, known, said("x")), "BadNodeIdUnknown")
        is_(await code(ear.session, condition(LOW), ACKNOWLEDGE, known), "BadArgumentsMissing")
        viewer = await at.session("viewer")
        is_(await code(viewer, condition(LOW), ACKNOWLEDGE, known, said("x")), "BadUserAccessDenied")


@positive("A & C Discrete", "A & C OffNormal", "A & C Confirm", "A & C On-Off Delay")
async def a_switch_that_wants_to_be_confirmed(at: At) -> None:
    async with hearing(at, "operator", node=tag("tank1")) as ear:
        async with forced(at, "tank1/LSHH-101", True, SWITCH):
            raised = await ear.next(lambda event: of(SWITCH)(event) and event["ActiveState/Id"])
            assert raised["EventType"] == OFF_NORMAL
            assert raised["OnDelay"] >= 0
            good(
                await code(ear.session, condition(SWITCH), ACKNOWLEDGE, bytes_(raised["EventId"]), said("x"))
            )
            acked = await ear.next(lambda event: of(SWITCH)(event) and event["AckedState/Id"])
            assert acked["ConfirmedState/Id"] is False
            good(await code(ear.session, condition(SWITCH), CONFIRM, bytes_(acked["EventId"]), said(None)))
            done = await ear.next(lambda event: of(SWITCH)(event) and event["ConfirmedState/Id"])
            assert done["Comment"]["text"] == "x"
        rest = await ear.next(lambda event: of(SWITCH)(event) and not event["ActiveState/Id"])
        assert rest["Retain"] is False


@negative("A & C Discrete", "A & C OffNormal", "A & C Confirm", "A & C On-Off Delay")
async def what_needs_no_confirmation(at: At) -> None:
    session = await at.session("operator")
    event = ("ByteString", {"$bytes": "AAAAAAAAAAA="})
    is_(await code(session, condition(OTHER), CONFIRM, event, said("x")), "BadMethodInvalid")
    is_(await code(session, condition(SWITCH), CONFIRM, event, said("x")), "BadEventIdUnknown")
    assert "ConfirmedState" not in await children(session, condition(OTHER))


@positive("A & C SystemOffNormal", "A & C ConditionClasses")
async def a_device_or_the_software_itself_is_a_system_condition(at: At) -> None:
    async with hearing(at, "engineer") as ear, forced(at, "tank1/LT-101", 3.0, "system/control/FORCED"):
        found = await ear.next(lambda event: of("system/control/FORCED")(event) and event["ActiveState/Id"])
        assert found["EventType"] == SYSTEM_TYPE
        assert found["ConditionClassId"] == "i=11166"


@negative("A & C SystemOffNormal", "A & C ConditionClasses")
async def a_class_cannot_be_written(at: At) -> None:
    session = await at.session("engineer")
    written = await session.call(
        "Write",
        {"nodesToWrite": [{
            "nodeId": condition(LEVEL, "ConditionClassId"), "attributeId": 13,
            "value": {"value": {"$variant": "NodeId", "value": "i=11166"}},
        }]},
    )  # fmt: skip
    is_(written["results"][0], "BadNotWritable")


@positive("A & C Enable")
async def disable_and_enable(at: At) -> None:
    async with hearing(at, "engineer") as ear:
        good(await code(ear.session, condition(LEVEL), DISABLE))
        off = await ear.next(of(LEVEL))
        assert (off["EnabledState/Id"], off["Retain"]) == (False, False)
        good(await code(ear.session, condition(LEVEL), ENABLE))
        assert (await ear.next(of(LEVEL)))["EnabledState/Id"] is True


@negative("A & C Enable")
async def what_is_enabled_or_disabled_already(at: At) -> None:
    session = await at.session("engineer")
    is_(await code(session, condition(LEVEL), ENABLE), "BadConditionAlreadyEnabled")
    good(await code(session, condition(LEVEL), DISABLE))
    is_(await code(session, condition(LEVEL), DISABLE), "BadConditionAlreadyDisabled")
    is_(await code(session, condition(LEVEL), SUPPRESS), "BadConditionDisabled")
    good(await code(session, condition(LEVEL), ENABLE))
    operator = await at.session("operator")
    is_(await code(operator, condition(LEVEL), DISABLE), "BadUserAccessDenied")


@positive("A & C Shelving")
async def shelves(at: At) -> None:
    shelf = condition(LEVEL, "ShelvingState")
    async with hearing(at, "operator") as ear:
        for method, arguments, state in (
            (TIMED, (("Double", 60_000.0),), "i=2932"), (ONCE, (), "i=2933"), (UNSHELVE, (), "i=2930"),
        ):  # fmt: skip
            good(await code(ear.session, shelf, method, *arguments))
            event = await ear.next(of(LEVEL))
            assert event["ShelvingState/CurrentState/Id"] == state
            assert event["SuppressedOrShelved"] is (state != "i=2930")


@negative("A & C Shelving")
async def shelves_that_are_refused(at: At) -> None:
    session, shelf = await at.session("operator"), condition(LEVEL, "ShelvingState")
    is_(await code(session, shelf, UNSHELVE), "BadConditionNotShelved")
    for wrong in (0.0, -1.0, 1e15):
        is_(await code(session, shelf, TIMED, ("Double", wrong)), "BadShelvingTimeOutOfRange")
    good(await code(session, shelf, ONCE))
    is_(await code(session, shelf, ONCE), "BadConditionAlreadyShelved")
    good(await code(session, shelf, UNSHELVE))
    is_(await code(await at.session("viewer"), shelf, ONCE), "BadUserAccessDenied")


@positive("A & C Suppression", "A & C Suppression by Operator", "A & C Out Of Service")
async def suppressed_and_out_of_service(at: At) -> None:
    async with hearing(at, "engineer") as ear:
        for there, back, state in (
            (SUPPRESS, UNSUPPRESS, "SuppressedState/Id"), (REMOVE, PLACE, "OutOfServiceState/Id"),
        ):  # fmt: skip
            good(await code(ear.session, condition(LEVEL), there))
            event = await ear.next(of(LEVEL))
            assert (event[state], event["SuppressedOrShelved"]) == (True, True)
            good(await code(ear.session, condition(LEVEL), back))
            assert (await ear.next(of(LEVEL)))[state] is False


@negative("A & C Suppression", "A & C Suppression by Operator", "A & C Out Of Service")
async def who_may_not_suppress(at: At) -> None:
    operator, viewer = await at.session("operator"), await at.session("viewer")
    is_(await code(viewer, condition(LEVEL), SUPPRESS), "BadUserAccessDenied")
    is_(await code(operator, condition(LEVEL), REMOVE), "BadUserAccessDenied")
    is_(await code(operator, condition(LEVEL), UNSUPPRESS), "BadInvalidState")


@positive("A & C Refresh", "A & C Refresh2")
async def a_client_synchronises(at: At) -> None:
    async with hearing(at, "operator") as ear, forced(at, "ahu1/TSLL-203", True, OTHER):
        raised = await ear.next(lambda event: of(OTHER)(event) and event["ActiveState/Id"])
        ids = (("UInt32", ear.subscription), ("UInt32", ear.item))
        for method, arguments in ((REFRESH, ids[:1]), (REFRESH_2, ids)):
            good(await code(ear.session, CONDITION, method, *arguments))
            await ear.next(lambda event: event["EventType"] == REFRESH_START)
            told = await ear.next(of(OTHER))
            assert told["EventId"] == raised["EventId"]
            await ear.next(lambda event: event["EventType"] == REFRESH_END)


@negative("A & C Refresh", "A & C Refresh2")
async def what_cannot_be_synchronised(at: At) -> None:
    async with hearing(at, "operator") as ear:
        is_(await code(ear.session, CONDITION, REFRESH, ("UInt32", 4_000_000)), "BadSubscriptionIdInvalid")
        wrong = (("UInt32", ear.subscription), ("UInt32", 4_000_000))
        is_(await code(ear.session, CONDITION, REFRESH_2, *wrong), "BadMonitoredItemIdInvalid")
        other = await at.session("engineer")
        is_(await code(other, CONDITION, REFRESH, ("UInt32", ear.subscription)), "BadSubscriptionIdInvalid")
        is_(await code(ear.session, CONDITION, REFRESH), "BadArgumentsMissing")


@positive("A & C Instances")
async def a_condition_is_an_object_of_its_type(at: At) -> None:
    session = await at.session()
    typed = await browse(session, condition(LEVEL), kind="i=40")
    assert [one["nodeId"] for one in typed["references"]] == [LEVEL_TYPE]
    parts = await children(session, condition(LEVEL))
    assert {
        "EnabledState",
        "AckedState",
        "ActiveState",
        "Acknowledge",
        "AddComment",
        "HighHighLimit",
        "Retain",
    } <= set(parts)
    assert await value(session, condition(LEVEL, "HighHighLimit")) == 4.6
    assert condition(LEVEL) in (await children(session, tag("tank1/LT-101"), kind="i=9006")).values()


@negative("A & C Instances")
async def parts_that_a_condition_has_not(at: At) -> None:
    session = await at.session()
    for part in ("LowLimit", "NoSuchPart"):
        found = await browse(session, condition(LEVEL, part))
        is_(found["statusCode"], "BadNodeIdUnknown")
    parts = await children(session, condition(LEVEL))
    assert "LowLimit" not in parts
