"""HistoryUpdate over real sockets: what an engineer corrects, what others may not, and that what was stored stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_from_binary

from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch
from scada.client import Archive
from scada.client import Client as Door
from scada.opcua.history import exact
from scada.opcua.history.update import TIMES_MAX, VALUES_MAX
from tests.client.plant import Plant
from tests.opcua.conftest import PASSWORD, Running
from tests.opcua.test_server import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = 1_000_000_000
START = 1_795_348_800 * SECOND
FINE = 40 * SECOND + 123_456_789
LEVEL, NOTE = "tank1/LT-101", "tank1/note"
GOOD, INSERTED, REPLACED = 0, int(ua.StatusCodes.GoodEntryInserted), int(ua.StatusCodes.GoodEntryReplaced)
INSERT, REPLACE, UPDATE, REMOVE = 1, 2, 3, 4
codes = ua.StatusCodes


@pytest.fixture(scope="module")
def stored(plant: Plant) -> Iterator[SqliteStore]:
    store = SqliteStore.writer(plant.data.history)
    store.declare(plant.site.tags)
    rows = np.zeros(6, SAMPLE)
    rows["tag"] = plant.tags[LEVEL].id
    rows["t"] = [START + t for t in (0, 10 * SECOND, 20 * SECOND, 30 * SECOND, FINE, 50 * SECOND)]
    rows["bits"] = np.arange(6.0).view(np.uint64)
    store.append(Batch(rows, utc_ns=START + 60 * SECOND))
    yield store
    store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engineer(
    server_of: Running, stored: SqliteStore, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    server_of.users.add("emil", PASSWORD, "engineer")
    client = await signed_in(server_of, tmp_path_factory.mktemp("emil"), "emil")
    yield client
    await client.disconnect()


def moment(t: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(START // SECOND, dt.UTC) + dt.timedelta(seconds=t)


def value(
    t: float | None, wanted: Any, kind: ua.VariantType = ua.VariantType.Double, **more: Any
) -> ua.DataValue:
    stamp = None if t is None else moment(t)
    return ua.DataValue(ua.Variant(wanted, kind), SourceTimestamp=stamp, **more)


async def update(client: Client, *details: Any) -> list[tuple[int, list[int]]]:
    request = ua.HistoryUpdateRequest()
    request.Parameters.HistoryUpdateDetails = list(details)
    data = await client.uaclient.protocol.send_request(request)
    response = struct_from_binary(ua.HistoryUpdateResponse, data)
    return [(one.StatusCode.value, [code.value for code in one.OperationResults]) for one in response.Results]


def put(how: int, *values: ua.DataValue, path: str = LEVEL) -> ua.UpdateDataDetails:
    return ua.UpdateDataDetails(ua.NodeId(path, 2), ua.PerformUpdateType(how), list(values))


def shown(plant: Plant, start: float = 0, end: float = 60) -> list[tuple[float, float]]:
    with_archive = Archive(plant.data.root)
    try:
        samples = with_archive.history(LEVEL, START + int(start * SECOND), START + int(end * SECOND))
    finally:
        with_archive.close()
    return [
        ((int(t) - START) / SECOND, float(bits))
        for t, bits in zip(samples.t, samples.bits.view(np.float64), strict=True)
    ]


async def test_an_engineer_inserts_replaces_updates_and_deletes(engineer: Client, server_of: Running) -> None:
    plant = server_of.plant
    assert await update(engineer, put(INSERT, value(5, 0.5), value(10, 9.0))) == [
        (GOOD, [INSERTED, codes.BadEntryExists])
    ]
    assert await update(engineer, put(REPLACE, value(20, 2.5), value(21, 9.0))) == [
        (GOOD, [REPLACED, codes.BadNoEntryExists])
    ]
    assert await update(engineer, put(UPDATE, value(30, 3.5), value(35, 3.7))) == [
        (GOOD, [REPLACED, INSERTED])
    ]
    assert shown(plant, 0, 40) == [(0, 0), (5, 0.5), (10, 1), (20, 2.5), (30, 3.5), (35, 3.7)]
    node = ua.NodeId(LEVEL, 2)
    assert await update(
        engineer,
        ua.DeleteAtTimeDetails(node, [moment(5), moment(6)]),
        ua.DeleteRawModifiedDetails(node, IsDeleteModified=False, StartTime=moment(34), EndTime=moment(36)),
        ua.DeleteRawModifiedDetails(node, IsDeleteModified=False, StartTime=moment(34), EndTime=moment(36)),
        ua.DeleteRawModifiedDetails(node, IsDeleteModified=False, StartTime=moment(10), EndTime=moment(10)),
    ) == [(GOOD, [GOOD, codes.BadNoEntryExists]), (GOOD, []), (codes.BadNoData, []), (GOOD, [])]
    assert shown(plant, 0, 40) == [(0, 0), (20, 2.5), (30, 3.5)]
    archive = Archive(plant.data.root)
    original = archive.history(LEVEL, START, START + 60 * SECOND, originals=True)
    edits = archive.history_edits(LEVEL, START, START + 60 * SECOND)
    archive.close()
    assert len(original.t) == 6
    assert {(edit.who.user, edit.who.source) for edit in edits} == {("emil", "opcua")}


async def test_a_sample_is_met_by_the_hundred_nanoseconds_that_the_wire_has(
    engineer: Client, server_of: Running, stored: SqliteStore
) -> None:
    """asyncua's client cannot even say such a time: the bytes are put together here."""
    ticks = exact.EPOCH_TICKS + (START + FINE) // 100

    body = (
        bytes([3]) + (2).to_bytes(2, "little") + len(LEVEL).to_bytes(4, "little") + LEVEL.encode()
        + (2).to_bytes(4, "little") + ticks.to_bytes(8, "little") + (ticks + 1).to_bytes(8, "little")
    )  # fmt: skip
    kind = ua.NodeId(ua.ObjectIds.DeleteAtTimeDetails_Encoding_DefaultBinary)
    assert await update(engineer, ua.ExtensionObject(TypeId=kind, Body=body)) == [
        (GOOD, [GOOD, codes.BadNoEntryExists])
    ]
    assert shown(server_of.plant, 40, 41) == []


