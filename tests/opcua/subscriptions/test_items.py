"""Monitored items over a real connection: what is reported, when, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua

from scada.opcua import limits
from tags import quality
from tests.opcua.conftest import Running
from tests.opcua.subscriptions.conftest import (
    LEVEL,
    MODE,
    NOTE,
    PUMP,
    VALVE,
    Subscriber,
    happen,
    parameters_of,
    value_of,
    values,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
OVERFLOW = 0x480
Codes = ua.StatusCodes


def band(kind: int, value: float, trigger: int = 1) -> ua.DataChangeFilter:
    return ua.DataChangeFilter(ua.DataChangeTrigger(trigger), kind, value)


async def test_values_of_all_kinds_come_first_as_they_are_and_then_as_they_change(
    running: Running, subscriber: Subscriber
) -> None:
    plant = running.plant
    for path, value in ((LEVEL, 1.5), (PUMP, True), (NOTE, "Grüße"), (MODE, 2)):
        happen(plant, path, value)
    await running.mirror.push()
    await subscriber.subscribe()
    made = await subscriber.items(LEVEL, PUMP, NOTE, MODE)
    assert all(one.StatusCode.is_good() for one in made)
    assert await subscriber.changes() == [(0, 1.5, 0), (1, True, 0), (2, "Grüße", 0), (3, 2, 0)]
    happen(plant, NOTE, "")
    happen(plant, LEVEL, 2.0, status=quality.BAD_SENSOR_FAILURE)
    await running.mirror.push()
    assert await subscriber.changes() == [(0, None, quality.BAD_SENSOR_FAILURE), (2, "", 0)]
    happen(plant, LEVEL, 2.0)


@pytest.mark.parametrize(("oldest", "wanted"), [
    (True, [(3.0, OVERFLOW), (4.0, 0), (5.0, 0)]),
    (False, [(1.0, 0), (2.0, 0), (5.0, OVERFLOW)]),
])  # fmt: skip
async def test_a_queue_misses_nothing_and_says_when_it_overflows(
    running: Running, subscriber: Subscriber, oldest: bool, wanted: list[Any]
) -> None:
    plant = running.plant
    happen(plant, LEVEL, 0.0)
    await running.mirror.push()
    await subscriber.subscribe(100)
    (made,) = await subscriber.items(LEVEL, QueueSize=3, DiscardOldest=oldest, SamplingInterval=0)
    assert (made.RevisedQueueSize, made.RevisedSamplingInterval) == (3, 50)
    assert await subscriber.changes() == [(0, 0.0, 0)]
    happen(plant, LEVEL, 1.0, 2.0)
    await running.mirror.push()
    happen(plant, LEVEL, 3.0, 4.0, 5.0)
    await running.mirror.push()
    assert [(value, status) for _, value, status in await subscriber.changes()] == wanted


async def test_a_queue_hears_of_silence_too(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, LEVEL, 1.0)
    await running.mirror.push()
    await subscriber.subscribe()
    await subscriber.items(LEVEL, QueueSize=10, SamplingInterval=50)
    assert await subscriber.changes() == [(0, 1.0, 0)]
    running.plant.put(LEVEL, 1.0, status=quality.UNCERTAIN_LAST_USABLE)  # in the image only, as staleness is
    await running.mirror.push()
    assert await subscriber.changes() == [(0, 1.0, quality.UNCERTAIN_LAST_USABLE)]


async def test_a_queue_of_texts(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, NOTE, "a")
    await running.mirror.push()
    await subscriber.subscribe()
    await subscriber.items(NOTE, QueueSize=5, SamplingInterval=50)
    for text in ("a", "b", "c"):
        happen(running.plant, NOTE, text)
        await running.mirror.push()
        assert (await subscriber.changes())[-1] == (0, text, 0)


async def test_dead_bands_count_from_what_was_reported_last(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, LEVEL, 2.0)
    happen(running.plant, VALVE, 50.0)
    await running.mirror.push()
    await subscriber.subscribe()
    # 10 % of the level's range 0 … 5 m is 0.5 m
    (one,) = await subscriber.items(LEVEL, Filter=band(2, 10.0))
    assert one.StatusCode.is_good()
    assert await subscriber.changes() == [(0, 2.0, 0)]
    for step in range(1, 7):
        happen(running.plant, LEVEL, 2.0 + step / 10)
        await running.mirror.push()
    assert await subscriber.changes() == [(0, 2.6, 0)]
    happen(running.plant, LEVEL, 2.6, status=quality.BAD_SENSOR_FAILURE)
    await running.mirror.push()
    assert await subscriber.changes() == [(0, None, quality.BAD_SENSOR_FAILURE)]
    happen(running.plant, LEVEL, 2.6)


async def test_a_dead_band_holds_in_a_queue(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, LEVEL, 0.0)
    await running.mirror.push()
    await subscriber.subscribe()
    await subscriber.items(LEVEL, Filter=band(1, 1.0), QueueSize=10, SamplingInterval=50)
    assert await subscriber.changes() == [(0, 0.0, 0)]
    happen(running.plant, LEVEL, 0.5, 1.0, 1.5, 0.6, 3.0, 2.5, 0.0)
    await running.mirror.push()
    assert await subscriber.changes() == [(0, 1.5, 0), (0, 3.0, 0), (0, 0.0, 0)]


async def test_triggers(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, LEVEL, 1.0)
    await running.mirror.push()
    await subscriber.subscribe()
    await subscriber.items(LEVEL, Filter=band(0, 0.0, trigger=0))
    await subscriber.items(LEVEL, Filter=band(0, 0.0, trigger=2), ClientHandle=7)
    assert len(await subscriber.changes()) == 2
    running.plant.clock.advance(1000)
    image, tag = running.plant.images["field"], running.plant.tags[LEVEL]
    rows = slice(tag.row, tag.row + 1)
    image.publish(
        rows, image.value[rows].copy(), 0, running.plant.clock.utc_ns(), running.plant.clock.monotonic_ns()
    )
    await running.mirror.push()
    assert await subscriber.changes() == [(7, 1.0, 0)]  # a new time
    happen(running.plant, LEVEL, 2.0)
    await running.mirror.push()
    assert await subscriber.changes() == [(7, 2.0, 0)]  # a new value
    happen(running.plant, LEVEL, 2.0, status=quality.UNCERTAIN)
    await running.mirror.push()
    assert len(await subscriber.changes()) == 2  # a new status


async def test_each_item_has_its_time_stamps_and_may_change_them(
    running: Running, subscriber: Subscriber
) -> None:
    await subscriber.subscribe()
    made = []
    for stamps in range(4):
        made += await subscriber.items(LEVEL, stamps=stamps, ClientHandle=stamps)
    message = await subscriber.publish()
    seen = message.NotificationMessage.NotificationData[0].MonitoredItems
    given = [(one.Value.SourceTimestamp is not None, one.Value.ServerTimestamp is not None) for one in seen]
    assert given == [(True, False), (False, True), (True, True), (False, False)]
    change = ua.MonitoredItemModifyRequest(made[0].MonitoredItemId, parameters_of(9))
    response = await subscriber.call(
        "ModifyMonitoredItems", TimestampsToReturn=ua.TimestampsToReturn.Neither, ItemsToModify=[change]
    )
    assert response.Results[0].StatusCode.is_good()
    happen(running.plant, LEVEL, 3.25)
    await running.mirror.push()
    message = await subscriber.publish()
    first = message.NotificationMessage.NotificationData[0].MonitoredItems[0]
    assert (first.ClientHandle, first.Value.SourceTimestamp, first.Value.ServerTimestamp) == (9, None, None)


async def test_modes(running: Running, subscriber: Subscriber) -> None:
    await subscriber.subscribe()
    made = [*await subscriber.items(LEVEL, mode=0), *await subscriber.items(VALVE, mode=1, QueueSize=5)]
    ids = [one.MonitoredItemId for one in made]
    assert values(await subscriber.publish()) == []  # only that it lives
    happen(running.plant, LEVEL, 1.25)
    happen(running.plant, VALVE, 10.0)
    await running.mirror.push()
    response = await subscriber.call(
        "SetMonitoringMode", MonitoringMode=ua.MonitoringMode.Reporting, MonitoredItemIds=[*ids, 99]
    )
    assert [code.value for code in response.Parameters.Results] == [0, 0, Codes.BadMonitoredItemIdInvalid]
    found = await subscriber.changes()
    assert [value for _, value, _ in found][-1] == 1.25 or found[-1][1] == 10.0
    assert {value for _, value, _ in found} >= {1.25, 10.0}  # what was sampled meanwhile is not lost
    await subscriber.call(
        "SetMonitoringMode", MonitoringMode=ua.MonitoringMode.Disabled, MonitoredItemIds=ids[:1]
    )
    happen(running.plant, LEVEL, 1.75)
    happen(running.plant, VALVE, 11.0)
    await running.mirror.push()
    assert [value for _, value, _ in await subscriber.changes()] == [11.0]


async def test_links_have_a_bound(subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINKS_PER_SUBSCRIPTION", 1)
    await subscriber.subscribe()
    ids = [one.MonitoredItemId for one in await subscriber.items(LEVEL, VALVE, PUMP)]
    response = await subscriber.call(
        "SetTriggering", TriggeringItemId=ids[0], LinksToAdd=[ids[1], ids[1], ids[2]]
    )
    assert [code.value for code in response.Parameters.AddResults] == [0, 0, Codes.BadResourceUnavailable]


async def test_an_item_triggers_another(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, LEVEL, 1.0)
    happen(running.plant, VALVE, 20.0)
    await running.mirror.push()
    await subscriber.subscribe()
    (first,) = await subscriber.items(LEVEL, ClientHandle=1)
    (second,) = await subscriber.items(VALVE, ClientHandle=2, mode=1)
    link = {"TriggeringItemId": first.MonitoredItemId, "LinksToAdd": [second.MonitoredItemId, 77]}
    response = await subscriber.call("SetTriggering", **link)
    assert [code.value for code in response.Parameters.AddResults] == [0, Codes.BadMonitoredItemIdInvalid]
    assert sorted(await subscriber.changes()) == [(1, 1.0, 0), (2, 20.0, 0)]
    happen(running.plant, VALVE, 21.0)
    await running.mirror.push()
    happen(running.plant, LEVEL, 1.1)
    await running.mirror.push()
    assert sorted(await subscriber.changes()) == [(1, 1.1, 0), (2, 21.0, 0)]
    response = await subscriber.call(
        "SetTriggering", TriggeringItemId=first.MonitoredItemId, LinksToRemove=[second.MonitoredItemId]
    )
    assert response.Parameters.RemoveResults[0].is_good()
    happen(running.plant, VALVE, 22.0)
    happen(running.plant, LEVEL, 1.2)
    await running.mirror.push()
    assert await subscriber.changes() == [(1, 1.2, 0)]
    with pytest.raises(ua.uaerrors.BadMonitoredItemIdInvalid):
        await subscriber.call("SetTriggering", TriggeringItemId=1000, LinksToAdd=[first.MonitoredItemId])
    with pytest.raises(ua.uaerrors.BadNothingToDo):
        await subscriber.call("SetTriggering", TriggeringItemId=first.MonitoredItemId)


async def test_other_attributes_nodes_and_parts_of_texts(running: Running, subscriber: Subscriber) -> None:
    happen(running.plant, NOTE, "abcdef")
    await running.mirror.push()
    await subscriber.subscribe()
    clock = ua.ReadValueId(
        NodeId=ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime), AttributeId=ua.AttributeIds.Value
    )
    made = await subscriber.items(value_of(LEVEL, 4), value_of(NOTE, index_range="1:2"), clock)
    assert [one.StatusCode.value for one in made] == [0, 0, 0]
    found = {handle: value for handle, value, _ in await subscriber.changes()}
    assert found[0].Text == "LT-101"
    assert found[1] == "bc"
    assert found[2] is not None


@pytest.mark.parametrize(("what", "parameters", "code"), [
    (value_of("tank1/none"), {}, Codes.BadNodeIdUnknown),
    (value_of(LEVEL, 12), {}, Codes.BadAttributeIdInvalid),
    (value_of(LEVEL, index_range="3:1"), {}, Codes.BadIndexRangeInvalid),
    (ua.ReadValueId(NodeId=ua.NodeId(LEVEL, 2), AttributeId=ua.AttributeIds.Value,
                    DataEncoding=ua.QualifiedName("Default Binary")), {}, Codes.BadDataEncodingInvalid),
    (value_of(NOTE), {"Filter": band(1, 1.0)}, Codes.BadFilterNotAllowed),
    (value_of(LEVEL, 4), {"Filter": band(0, 0.0)}, Codes.BadFilterNotAllowed),
    (value_of(LEVEL), {"Filter": band(1, -1.0)}, Codes.BadDeadbandFilterInvalid),
    (value_of(LEVEL), {"Filter": band(2, 101.0)}, Codes.BadDeadbandFilterInvalid),
    (value_of(LEVEL), {"Filter": band(7, 1.0)}, Codes.BadDeadbandFilterInvalid),
    (value_of(MODE), {"Filter": band(2, 1.0)}, Codes.BadMonitoredItemFilterUnsupported),
    (value_of(LEVEL), {"Filter": ua.EventFilter()}, Codes.BadFilterNotAllowed),
    (value_of(LEVEL), {"Filter": ua.AggregateFilter()}, Codes.BadMonitoredItemFilterUnsupported),
])  # fmt: skip
async def test_what_cannot_be_monitored_is_refused(
    subscriber: Subscriber, what: ua.ReadValueId, parameters: dict[str, Any], code: int
) -> None:
    if not subscriber.id:
        await subscriber.subscribe()
    (made, good) = await subscriber.items(what, LEVEL, **parameters)
    assert made.StatusCode.value == code
    assert made.MonitoredItemId == 0
    del good


async def test_sampling_slower_than_publishing(running: Running, subscriber: Subscriber) -> None:
    await subscriber.subscribe()
    (made,) = await subscriber.items(LEVEL, SamplingInterval=60_000)
    assert made.RevisedSamplingInterval == 60_000
    (fast,) = await subscriber.items(VALVE, ClientHandle=1, SamplingInterval=float("nan"))
    assert fast.RevisedSamplingInterval == 50
    assert len(await subscriber.changes()) == 2
    happen(running.plant, LEVEL, 4.75)
    happen(running.plant, VALVE, 77.0)
    await running.mirror.push()
    assert await subscriber.changes() == [(1, 77.0, 0)]
