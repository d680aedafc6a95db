"""Services with what the cases mostly ask for filled in."""

from __future__ import annotations

from typing import Any, Final

from tests.opcua.conformance.case import good
from tests.opcua.conformance.peers import Session

Fields = dict[str, Any]

VALUE: Final = 13
BOTH, NEITHER = 2, 3
REPORTING, SAMPLING, DISABLED = 2, 1, 0
HIERARCHICAL: Final = "i=33"


def tag(path: str) -> str:
    """The NodeId of a tag."""
    return f"ns=2;s={path}"


async def read(
    session: Session, *nodes: str, attribute: int = VALUE, stamps: int = BOTH, age: float = 0, **more: Any
) -> list[Fields]:
    """Read of one attribute of nodes: DataValues."""
    ids = [{"nodeId": node, "attributeId": attribute, **more} for node in nodes]
    found = await session.call("Read", {"maxAge": age, "timestampsToReturn": stamps, "nodesToRead": ids})
    results: list[Fields] = found["results"]
    return results


async def value(session: Session, node: str, attribute: int = VALUE) -> Any:
    """The value of one attribute, which is Good."""
    (found,) = await read(session, node, attribute=attribute)
    good(found["status"])
    return None if found["value"] is None else found["value"]["value"]


async def write(
    session: Session, node: str, kind: str, wanted: Any, attribute: int = VALUE, **more: Any
) -> int:
    """Write of one attribute; its StatusCode. `more` are fields of the DataValue, `index` is an IndexRange."""
    item = {"nodeId": node, "attributeId": attribute}
    if "index" in more:
        item["indexRange"] = more.pop("index")
    item["value"] = {"value": {"$variant": kind, "value": wanted}, **more}
    found = await session.call("Write", {"nodesToWrite": [item]})
    status: int = found["results"][0]
    return status


async def browse(
    session: Session,
    node: str,
    *,
    most: int = 0,
    mask: int = 63,
    classes: int = 0,
    kind: str = HIERARCHICAL,
    inverse: bool = False,
    subtypes: bool = True,
) -> Fields:
    """Browse of one node: a BrowseResult."""
    what = {
        "nodeId": node, "browseDirection": int(inverse), "referenceTypeId": kind, "includeSubtypes": subtypes,
        "nodeClassMask": classes, "resultMask": mask,
    }  # fmt: skip
    found = await session.call("Browse", {"nodesToBrowse": [what], "requestedMaxReferencesPerNode": most})
    result: Fields = found["results"][0]
    return result


async def children(session: Session, node: str, **more: Any) -> dict[str, str]:
    """BrowseName → NodeId of what lies below a node."""
    result = await browse(session, node, **more)
    good(result["statusCode"])
    return {one["browseName"]["name"]: one["nodeId"] for one in result["references"]}


async def path_of(session: Session, start: str, *names: str, space: int = 0) -> Fields:
    """TranslateBrowsePaths of one path: a BrowsePathResult."""
    elements = [
        {
            "referenceTypeId": HIERARCHICAL, "isInverse": False, "includeSubtypes": True,
            "targetName": {"namespaceIndex": space, "name": name},
        }
        for name in names
    ]  # fmt: skip
    paths = [{"startingNode": start, "relativePath": {"elements": elements}}]
    found = await session.call("TranslateBrowsePathsToNodeIds", {"browsePaths": paths})
    result: Fields = found["results"][0]
    return result


async def call(session: Session, object_: str, method: str, *arguments: tuple[str, Any]) -> Fields:
    """Call of one method: a CallMethodResult."""
    inputs = [{"$variant": kind, "value": one} for kind, one in arguments]
    methods = [{"objectId": object_, "methodId": method, "inputArguments": inputs}]
    found = await session.call("Call", {"methodsToCall": methods})
    result: Fields = found["results"][0]
    return result