async def test_a_registered_node_has_its_history(engineer: Client) -> None:
    (handle,) = await engineer.register_nodes([engineer.get_node(ua.NodeId(LEVEL, 2))])
    assert handle.nodeid != ua.NodeId(LEVEL, 2)
    details = put(INSERT, value(58, 4.5))
    details.NodeId = handle.nodeid
    assert await update(engineer, details) == [(GOOD, [INSERTED])]
    values = await handle.read_raw_history(moment(58), moment(59), return_bounds=False)
    assert [one.Value.Value for one in values if one.Value] == [4.5]


async def test_each_operation_is_an_audit_event(engineer: Client, server_of: Running) -> None:
    with Door(server_of.plant.data.root) as door:
        follower = door.follow({"opcua"})
        node = ua.NodeId(LEVEL, 2)
        await update(
            engineer,
            put(INSERT, value(55, 1.0), value(56, 2.0)),
            ua.DeleteAtTimeDetails(node, [moment(55)]),
            ua.DeleteRawModifiedDetails(
                node, IsDeleteModified=False, StartTime=moment(56), EndTime=moment(57)
            ),
            put(INSERT, value(5, 1.0), path="tank1/nobody"),
        )
        told = [(one["action"], one["user"], one["status"]) for one in follower.poll()]
        follower.close()
    assert told == [
        ("HistoryValueUpdate", "emil", GOOD), ("HistoryAtTimeUpdate", "emil", GOOD),
        ("HistoryRawModifyUpdate", "emil", GOOD), ("HistoryValueUpdate", "emil", codes.BadNodeIdUnknown),
    ]  # fmt: skip


async def test_each_value_is_checked(engineer: Client) -> None:
    text, whole = ua.VariantType.String, ua.VariantType.Int32
    wrong = [
        value(None, 1.0), value(51, "high", text), value(51, 1, whole), value(51, [1.0, 2.0]),
        value(51, float("nan")),
    ]  # fmt: skip
    assert await update(engineer, put(UPDATE, *wrong)) == [
        (GOOD, [codes.BadInvalidTimestamp, *[codes.BadTypeMismatch] * 3, codes.BadOutOfRange])
    ]
    twice = put(INSERT, value(52, 1.0), value(52, 2.0))
    assert await update(engineer, twice) == [(GOOD, [INSERTED, codes.BadEntryExists])]
    gone = value(53, None, ua.VariantType.Null)
    gone.StatusCode = ua.StatusCode(codes.BadSensorFailure)
    assert await update(engineer, put(INSERT, gone)) == [(GOOD, [INSERTED])]


async def test_what_there_is_not(engineer: Client) -> None:
    node = ua.NodeId(LEVEL, 2)
    refused = [
        (put(REMOVE, value(5, 1.0)), codes.BadHistoryOperationUnsupported),
        (put(INSERT), codes.BadNothingToDo),
        (put(INSERT, *[value(60 + n, 1.0) for n in range(VALUES_MAX + 1)]), codes.BadTooManyOperations),
        (put(INSERT, value(5, 1.0), path="tank1/nobody"), codes.BadNodeIdUnknown),
        (put(INSERT, value(5, "x", ua.VariantType.String), path=NOTE), codes.BadHistoryOperationUnsupported),
        (put(INSERT, value(5, 1.0), path="tank1"), codes.BadHistoryOperationUnsupported),
        (ua.DeleteRawModifiedDetails(node, True, moment(0), moment(1)), codes.BadHistoryOperationUnsupported),
        (ua.DeleteRawModifiedDetails(node, False, moment(2), moment(1)), codes.BadInvalidTimestampArgument),
        (ua.DeleteAtTimeDetails(node, []), codes.BadNothingToDo),
        (ua.DeleteAtTimeDetails(node, [moment(5)] * (TIMES_MAX + 1)), codes.BadTooManyOperations),
        (ua.DeleteEventDetails(node, [b"x"]), codes.BadHistoryOperationUnsupported),
    ]
    for details, status in refused:
        assert await update(engineer, details) == [(status, [])], details
    with pytest.raises(ua.uaerrors.BadNothingToDo):
        await update(engineer)
    with pytest.raises(ua.uaerrors.BadTooManyOperations):
        await update(engineer, *[put(INSERT)] * 101)


async def test_who_may_not(server_of: Running, stored: SqliteStore, tmp_path: Path) -> None:
    before = shown(server_of.plant)
    async with Client(server_of.url, timeout=30) as nobody:
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await update(nobody, put(INSERT, value(7, 1.0)))
    client = await signed_in(server_of, tmp_path, "anna")  # an operator
    try:
        assert await update(client, put(INSERT, value(7, 1.0))) == [(codes.BadUserAccessDenied, [])]
    finally:
        await client.disconnect()
    assert shown(server_of.plant) == before
