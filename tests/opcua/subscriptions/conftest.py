from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from asyncua import ua

from bench.opcua.raw import Client
from tags.ring import RingWriter, changes
from tags.types import to_bits
from tests.client.plant import Plant
from tests.opcua.conftest import Running

LEVEL, VALVE, PUMP, NOTE, MODE = (
    "tank1/LT-101", "tank1/LV-101/POS", "tank1/P-101/RUN", "tank1/note", "tank1/LIC-101/MODE",
)  # fmt: skip


class Subscriber:
    """A session that asks for each message by hand.

    Attributes:
        id: Of its subscription.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.id = 0

    async def subscribe(
        self, interval_ms: float = 50, keep_alive: int = 1000, **more: Any
    ) -> ua.CreateSubscriptionResult:
        request = ua.CreateSubscriptionRequest()
        wanted = request.Parameters
        wanted.RequestedPublishingInterval = interval_ms
        wanted.RequestedLifetimeCount, wanted.RequestedMaxKeepAliveCount = 3 * keep_alive, keep_alive
        wanted.PublishingEnabled = True
        for name, value in more.items():
            setattr(wanted, name, value)
        made = (await self.client.call(request, ua.CreateSubscriptionResponse)).Parameters
        self.id = made.SubscriptionId
        return made

    async def items(
        self, *paths: Any, stamps: int = 2, mode: int = 2, **parameters: Any
    ) -> list[ua.MonitoredItemCreateResult]:
        """Items with the client handles 0, 1 and so on; a path, or a ReadValueId."""
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = self.id
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn(stamps)
        for handle, path in enumerate(paths):
            item = ua.MonitoredItemCreateRequest()
            item.ItemToMonitor = path if isinstance(path, ua.ReadValueId) else value_of(path)
            item.MonitoringMode = ua.MonitoringMode(mode)
            item.RequestedParameters = parameters_of(handle, **parameters)
            request.Parameters.ItemsToCreate.append(item)
        return list((await self.client.call(request, ua.CreateMonitoredItemsResponse)).Results)

    async def publish(self, *acks: int, id_: int | None = None) -> ua.PublishResult:
        """The next message."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(self.id if id_ is None else id_, number) for number in acks
        ]
        return (await self.client.call(request, ua.PublishResponse)).Parameters

    async def changes(self) -> list[tuple[int, Any, int]]:
        """(client handle, value, status) in the next message that has data changes."""
        while True:
            found = values(await self.publish())
            if found:
                return found

    async def call(self, kind: str, **parameters: Any) -> Any:
        """Another service, with its subscription."""
        request = getattr(ua, f"{kind}Request")()
        wanted = request.Parameters
        if hasattr(wanted, "SubscriptionId"):
            wanted.SubscriptionId = self.id
        for name, value in parameters.items():
            setattr(wanted, name, value)
        return await self.client.call(request, getattr(ua, f"{kind}Response"))


def value_of(path: str, attribute: int = 13, index_range: str | None = None) -> ua.ReadValueId:
    return ua.ReadValueId(
        NodeId=ua.NodeId(path, 2), AttributeId=ua.AttributeIds(attribute), IndexRange=index_range
    )


def parameters_of(handle: int, **more: Any) -> ua.MonitoringParameters:
    wanted = ua.MonitoringParameters()
    wanted.ClientHandle, wanted.SamplingInterval, wanted.QueueSize, wanted.DiscardOldest = handle, -1, 1, True
    for name, value in more.items():
        setattr(wanted, name, value)
    return wanted


def values(message: ua.PublishResult) -> list[tuple[int, Any, int]]:
    found = []
    for data in message.NotificationMessage.NotificationData or []:
        for item in getattr(data, "MonitoredItems", ()):
            value = item.Value.Value.Value if item.Value.Value is not None else None
            found.append((item.ClientHandle, value, item.Value.StatusCode.value))
    return found


def happen(plant: Plant, path: str, *new: Any, status: int = 0) -> None:
    """Changes as services publish them: first the ring, then the image."""
    tag = plant.tags[path]
    ring = RingWriter.open(plant.data.ring(tag.writer), 1)
    for value in new:
        if not isinstance(value, str):
            ring.append(changes(tag.id, status, plant.clock.utc_ns(), 1, to_bits(tag.type, value), 1))
        plant.put(path, value, status)
    ring.close()


@pytest_asyncio.fixture(loop_scope="module")
async def subscriber(running: Running) -> AsyncIterator[Subscriber]:
    for path, value in ((LEVEL, 0.25), (VALVE, 0.25), (PUMP, False), (NOTE, "-"), (MODE, 0)):
        happen(running.plant, path, value)
    await running.mirror.push()
    client = await Client.connect(int(running.url.rpartition(":")[2]), "one")
    yield Subscriber(client)
    client.close()


@pytest_asyncio.fixture(loop_scope="module")
async def other(running: Running) -> AsyncIterator[Subscriber]:
    """Another session of the same application."""
    client = await Client.connect(int(running.url.rpartition(":")[2]), "one")
    yield Subscriber(client)
    with contextlib.suppress(ConnectionError):
        client.close()
