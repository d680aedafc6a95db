"""Control played behind a real server, and what a client of conditions does again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.common.events import Event

from scada.alarms import state
from scada.opcua.conditions.fields import event_id
from tests.client.plant import Responder
from tests.opcua.conditions.simulated import SECOND, Played
from tests.opcua.conftest import PASSWORD, Running
from tests.support.opcua_client import with_certificate

LEVEL = ua.NodeId(ua.ObjectIds.NonExclusiveLevelAlarmType)
ALARM = ua.NodeId(ua.ObjectIds.AlarmConditionType)
HAPPENINGS = {
    "acknowledge": state.TO_CONFIRM, "confirm": state.CONFIRM, "comment": state.UNSUPPRESS, "enable": state.ENABLE,
    "disable": state.DISABLE, "suppress": state.HOLD_BACK, "unsuppress": state.LET_GO, "remove": state.REMOVE,
    "return": state.RETURN, "unshelve": state.UNSHELVE,
}  # fmt: skip


class Control:
    """Plays control: alarms move by the real table, requests are answered, images and rings are real."""

    last = 0  # time of the last event, UTC, ns: numbers of events grow over all tests of a plant

    def __init__(self, running: Running) -> None:
        self.plant, self.played = running.plant, Played(running.plant.site)
        self.played.t = max(running.plant.clock.utc_ns(), Control.last)
        self.responder = Responder(running.plant, self.answer)
        self.outcome = "confirmed"
        for path in self.played.state:
            self.plant.put(path, 0)

    @property
    def requests(self) -> list[tuple[str, str, Any, str, str]]:
        return [
            (one["kind"], one["items"][0][0], one["items"][0][1], one["user"], one["role"])
            for one in self.responder.requests
        ]

    def happens(self, path: str, happening: str, action: str = "", **more: Any) -> int:
        event = self.played.happens(path, happening, action, **more)
        self.plant.put(path, self.played.bits(path))
        number = int(event["number"])
        self.plant.event(
            event.pop("kind"), **{name: value for name, value in event.items() if name != "service"}
        )
        return number

    def answer(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        path, comment = request["items"][0]
        if self.outcome == "confirmed":
            kind = request["kind"]
            what = HAPPENINGS.get(kind) or (state.SHELVE if request.get("for_ns") else state.SHELVE_ONCE)
            more = {} if comment is None else {"comment": comment}
            if request.get("for_ns"):
                more["until"] = self.played.t + SECOND + request["for_ns"]
            self.happens(path, what, kind, user=request["user"], **more)
        return [{"status": self.outcome, "reasons": [], "source": "opcua", "user": request["user"]}]

    def close(self) -> None:
        Control.last = self.played.t
        for path in self.played.state:
            self.plant.put(path, 0)
        self.responder.close()


async def signed_in(running: Running, folder: Path, user: str) -> Client:
    client = await with_certificate(running.url, folder, running.plant.data.certs)
    client.set_user(user)
    client.set_password(PASSWORD)
    await client.connect()
    return client


class Heard:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue()

    def event_notification(self, event: Event) -> None:
        self.queue.put_nowait(event)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.queue.get(), 5)

    async def all_until(self, type_: ua.NodeId) -> list[Any]:
        found = [await self.next()]
        while found[-1].EventType != type_:
            found.append(await self.next())
        return found


@contextlib.asynccontextmanager
async def listening(
    client: Client, types: Any = LEVEL, node: Any = ua.ObjectIds.Server
) -> AsyncIterator[tuple[Heard, Any, int]]:
    heard = Heard()
    subscription = await client.create_subscription(50, heard)
    item = await subscription.subscribe_events(client.get_node(node), types, queuesize=50)
    yield heard, subscription, item
    await subscription.delete()


def condition(path: str, *parts: str) -> ua.NodeId:
    return ua.NodeId("/".join((f"{path}#condition", *parts)), 2)


async def call(client: Client, object_: ua.NodeId, method: str, *arguments: ua.Variant) -> int:
    request = ua.CallMethodRequest(
        ObjectId=object_, MethodId=ua.NodeId(getattr(ua.ObjectIds, method)), InputArguments=list(arguments)
    )
    results = await client.uaclient.call([request])
    return int(results[0].StatusCode.value)


def named(number: int, comment: str | None = "seen") -> tuple[ua.Variant, ua.Variant]:
    return (
        ua.Variant(event_id(number), ua.VariantType.ByteString),
        ua.Variant(ua.LocalizedText(comment), ua.VariantType.LocalizedText),
    )


def ms(time: float) -> ua.Variant:
    return ua.Variant(time, ua.VariantType.Double)
