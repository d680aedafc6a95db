"""Subscriptions over a real connection: messages, their numbers, their owners and their ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asyncua import ua

from bench.opcua.raw import Client
from scada.opcua import limits
from scada.opcua.security.caller import Caller
from scada.opcua.subscriptions.service import same_user
from tests.opcua.conftest import Running
from tests.opcua.subscriptions.conftest import (
    LEVEL,
    NOTE,
    PUMP,
    VALVE,
    Subscriber,
    happen,
    parameters_of,
    value_of,
    values,
)
from tests.support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
Codes = ua.StatusCodes


async def test_what_does_not_fit_into_a_message_comes_in_the_next(
    running: Running, subscriber: Subscriber
) -> None:
    paths = [tag.path for tag in running.mirror.table.tags][:10]
    await subscriber.subscribe(MaxNotificationsPerPublish=4)
    await subscriber.items(*paths)
    seen: list[int] = []
    more = []
    for _ in range(3):
        message = await subscriber.publish()
        seen += [handle for handle, _, _ in values(message)]
        more.append(message.MoreNotifications)
    assert sorted(seen) == list(range(10))
    assert more == [True, True, False]


async def test_values_that_change_faster_than_messages_can_carry_take_turns(
    running: Running, subscriber: Subscriber
) -> None:
    await subscriber.subscribe(MaxNotificationsPerPublish=1)
    await subscriber.items(LEVEL, VALVE)
    await subscriber.publish(), await subscriber.publish()
    seen = set()
    for turn in range(4):
        for path in (LEVEL, VALVE):
            happen(running.plant, path, 10.0 + turn)
        await running.mirror.push()
        seen |= {handle for handle, _, _ in values(await subscriber.publish())}
    assert seen == {0, 1}


async def test_messages_are_numbered_kept_and_forgotten_when_acknowledged(
    running: Running, subscriber: Subscriber
) -> None:
    await subscriber.subscribe()
    await subscriber.items(LEVEL)
    first = await subscriber.publish()
    assert first.NotificationMessage.SequenceNumber == 1
    assert first.AvailableSequenceNumbers == [1]
    again = await subscriber.call("Republish", RetransmitSequenceNumber=1)
    assert again.NotificationMessage == first.NotificationMessage
    happen(running.plant, LEVEL, 1.0)
    happen(running.plant, LEVEL, 2.0)
    await running.mirror.push()
    second = await subscriber.publish(1, 77)
    assert [one.value for one in second.Results] == [0, Codes.BadSequenceNumberUnknown]
    assert (second.NotificationMessage.SequenceNumber, second.AvailableSequenceNumbers) == (2, [2])
    with pytest.raises(ua.uaerrors.BadMessageNotAvailable):
        await subscriber.call("Republish", RetransmitSequenceNumber=1)
    with pytest.raises(ua.uaerrors.BadSubscriptionIdInvalid):
        await subscriber.call("Republish", SubscriptionId=10**6, RetransmitSequenceNumber=1)


async def test_a_keep_alive_has_the_next_number_and_does_not_use_it(
    running: Running, subscriber: Subscriber
) -> None:
    await subscriber.subscribe(keep_alive=2)
    await subscriber.items(LEVEL)
    assert len(values(await subscriber.publish())) == 1
    for _ in range(2):
        message = await subscriber.publish()
        assert not message.NotificationMessage.NotificationData
        assert message.NotificationMessage.SequenceNumber == 2
    happen(running.plant, LEVEL, 3.0)
    happen(running.plant, LEVEL, 3.5)
    await running.mirror.push()
    assert (await subscriber.publish()).NotificationMessage.SequenceNumber == 2


async def test_a_subscription_that_nobody_asks_about_ends_and_says_so(
    running: Running, subscriber: Subscriber
) -> None:
    made = await subscriber.subscribe(keep_alive=1)
    assert made.RevisedLifetimeCount == 3
    id_ = subscriber.id
    await until(lambda: id_ not in running.mirror.subscriptions, "its life is over")
    message = await subscriber.publish()
    assert message.SubscriptionId == id_
    assert message.NotificationMessage.NotificationData[0].Status.value == Codes.BadTimeout
    with pytest.raises(ua.uaerrors.BadNoSubscription):
        await subscriber.publish()


async def test_publishing_can_be_switched_off(running: Running, subscriber: Subscriber) -> None:
    await subscriber.subscribe(keep_alive=1)
    await subscriber.items(LEVEL)
    response = await subscriber.call(
        "SetPublishingMode", SubscriptionIds=[subscriber.id, 10**6], PublishingEnabled=False
    )
    assert [one.value for one in response.Parameters.Results] == [0, Codes.BadSubscriptionIdInvalid]
    assert values(await subscriber.publish()) == []
    await subscriber.call("SetPublishingMode", SubscriptionIds=[subscriber.id], PublishingEnabled=True)
    assert len(await subscriber.changes()) == 1


async def test_times_are_revised_and_can_be_changed(subscriber: Subscriber) -> None:
    made = await subscriber.subscribe(0.001, keep_alive=10)
    assert made.RevisedPublishingInterval == 50
    response = await subscriber.call(
        "ModifySubscription",
        RequestedPublishingInterval=130.0,
        RequestedLifetimeCount=1,
        RequestedMaxKeepAliveCount=7,
        MaxNotificationsPerPublish=0,
        Priority=3,
    )
    found = response.Parameters
    assert (found.RevisedPublishingInterval, found.RevisedMaxKeepAliveCount, found.RevisedLifetimeCount) == (
        150,
        7,
        21,
    )


async def test_the_more_important_goes_first(running: Running, subscriber: Subscriber) -> None:
    ids = []
    for priority in (0, 200, 100):
        await subscriber.subscribe(Priority=priority)
        await subscriber.items(LEVEL)
        ids.append(subscriber.id)
    queue = running.mirror.subscriptions[ids[0]].owner
    await until(lambda: len(queue.late) == 3, "all want to be asked")
    told = [(await subscriber.publish()).SubscriptionId for _ in range(3)]
    assert told == [ids[1], ids[2], ids[0]]


async def test_of_too_many_requests_the_oldest_is_answered(
    subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PUBLISH_REQUESTS_PER_SESSION", 2)
    with pytest.raises(ua.uaerrors.BadNoSubscription):
        await subscriber.publish()
    await subscriber.subscribe(5000)
    waiting = [asyncio.create_task(subscriber.publish()) for _ in range(3)]
    with pytest.raises(ua.uaerrors.BadTooManyPublishRequests):
        await waiting[0]
    response = await subscriber.call("DeleteSubscriptions", SubscriptionIds=[subscriber.id, subscriber.id])
    assert [one.value for one in response.Results] == [0, Codes.BadSubscriptionIdInvalid]
    for one in waiting[1:]:
        with pytest.raises(ua.uaerrors.BadNoSubscription):
            await one


async def test_a_subscription_goes_to_another_session(
    running: Running, subscriber: Subscriber, other: Subscriber
) -> None:
    happen(running.plant, LEVEL, 1.0)
    await running.mirror.push()
    await subscriber.subscribe()
    await subscriber.items(LEVEL)
    assert (await subscriber.publish()).NotificationMessage.SequenceNumber == 1
    waiting = asyncio.create_task(subscriber.publish())
    await asyncio.sleep(0)
    response = await other.call(
        "TransferSubscriptions", SubscriptionIds=[subscriber.id, 10**6], SendInitialValues=True
    )
    assert [one.StatusCode.value for one in response.Parameters.Results] == [
        0,
        Codes.BadSubscriptionIdInvalid,
    ]
    assert response.Parameters.Results[0].AvailableSequenceNumbers == [1]
    farewell = await waiting
    assert farewell.SubscriptionId == subscriber.id
    assert farewell.NotificationMessage.NotificationData[0].Status.value == Codes.GoodSubscriptionTransferred
    with pytest.raises(ua.uaerrors.BadSubscriptionIdInvalid):
        await subscriber.items(VALVE)
    other.id = subscriber.id
    message = await other.publish(1)
    assert values(message) == [(0, 1.0, 0)]
    assert message.NotificationMessage.SequenceNumber == 2
    assert message.Results[0].is_good()


async def test_a_subscription_of_nobody_does_not_go_to_another_application(
    running: Running, subscriber: Subscriber
) -> None:
    await subscriber.subscribe()
    stranger = await Client.connect(int(running.url.rpartition(":")[2]), "stranger")
    response = await Subscriber(stranger).call("TransferSubscriptions", SubscriptionIds=[subscriber.id])
    assert response.Parameters.Results[0].StatusCode.value == Codes.BadUserAccessDenied
    stranger.close()


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ({}, {}, True),
        ({}, {"application": "urn:b"}, False),
        ({}, {"address": "10.0.0.2"}, False),
        ({"mode": 2}, {"mode": 2, "address": "10.0.0.2"}, True),
        ({"mode": 2}, {"mode": 2, "application": "urn:b"}, False),
        ({"mode": 3}, {"mode": 2}, False),
        ({}, {"name": "anna"}, False),
        ({"name": "anna"}, {"name": "anna", "application": "urn:b", "address": "10.0.0.2"}, True),
        ({"name": "anna"}, {"name": "anna", "site_role": "admin"}, False),
    ],
)
async def test_who_may_take_over_a_subscription(
    before: dict[str, Any], now: dict[str, Any], same: bool
) -> None:
    usual = {"application": "urn:a", "address": "10.0.0.1"}
    assert same_user(Caller(**usual | before), Caller(**usual | now)) is same


async def test_only_ones_own(subscriber: Subscriber, other: Subscriber) -> None:
    await subscriber.subscribe()
    (item,) = await subscriber.items(LEVEL)
    other.id = subscriber.id
    for kind, parameters in (
        ("ModifySubscription", {}),
        ("SetMonitoringMode", {"MonitoredItemIds": [item.MonitoredItemId]}),
        ("DeleteMonitoredItems", {"MonitoredItemIds": [item.MonitoredItemId]}),
        ("SetTriggering", {"TriggeringItemId": item.MonitoredItemId, "LinksToAdd": [1]}),
        ("Republish", {"RetransmitSequenceNumber": 1}),
    ):
        with pytest.raises(ua.uaerrors.BadSubscriptionIdInvalid):
            await other.call(kind, **parameters)
    response = await other.call("DeleteSubscriptions", SubscriptionIds=[subscriber.id])
    assert response.Results[0].value == Codes.BadSubscriptionIdInvalid
    await other.subscribe()
    message = await other.publish(1, id_=subscriber.id)
    assert message.Results[0].value == Codes.BadSubscriptionIdInvalid


async def test_items_end_and_their_places_go_to_others(running: Running, subscriber: Subscriber) -> None:
    await subscriber.subscribe()
    made = await subscriber.items(LEVEL, VALVE, PUMP, NOTE)
    assert len(await subscriber.changes()) == 4
    ids = [made[1].MonitoredItemId, made[1].MonitoredItemId, 10**6, made[2].MonitoredItemId]
    response = await subscriber.call("DeleteMonitoredItems", MonitoredItemIds=ids)
    wrong = Codes.BadMonitoredItemIdInvalid
    assert [one.value for one in response.Results] == [0, wrong, wrong, 0]
    for path, value in ((LEVEL, 4.0), (VALVE, 1.0), (PUMP, False), (PUMP, True), (NOTE, "end")):
        happen(running.plant, path, value)
    await running.mirror.push()
    assert await subscriber.changes() == [(0, 4.0, 0), (3, "end", 0)]
    change = ua.MonitoredItemModifyRequest(made[1].MonitoredItemId, parameters_of(1))
    response = await subscriber.call("ModifyMonitoredItems", ItemsToModify=[change])
    assert response.Results[0].StatusCode.value == wrong
    for kind in ("DeleteMonitoredItems", "ModifyMonitoredItems", "CreateMonitoredItems", "SetMonitoringMode"):
        with pytest.raises(ua.uaerrors.BadNothingToDo):
            await subscriber.call(kind)
    subscription = running.mirror.subscriptions[subscriber.id]
    assert subscription.item_handles() == ([made[0].MonitoredItemId, made[3].MonitoredItemId], [0, 3])
    subscription.resend()
    assert len(await subscriber.changes()) == 2


async def test_queues_of_a_session_have_a_bound_together(
    subscriber: Subscriber, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUED_PER_SESSION", 250)
    await subscriber.subscribe()
    made = await subscriber.items(*[LEVEL] * 4, QueueSize=100)
    assert [one.RevisedQueueSize for one in made] == [100, 100, 50, 1]
    changes = [ua.MonitoredItemModifyRequest(made[0].MonitoredItemId, parameters_of(0, QueueSize=2**31))]
    response = await subscriber.call("ModifyMonitoredItems", ItemsToModify=changes)
    assert response.Results[0].RevisedQueueSize == 1
    owner = running.mirror.subscriptions[subscriber.id].owner
    assert (owner.queued, owner.items) == (150, 4)
    await subscriber.call("DeleteMonitoredItems", MonitoredItemIds=[one.MonitoredItemId for one in made])
    assert (owner.queued, owner.items) == (0, 0)


async def test_nothing_is_left_of_a_subscription_that_goes_while_its_items_are_changed(
    running: Running, subscriber: Subscriber, other: Subscriber
) -> None:
    its = running.mirror
    await subscriber.subscribe()
    made = await subscriber.items(*[LEVEL] * 1000)
    before = len(its._queued), its.queued_room
    wanted = [
        ua.MonitoredItemModifyRequest(one.MonitoredItemId, parameters_of(0, QueueSize=5)) for one in made
    ]
    changing = asyncio.create_task(subscriber.call("ModifyMonitoredItems", ItemsToModify=wanted * 3))
    async with asyncio.timeout(10):
        while its.queued_room == before[1] and not changing.done():  # noqa: ASYNC110 - of the server
            await asyncio.sleep(0)
    assert not changing.done()
    its._forget(its.subscriptions[subscriber.id])
    with pytest.raises(ua.uaerrors.BadSubscriptionIdInvalid):
        await changing
    assert (len(its._queued), its.queued_room) == before


async def test_what_all_sessions_hold_is_bounded(
    subscriber: Subscriber, other: Subscriber, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = running.mirror
    queued, polled = its.queued_room, its.polled_count
    monkeypatch.setattr(limits, "QUEUED", queued + 30)
    monkeypatch.setattr(limits, "POLLED", polled + 1)
    await subscriber.subscribe()
    await other.subscribe()
    assert [one.RevisedQueueSize for one in await subscriber.items(LEVEL, QueueSize=20)] == [20]
    assert [one.RevisedQueueSize for one in await other.items(LEVEL, LEVEL, QueueSize=20)] == [10, 1]
    name = value_of(LEVEL, ua.AttributeIds.DisplayName)
    assert (await subscriber.items(name))[0].StatusCode.is_good()
    assert (await other.items(name))[0].StatusCode.value == Codes.BadTooManyMonitoredItems
    await subscriber.call("DeleteSubscriptions", SubscriptionIds=[subscriber.id])
    assert (await other.items(name))[0].StatusCode.is_good()
    await other.call("DeleteSubscriptions", SubscriptionIds=[other.id])
    assert (its.queued_room, its.polled_count) == (queued, polled)


async def test_a_session_that_ends_takes_its_subscriptions_along(running: Running, other: Subscriber) -> None:
    await other.subscribe()
    await other.items(LEVEL)
    before = running.mirror.item_count
    id_ = other.id
    request = ua.CloseSessionRequest()
    request.DeleteSubscriptions = True
    await other.client.call(request, ua.CloseSessionResponse)
    assert id_ not in running.mirror.subscriptions
    assert running.mirror.item_count == before - 1


async def test_a_client_gets_messages_that_it_can_take(running: Running) -> None:
    """Its Hello said that two chunks of 8 KiB are the most that it takes: 500 values come in parts, and all of them."""
    client = await Client.connect(int(running.url.rpartition(":")[2]), "small", buffer=8192, chunks=2)
    small = Subscriber(client)
    await small.subscribe()
    for first in range(0, 500, 50):
        await small.items(*[LEVEL] * 50, ClientHandle=first)
    parts: list[int] = []
    while sum(parts) < 500:
        parts.append(len(await small.changes()))
    assert len(parts) > 1
    client.close()