async def subscribe(
    session: Session,
    interval: float = 100,
    *,
    alive: int = 50,
    life: int = 1000,
    enabled: bool = True,
    most: int = 0,
) -> Fields:
    """CreateSubscription: its answer."""
    return await session.call(
        "CreateSubscription",
        {
            "requestedPublishingInterval": interval, "requestedLifetimeCount": life,
            "requestedMaxKeepAliveCount": alive, "maxNotificationsPerPublish": most,
            "publishingEnabled": enabled, "priority": 0,
        },
    )  # fmt: skip


def wanted(
    node: str,
    handle: int = 1,
    *,
    attribute: int = VALUE,
    mode: int = REPORTING,
    sampling: float = 0,
    queue: int = 1,
    oldest: bool = True,
    what: Fields | None = None,
) -> Fields:
    """A MonitoredItemCreateRequest."""
    return {
        "itemToMonitor": {"nodeId": node, "attributeId": attribute}, "monitoringMode": mode,
        "requestedParameters": {
            "clientHandle": handle, "samplingInterval": sampling, "queueSize": queue, "discardOldest": oldest,
            "filter": what,
        },
    }  # fmt: skip


async def monitor(session: Session, subscription: int, *items: Fields, stamps: int = BOTH) -> list[Fields]:
    """CreateMonitoredItems: a result for each."""
    found = await session.call(
        "CreateMonitoredItems",
        {"subscriptionId": subscription, "timestampsToReturn": stamps, "itemsToCreate": list(items)},
    )
    results: list[Fields] = found["results"]
    return results


async def publish(session: Session, *acknowledged: tuple[int, int]) -> Fields:
    """Publish: its answer, when it comes."""
    done = [{"subscriptionId": one, "sequenceNumber": number} for one, number in acknowledged]
    return await session.call("Publish", {"subscriptionAcknowledgements": done})


def notified(answer: Fields) -> list[Fields]:
    """MonitoredItemNotifications in the answer to a Publish."""
    return [
        item for part in answer["notificationMessage"]["notificationData"] or []
        if part["$type"] == "DataChangeNotification" for item in part["monitoredItems"] or []
    ]  # fmt: skip


def events(answer: Fields) -> list[list[Any]]:
    """Fields of the events in the answer to a Publish; plain values."""
    return [
        [None if one is None else one["value"] for one in event["eventFields"] or []]
        for part in answer["notificationMessage"]["notificationData"] or []
        if part["$type"] == "EventNotificationList" for event in part["events"] or []
    ]  # fmt: skip


async def unsubscribe(session: Session, *subscriptions: int) -> list[int]:
    """DeleteSubscriptions: StatusCodes."""
    found = await session.call("DeleteSubscriptions", {"subscriptionIds": list(subscriptions)})
    results: list[int] = found["results"]
    return results


SERVER: Final = "i=2253"
EVENTS: Final = 12
CONDITION: Final = "i=2782"


def field(*names: str, kind: str = "i=2041", attribute: int = VALUE) -> Fields:
    """A select clause."""
    path = [{"namespaceIndex": 0, "name": name} for name in names]
    return {"typeDefinitionId": kind, "browsePath": path, "attributeId": attribute}


def named(*names: str, where: Fields | None = None) -> Fields:
    """Select and where clauses of an event filter: fields by name (`AckedState/Id`), of conditions too."""
    clauses = [field(*name.split("/"), kind="i=2915" if "/" in name else "i=2041") for name in names]
    return {"selectClauses": clauses, "whereClause": where or {"elements": []}}


def of_type(kind: str) -> Fields:
    """A where clause: events of a type."""
    return {"elements": [{"filterOperator": 14, "filterOperands": [literal("NodeId", kind)]}]}


def literal(kind: str, wanted_value: Any) -> Fields:
    """A LiteralOperand."""
    return {"$type": "LiteralOperand", "value": {"$variant": kind, "value": wanted_value}}


def listening(node: str, handle: int, what: Fields, queue: int = 100) -> Fields:
    """A MonitoredItemCreateRequest for events."""
    return wanted(node, handle, attribute=EVENTS, queue=queue, what={"$type": "EventFilter", **what})
