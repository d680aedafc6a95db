"""Items and subscriptions that are changed, switched, linked and ended while there is something to tell."""

from __future__ import annotations

import asyncio

import pytest
from asyncua import ua

from scada.opcua.subscriptions import polled
from scada.opcua.subscriptions import subscription as subscriptions
from tests.opcua.conftest import Running
from tests.opcua.subscriptions.conftest import (
    LEVEL,
    PUMP,
    VALVE,
    Subscriber,
    happen,
    parameters_of,
    value_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
Codes = ua.StatusCodes
BAND = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, 1, 1.0)


async def shown(running: Running, path: str, *new: object, status: int = 0) -> None:
    happen(running.plant, path, *new, status=status)
    await running.mirror.push()


@pytest.mark.parametrize("queue", [1, 5])
async def test_a_dead_band_that_comes_later_counts_from_what_was_reported(
    running: Running, subscriber: Subscriber, queue: int
) -> None:
    await shown(running, LEVEL, 4.0)
    await subscriber.subscribe()
    (made,) = await subscriber.items(LEVEL, QueueSize=queue, SamplingInterval=50)
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(0, 4.0, 0)]
    change = ua.MonitoredItemModifyRequest(
        made.MonitoredItemId, parameters_of(0, Filter=BAND, QueueSize=queue, SamplingInterval=50)
    )
    response = await subscriber.call("ModifyMonitoredItems", ItemsToModify=[change])
    assert response.Results[0].StatusCode.is_good()
    await shown(running, LEVEL, 3.5)  # within
    await shown(running, LEVEL, 0.5)  # 3.5 away, though near to 0
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(0, 0.5, 0)]


async def test_a_change_that_waits_outlives_a_dead_band_that_comes(
    running: Running, subscriber: Subscriber
) -> None:
    await shown(running, LEVEL, 4.0)
    await subscriber.subscribe()
    (made,) = await subscriber.items(LEVEL)
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(0, 4.0, 0)]
    await shown(running, LEVEL, 0.25)  # nobody has asked for it yet
    change = ua.MonitoredItemModifyRequest(made.MonitoredItemId, parameters_of(0, Filter=BAND))
    await subscriber.call("ModifyMonitoredItems", ItemsToModify=[change])
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(0, 0.25, 0)]


@pytest.mark.parametrize("queue", [1, 5])
async def test_what_is_enabled_again_tells_its_value(
    running: Running, subscriber: Subscriber, queue: int
) -> None:
    await shown(running, LEVEL, 2.0)
    await subscriber.subscribe()
    made = await subscriber.items(LEVEL, QueueSize=queue, SamplingInterval=50)
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(0, 2.0, 0)]
    for mode in (ua.MonitoringMode.Disabled, ua.MonitoringMode.Reporting):
        await subscriber.call(
            "SetMonitoringMode", MonitoringMode=mode, MonitoredItemIds=[made[0].MonitoredItemId]
        )
        await running.mirror.push()
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(0, 2.0, 0)]


async def test_what_is_triggered_comes_in_as_many_messages_as_it_takes(
    running: Running, subscriber: Subscriber
) -> None:
    await subscriber.subscribe(MaxNotificationsPerPublish=1)
    (first,) = await subscriber.items(LEVEL, ClientHandle=1)
    assert await asyncio.wait_for(subscriber.changes(), 2) == [(1, 0.25, 0)]
    linked = [
        *await subscriber.items(VALVE, ClientHandle=2, mode=1),
        *await subscriber.items(PUMP, ClientHandle=3, mode=1),
        *await subscriber.items(VALVE, ClientHandle=4, mode=1, QueueSize=5, SamplingInterval=50),
    ]
    await running.mirror.push()
    ids = [one.MonitoredItemId for one in linked]
    await subscriber.call("SetTriggering", TriggeringItemId=first.MonitoredItemId, LinksToAdd=ids)
    seen = {handle for _ in range(3) for handle, _, _ in await asyncio.wait_for(subscriber.changes(), 2)}
    assert seen == {2, 3, 4}
    await shown(running, VALVE, 30.0)
    await shown(running, LEVEL, 1.0)
    told = [one for _ in range(3) for one in await asyncio.wait_for(subscriber.changes(), 2)]
    assert sorted(told) == [(1, 1.0, 0), (2, 30.0, 0), (4, 30.0, 0)]


async def test_links_end_with_their_item(running: Running, subscriber: Subscriber) -> None:
    await subscriber.subscribe()
    its = running.mirror.subscriptions[subscriber.id]
    for _ in range(3):
        made = [one.MonitoredItemId for one in await subscriber.items(LEVEL, VALVE)]
        await subscriber.call("SetTriggering", TriggeringItemId=made[0], LinksToAdd=made[1:])
        await subscriber.changes()
        await subscriber.call("DeleteMonitoredItems", MonitoredItemIds=made)
    assert (its.links, its._fired) == ({}, {})


