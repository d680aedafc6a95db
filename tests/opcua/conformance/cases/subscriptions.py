"""Monitored items and subscriptions."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.opcua.conformance.case import At, good, is_, negative, positive, refused
from tests.opcua.conformance.peers import Session
from tests.opcua.conformance.services import (
    DISABLED,
    SAMPLING,
    Fields,
    call,
    monitor,
    notified,
    publish,
    read,
    subscribe,
    tag,
    unsubscribe,
    value,
    wanted,
    write,
)

LEVEL, SET_POINT, NOTE = tag("tank1/LT-101"), tag("tank1/LIC-101/SP"), tag("tank1/P-101/RUN")
CLOCK, STATE = "i=2258", "i=2259"


async def change(at: At, to: float) -> None:
    """An operator changes a set point."""
    good(await write(await at.session("operator"), SET_POINT, "Double", to))


async def until(session: Session, handle: int, wanted_value: Any, tries: int = 30) -> Fields:
    """Publishes until an item reports a value."""
    for _ in range(tries):
        for item in notified(await publish(session)):
            if item["clientHandle"] == handle and (item["value"]["value"] or {}).get("value") == wanted_value:
                return item
    raise AssertionError(f"{wanted_value} was not reported")


async def values_of(session: Session, handle: int, publishes: int) -> list[Any]:
    """Values of an item in the answers to some Publish requests."""
    found = []
    for _ in range(publishes):
        items = notified(await publish(session))
        found += [item["value"]["value"]["value"] for item in items if item["clientHandle"] == handle]
    return found


@positive(
    "Monitor Basic",
    "Monitor Value Change",
    "Subscription Basic",
    "Subscription Minimum 1",
    "Monitor QueueSize_1",
)
async def a_changed_value_is_reported(at: At) -> None:
    await change(at, 2.0)
    async with at.fresh() as session:
        made = await subscribe(session, 50)
        assert made["revisedPublishingInterval"] >= 50
        (item,) = await monitor(session, made["subscriptionId"], wanted(SET_POINT, 7))
        good(item["statusCode"])
        assert item["revisedQueueSize"] == 1
        (first,) = notified(await publish(session))
        assert first["clientHandle"] == 7
        await change(at, 2.31)
        item = await until(session, 7, 2.31)
        assert item["value"]["source"]
        assert await unsubscribe(session, made["subscriptionId"]) == [0]


@negative("Monitor Basic", "Monitor Value Change", "Monitor QueueSize_1")
async def what_cannot_be_monitored(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session))["subscriptionId"]
        results = await monitor(
            session, subscription,
            wanted(tag("tank1/NOBODY")), wanted(LEVEL, attribute=12), wanted(tag("tank1"), attribute=13),
            wanted(LEVEL, what={"$type": "DataChangeFilter", "trigger": 1, "deadbandType": 1, "deadbandValue": -1.0}),
            wanted(LEVEL, attribute=3, what={"$type": "DataChangeFilter", "trigger": 1, "deadbandType": 1, "deadbandValue": 1.0}),
        )  # fmt: skip
        is_(results[0]["statusCode"], "BadNodeIdUnknown")
        is_(results[1]["statusCode"], "BadAttributeIdInvalid")
        is_(results[2]["statusCode"], "BadAttributeIdInvalid")
        is_(results[3]["statusCode"], "BadDeadbandFilterInvalid")
        is_(results[4]["statusCode"], "BadFilterNotAllowed")
        with refused("BadNothingToDo"):
            await monitor(session, subscription)
        with refused("BadSubscriptionIdInvalid"):
            await monitor(session, 4_000_000_000, wanted(LEVEL))
        answer = await session.call(
            "DeleteMonitoredItems", {"subscriptionId": subscription, "monitoredItemIds": [4_000_000_000]}
        )
        is_(answer["results"][0], "BadMonitoredItemIdInvalid")


@positive("Monitor Basic", "Monitor Value Change")
async def items_are_modified_and_switched_off_and_on(at: At) -> None:
    await change(at, 2.0)
    async with at.fresh() as session:
        subscription = (await subscribe(session, 50, alive=2))["subscriptionId"]
        (item,) = await monitor(session, subscription, wanted(SET_POINT, 1, mode=DISABLED))
        assert not notified(await publish(session))
        mode = {"subscriptionId": subscription, "monitoredItemIds": [item["monitoredItemId"]]}
        good((await session.call("SetMonitoringMode", {**mode, "monitoringMode": 2}))["results"][0])
        assert len(notified(await publish(session))) == 1
        good((await session.call("SetMonitoringMode", {**mode, "monitoringMode": SAMPLING}))["results"][0])
        await change(at, 2.32)
        assert not notified(await publish(session))
        good((await session.call("SetMonitoringMode", {**mode, "monitoringMode": 2}))["results"][0])
        await until(session, 1, 2.32)
        answer = await session.call(
            "ModifyMonitoredItems",
            {
                "subscriptionId": subscription, "timestampsToReturn": 0,
                "itemsToModify": [
                    {
                        "monitoredItemId": item["monitoredItemId"],
                        "requestedParameters": {"clientHandle": 9, "samplingInterval": 100, "queueSize": 3, "discardOldest": True},
                    },
                    {"monitoredItemId": 4_000_000_000, "requestedParameters": {"clientHandle": 9}},
                ],
            },
        )  # fmt: skip
        good(answer["results"][0]["statusCode"])
        is_(answer["results"][1]["statusCode"], "BadMonitoredItemIdInvalid")
        await change(at, 2.33)
        item = await until(session, 9, 2.33)
        assert item["value"]["server"] is None  # TimestampsToReturn is Source now


@positive("Monitor Items 2", "Monitor Items 10", "Monitor Items 100", "Monitor Items 500")
async def five_hundred_items_of_a_subscription(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session, 50))["subscriptionId"]
        results = await monitor(session, subscription, *(wanted(LEVEL, handle) for handle in range(500)))
        assert {one["statusCode"] for one in results} == {0}
        seen: set[int] = set()
        while len(seen) < 500:
            seen |= {item["clientHandle"] for item in notified(await publish(session))}


@negative("Monitor Items 2", "Monitor Items 10", "Monitor Items 100", "Monitor Items 500")
async def an_item_that_is_wrong_spoils_no_other(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session))["subscriptionId"]
        nodes = [LEVEL if n % 10 else tag("tank1/NOBODY") for n in range(500)]
        results = await monitor(session, subscription, *(wanted(node, n) for n, node in enumerate(nodes)))
        assert [one["statusCode"] == 0 for one in results] == [node == LEVEL for node in nodes]


@positive("Monitor MinQueueSize_02", "Monitor MinQueueSize_05")
async def a_queue_keeps_every_change(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session, 2000))["subscriptionId"]
        (item,) = await monitor(session, subscription, wanted(SET_POINT, 1, queue=6, sampling=50))
        assert item["revisedQueueSize"] >= 5
        await publish(session)
        wrote = [2.41, 2.42, 2.43, 2.44, 2.45]
        for one in wrote:
            await change(at, one)
        found = await values_of(session, 1, 1)
        assert found[-5:] == wrote


@negative("Monitor MinQueueSize_02", "Monitor MinQueueSize_05")
async def a_queue_that_runs_over_says_so(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session, 2500))["subscriptionId"]
        await monitor(
            session, subscription, wanted(SET_POINT, 1, queue=2, sampling=50), wanted(SET_POINT, 2, queue=2, sampling=50, oldest=False)
        )  # fmt: skip
        await publish(session)
        for one in (2.51, 2.52, 2.53, 2.54):
            await change(at, one)
        items = notified(await publish(session))
        newest = [
            (i["value"]["value"]["value"], i["value"]["status"] & 0x480)
            for i in items
            if i["clientHandle"] == 1
        ]
        first = [
            (i["value"]["value"]["value"], i["value"]["status"] & 0x480)
            for i in items
            if i["clientHandle"] == 2
        ]
        assert newest == [(2.53, 0x480), (2.54, 0)]
        assert first == [(2.51, 0), (2.54, 0x480)]


@positive("Monitor Triggering")
async def a_trigger_lets_a_sampled_item_report(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session, 50, alive=2))["subscriptionId"]
        trigger, linked = await monitor(
            session, subscription, wanted(SET_POINT, 1), wanted(LEVEL, 2, mode=SAMPLING)
        )
        answer = await session.call(
            "SetTriggering",
            {
                "subscriptionId": subscription, "triggeringItemId": trigger["monitoredItemId"],
                "linksToAdd": [linked["monitoredItemId"]], "linksToRemove": [],
            },
        )  # fmt: skip
        good(answer["addResults"][0])
        for step in range(20):
            if 2 in {item["clientHandle"] for item in notified(await publish(session))}:
                return
            await change(at, 2.61 + step / 100)
        raise AssertionError("the linked item did not report")


@negative("Monitor Triggering")
async def links_between_what_is_not_there(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session))["subscriptionId"]
        (item,) = await monitor(session, subscription, wanted(LEVEL))
        what = {"subscriptionId": subscription, "triggeringItemId": item["monitoredItemId"]}
        answer = await session.call("SetTriggering", {**what, "linksToAdd": [4_000_000_000], "linksToRemove": [4_000_000_000]})  # fmt: skip
        is_(answer["addResults"][0], "BadMonitoredItemIdInvalid")
        is_(answer["removeResults"][0], "BadMonitoredItemIdInvalid")
        with refused("BadNothingToDo"):
            await session.call("SetTriggering", {**what, "linksToAdd": [], "linksToRemove": []})
        with refused("BadMonitoredItemIdInvalid"):
            await session.call("SetTriggering", {**what, "triggeringItemId": 4_000_000_000, "linksToAdd": [1], "linksToRemove": []})  # fmt: skip


@positive("Monitored Items Deadband Filter", "Data Access PercentDeadband")
async def dead_bands_count_from_what_was_reported(at: At) -> None:
    await change(at, 2.0)
    async with at.fresh() as session:
        subscription = (await subscribe(session, 50, alive=2))["subscriptionId"]
        absolute = {"$type": "DataChangeFilter", "trigger": 1, "deadbandType": 1, "deadbandValue": 0.25}
        percent = {"$type": "DataChangeFilter", "trigger": 1, "deadbandType": 2, "deadbandValue": 10.0}
        results = await monitor(
            session, subscription, wanted(SET_POINT, 1, what=absolute), wanted(SET_POINT, 2, what=percent), wanted(SET_POINT, 3)
        )  # fmt: skip
        assert [one["statusCode"] for one in results] == [0, 0, 0]
        found: dict[int, list[float]] = {1: [], 2: [], 3: []}

        async def look(until_value: float) -> None:
            for _ in range(30):
                for item in notified(await publish(session)):
                    found[item["clientHandle"]].append(item["value"]["value"]["value"])
                if found[3] and found[3][-1] == until_value:
                    return

        await look(2.0)
        for step in (2.1, 2.2, 2.3, 2.4, 2.5, 2.6):
            await change(at, step)
            await look(step)
        assert found[1] == [2.0, 2.3, 2.6]  # more than 0.25 from what was reported last
        assert found[2] == [2.0, 2.6]  # more than 10 % of 5 m


@negative("Monitored Items Deadband Filter", "Data Access PercentDeadband")
async def dead_bands_that_cannot_be(at: At) -> None:
    async with at.fresh() as session:
        subscription = (await subscribe(session))["subscriptionId"]

        def band(kind: int, width: float, node: str = LEVEL) -> Fields:
            return wanted(node, what={"$type": "DataChangeFilter", "trigger": 1, "deadbandType": kind, "deadbandValue": width})  # fmt: skip

        results = await monitor(
            session, subscription,
            band(2, 101.0), band(2, -1.0), band(1, -0.1), band(2, 5.0, tag("tank1/P-101/RUN")), band(7, 1.0),
            band(2, 5.0, CLOCK),
        )  # fmt: skip
        for one in results[:3]:
            is_(one["statusCode"], "BadDeadbandFilterInvalid")
        is_(results[3]["statusCode"], "BadFilterNotAllowed", "BadMonitoredItemFilterUnsupported", "BadDeadbandFilterInvalid")  # fmt: skip
        is_(results[4]["statusCode"], "BadDeadbandFilterInvalid", "BadMonitoredItemFilterInvalid")
        is_(results[5]["statusCode"], "BadFilterNotAllowed", "BadMonitoredItemFilterUnsupported", "BadDeadbandFilterInvalid")  # fmt: skip


@positive("Subscription Minimum 02", "Subscription Minimum 05")
async def five_subscriptions_of_a_session(at: At) -> None:
    async with at.fresh() as session:
        ids = [(await subscribe(session, 50))["subscriptionId"] for _ in range(5)]
        for number, one in enumerate(ids):
            await monitor(session, one, wanted(LEVEL, number))
        seen: set[int] = set()
        for _ in range(40):
            seen.add((await publish(session))["subscriptionId"])
            if seen == set(ids):
                break
        assert seen == set(ids)
        assert await unsubscribe(session, *ids) == [0] * 5


@negative(
    "Subscription Minimum 1", "Subscription Minimum 02", "Subscription Minimum 05", "Subscription Basic"
)
async def subscriptions_that_are_not_there_or_anothers(at: At) -> None:
    async with at.fresh() as session, at.fresh() as other:
        one = (await subscribe(session))["subscriptionId"]
        is_((await unsubscribe(session, 4_000_000_000))[0], "BadSubscriptionIdInvalid")
        is_((await unsubscribe(other, one))[0], "BadSubscriptionIdInvalid")
        answer = await other.call("SetPublishingMode", {"publishingEnabled": False, "subscriptionIds": [one]})
        is_(answer["results"][0], "BadSubscriptionIdInvalid")
        with refused("BadSubscriptionIdInvalid"):
            await other.call("ModifySubscription", {"subscriptionId": one, "requestedPublishingInterval": 100, "requestedLifetimeCount": 100, "requestedMaxKeepAliveCount": 5, "maxNotificationsPerPublish": 0, "priority": 0})  # fmt: skip
        with refused("BadNoSubscription"):
            await publish(other)
        with refused("BadNothingToDo"):
            await unsubscribe(session)


@positive("Subscription Basic")
async def publishing_is_switched_and_intervals_are_revised(at: At) -> None:
    async with at.fresh() as session:
        made = await subscribe(session, 0.001, alive=2, life=2)
        assert made["revisedPublishingInterval"] >= 10
        assert made["revisedLifetimeCount"] >= 3 * made["revisedMaxKeepAliveCount"]
        one = made["subscriptionId"]
        answer = await session.call(
            "SetPublishingMode", {"publishingEnabled": False, "subscriptionIds": [one]}
        )
        good(answer["results"][0])
        await monitor(session, one, wanted(LEVEL))
        assert not notified(await publish(session))
        await session.call("SetPublishingMode", {"publishingEnabled": True, "subscriptionIds": [one]})
        assert notified(await publish(session))
        answer = await session.call("ModifySubscription", {"subscriptionId": one, "requestedPublishingInterval": 200, "requestedLifetimeCount": 100, "requestedMaxKeepAliveCount": 5, "maxNotificationsPerPublish": 0, "priority": 0})  # fmt: skip
        assert answer["revisedPublishingInterval"] == 200


@positive("Subscription Publish Discard Policy", "Subscription Basic")
async def what_was_not_acknowledged_is_sent_again(at: At) -> None:
    await change(at, 2.0)
    async with at.fresh() as session:
        one = (await subscribe(session, 50))["subscriptionId"]
        await monitor(session, one, wanted(SET_POINT, 3))
        answer = await publish(session)
        number = answer["notificationMessage"]["sequenceNumber"]
        assert number in answer["availableSequenceNumbers"]
        again = await session.call("Republish", {"subscriptionId": one, "retransmitSequenceNumber": number})
        assert again["notificationMessage"]["sequenceNumber"] == number
        waiting = asyncio.create_task(publish(session, (one, number), (one, 77_777), (4_000_000_000, 1)))
        await change(at, 2.71)
        answer = await waiting
        assert answer["results"][0] == 0
        is_(answer["results"][1], "BadSequenceNumberUnknown")
        is_(answer["results"][2], "BadSubscriptionIdInvalid")


@negative("Subscription Publish Discard Policy")
async def what_was_acknowledged_is_gone(at: At) -> None:
    async with at.fresh() as session:
        one = (await subscribe(session, 50, alive=1))["subscriptionId"]
        await monitor(session, one, wanted(STATE))
        number = (await publish(session))["notificationMessage"]["sequenceNumber"]
        await publish(session, (one, number))
        for wrong, status in ((number, "BadMessageNotAvailable"), (88_888, "BadMessageNotAvailable")):
            with refused(status):
                await session.call("Republish", {"subscriptionId": one, "retransmitSequenceNumber": wrong})
        with refused("BadSubscriptionIdInvalid"):
            await session.call("Republish", {"subscriptionId": 4_000_000_000, "retransmitSequenceNumber": 1})


@positive("Subscription Publish Min 02", "Subscription Publish Min 05", "Subscription Publish Min 10")
async def ten_publish_requests_wait_at_once(at: At) -> None:
    async with at.fresh() as session:
        one = (await subscribe(session, 50, alive=2))["subscriptionId"]
        await monitor(session, one, wanted(STATE))
        answers = await asyncio.gather(*(publish(session) for _ in range(10)))
        assert {answer["subscriptionId"] for answer in answers} == {one}
        assert sum(len(notified(answer)) for answer in answers) == 1  # the others are keep-alives


@negative("Subscription Publish Min 02", "Subscription Publish Min 05", "Subscription Publish Min 10")
async def publish_requests_end_with_their_subscriptions(at: At) -> None:
    async with at.fresh() as session:
        one = (await subscribe(session, 1000, alive=100))["subscriptionId"]
        await publish(session)  # the first keep-alive comes at once
        waiting = [asyncio.create_task(publish(session)) for _ in range(3)]
        await read(session, STATE)  # they have arrived
        await unsubscribe(session, one)
        for task in waiting:
            with refused("BadNoSubscription"):
                await task


@positive("Base Info GetMonitoredItems Method", "Method Call", "Address Space Method")
async def the_server_names_the_items_of_a_subscription(at: At) -> None:
    async with at.fresh() as session:
        one = (await subscribe(session))["subscriptionId"]
        results = await monitor(session, one, wanted(LEVEL, 11), wanted(STATE, 12))
        answer = await call(session, "i=2253", "i=11492", ("UInt32", one))
        good(answer["statusCode"])
        servers, clients = (output["value"] for output in answer["outputArguments"])
        assert dict(zip(servers, clients, strict=True)) == {
            item["monitoredItemId"]: handle for item, handle in zip(results, (11, 12), strict=True)
        }


@negative("Base Info GetMonitoredItems Method", "Method Call", "Address Space Method")
async def methods_called_wrongly(at: At) -> None:
    async with at.fresh() as session, at.fresh() as other:
        one = (await subscribe(session))["subscriptionId"]
        is_((await call(other, "i=2253", "i=11492", ("UInt32", one)))["statusCode"], "BadUserAccessDenied", "BadSubscriptionIdInvalid")  # fmt: skip
        is_((await call(session, "i=2253", "i=11492", ("UInt32", 4_000_000_000)))["statusCode"], "BadSubscriptionIdInvalid")  # fmt: skip
        is_((await call(session, "i=2253", "i=11492"))["statusCode"], "BadArgumentsMissing")
        is_((await call(session, "i=2253", "i=11492", ("String", "x")))["statusCode"], "BadInvalidArgument")
        is_((await call(session, "i=2253", "i=11492", ("UInt32", one), ("UInt32", one)))["statusCode"], "BadTooManyArguments")  # fmt: skip
        is_(
            (await call(session, "i=2253", "ns=2;s=nothing"))["statusCode"],
            "BadMethodInvalid",
            "BadNodeIdUnknown",
        )
        is_((await call(session, "ns=2;s=nothing", "i=11492"))["statusCode"], "BadNodeIdUnknown")
        with refused("BadNothingToDo"):
            await session.call("Call", {"methodsToCall": []})


@positive("Base Info ResendData Method")
async def all_values_are_sent_again(at: At) -> None:
    async with at.fresh() as session:
        one = (await subscribe(session, 50, alive=2))["subscriptionId"]
        await monitor(session, one, wanted(STATE, 5))
        assert len(notified(await publish(session))) == 1
        assert not notified(await publish(session))
        good((await call(session, "i=2253", "i=12873", ("UInt32", one)))["statusCode"])
        for _ in range(5):
            if [item["clientHandle"] for item in notified(await publish(session))] == [5]:
                return
        raise AssertionError("nothing was sent again")


@negative("Base Info ResendData Method")
async def nobody_has_anothers_values_sent_again(at: At) -> None:
    async with at.fresh() as session, at.fresh() as other:
        one = (await subscribe(session))["subscriptionId"]
        is_((await call(other, "i=2253", "i=12873", ("UInt32", one)))["statusCode"], "BadUserAccessDenied", "BadSubscriptionIdInvalid")  # fmt: skip
        is_((await call(session, "i=2253", "i=12873", ("UInt32", 4_000_000_000)))["statusCode"], "BadSubscriptionIdInvalid")  # fmt: skip


@positive("Subscription Basic")
async def a_subscription_moves_to_another_session_of_the_same_user(at: At) -> None:
    async with at.fresh("operator") as session, at.fresh("operator") as other:
        one = (await subscribe(session, 50))["subscriptionId"]
        await monitor(session, one, wanted(STATE, 8))
        await publish(session)
        answer = await other.call("TransferSubscriptions", {"subscriptionIds": [one, 4_000_000_000], "sendInitialValues": True})  # fmt: skip
        good(answer["results"][0]["statusCode"])
        is_(answer["results"][1]["statusCode"], "BadSubscriptionIdInvalid")
        assert [item["clientHandle"] for item in notified(await publish(other))] == [8]
        assert await value(session, STATE) == 0