async def test_who_gives_his_last_subscription_away_is_asked_no_more(
    subscriber: Subscriber, other: Subscriber
) -> None:
    await subscriber.subscribe(5000)
    waiting = [asyncio.create_task(subscriber.publish()) for _ in range(2)]
    await subscriber.items(LEVEL)
    await other.call("TransferSubscriptions", SubscriptionIds=[subscriber.id], SendInitialValues=False)
    farewell = await asyncio.wait_for(waiting[0], 2)
    assert farewell.NotificationMessage.NotificationData[0].Status.value == Codes.GoodSubscriptionTransferred
    with pytest.raises(ua.uaerrors.BadNoSubscription):
        await asyncio.wait_for(waiting[1], 2)


async def test_a_farewell_has_the_next_number(
    running: Running, subscriber: Subscriber, other: Subscriber
) -> None:
    await subscriber.subscribe()
    await subscriber.items(LEVEL)
    assert (await subscriber.publish()).NotificationMessage.SequenceNumber == 1
    waiting = asyncio.create_task(subscriber.publish())
    await asyncio.sleep(0)
    await other.call("TransferSubscriptions", SubscriptionIds=[subscriber.id], SendInitialValues=False)
    assert (await waiting).NotificationMessage.SequenceNumber == 2


async def test_messages_that_nobody_acknowledges_have_a_bound_over_all(
    running: Running, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = running.mirror.kept.bytes
    monkeypatch.setattr(subscriptions, "KEPT_BYTES_OF_ALL", before + 1000)
    ids = []
    for _ in range(3):
        await subscriber.subscribe()
        await subscriber.items(*[LEVEL] * 10)
        ids.append(subscriber.id)
    for turn in range(6):
        await shown(running, LEVEL, 10.0 + turn)
        for _ in ids:
            await subscriber.publish()
    kept = [running.mirror.subscriptions[id_].unacknowledged_message_count for id_ in ids]
    assert max(kept) <= 2
    assert min(kept) >= 1
    assert running.mirror.kept.bytes <= before + 1000 + 3 * 500
    await subscriber.call("DeleteSubscriptions", SubscriptionIds=ids)
    assert running.mirror.kept.bytes == before


async def test_reads_that_are_due_no_more_are_forgotten(
    running: Running, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polled, "SLACK", 5)
    await subscriber.subscribe()
    its = running.mirror.subscriptions[subscriber.id].polled
    for _ in range(20):
        (made,) = await subscriber.items(value_of(LEVEL, 5), SamplingInterval=3_600_000)
        await running.mirror.push()
        await subscriber.call("DeleteMonitoredItems", MonitoredItemIds=[made.MonitoredItemId])
    assert len(its._due) <= 8


async def test_the_more_important_gets_the_only_request(running: Running, subscriber: Subscriber) -> None:
    ids = []
    for priority in (0, 200):
        await subscriber.subscribe(100, Priority=priority)
        await subscriber.items(LEVEL)
        ids.append(subscriber.id)
    for one in ids:  # both at the same time, with one request
        running.mirror.subscriptions[one].next_ns = running.mirror.subscriptions[ids[0]].next_ns
    told = await subscriber.publish()
    assert told.SubscriptionId == ids[1]


async def test_a_trigger_may_get_a_dead_band(running: Running, subscriber: Subscriber) -> None:
    await subscriber.subscribe()
    first, second = [one.MonitoredItemId for one in await subscriber.items(LEVEL, VALVE)]
    await subscriber.call("SetTriggering", TriggeringItemId=first, LinksToAdd=[second])
    assert len(await asyncio.wait_for(subscriber.changes(), 2)) == 2
    for wanted, level in ((BAND, 100.0), (None, 200.0)):
        change = ua.MonitoredItemModifyRequest(first, parameters_of(0, Filter=wanted))
        await subscriber.call("ModifyMonitoredItems", ItemsToModify=[change])
        await shown(running, LEVEL, level)
        assert (0, level, 0) in await asyncio.wait_for(subscriber.changes(), 2)


@pytest.mark.parametrize("where", ["message", "feed", "polled"])
async def test_a_defect_in_one_subscription_is_not_the_end_of_others(
    running: Running, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    await subscriber.subscribe()
    good = subscriber.id
    await subscriber.items(LEVEL)
    await subscriber.subscribe()
    await subscriber.items(value_of(LEVEL, 5), LEVEL, QueueSize=3, SamplingInterval=50)
    its = running.mirror.subscriptions[subscriber.id]
    monkeypatch.delattr(
        *{"message": (its, "links"), "feed": (its.feed, "_ids"), "polled": (its.polled, "_due")}[where]
    )
    ended = False
    while not ended:
        message = await asyncio.wait_for(subscriber.publish(id_=good), 2)
        for one in message.NotificationMessage.NotificationData or ():
            if isinstance(one, ua.StatusChangeNotification):
                assert (message.SubscriptionId, one.Status.value) == (subscriber.id, Codes.BadInternalError)
                ended = True
        await shown(running, LEVEL, running.mirror.table.number + 0.5)
    assert good in running.mirror.subscriptions
