"""HistoryRead over real sockets, out of a real history file, with asyncua's own client."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import pytest_asyncio
from asyncua import Client, ua

from historian.edits import Who
from historian.edits.write import Wish
from historian.settled import Columns
from historian.sqlite import SqliteStore
from historian.store import SAMPLE, Batch, Text
from scada.opcua.history import reads
from scada.opcua.history.manager import Histories
from tests.client.plant import Plant
from tests.opcua.conftest import Running
from tests.support import peers

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECOND = 1_000_000_000
START = 1_795_348_800 * SECOND  # 2026-11-22T12:00:00Z
LEVEL, VALVE, RUNS, NOTE = "tank1/LT-101", "tank1/LV-101/POS", "tank1/P-101/RUN", "tank1/note"
SPARE = "tank1/LV-101/OUT"
BAD = 0x8031_0000
WAVE = 12_000
Row = tuple[float, Any, int]


def rows(tag: int, listed: list[tuple[float, float, int]], *, integer: bool = False) -> Any:
    out = np.zeros(len(listed), SAMPLE)
    out["tag"] = tag
    out["t"] = [START + round(t * SECOND) for t, _, _ in listed]
    values = np.array([v for _, v, _ in listed])
    out["bits"] = values.astype(np.uint64) if integer else values.view(np.uint64)
    out["status"] = [status for _, _, status in listed]
    return out


@pytest.fixture(scope="module")
def stored(plant: Plant) -> Iterator[None]:
    store = SqliteStore.writer(plant.data.history)
    store.declare(plant.site.tags)
    ids = {path: plant.tags[path].id for path in (LEVEL, VALVE, RUNS, NOTE)}
    level = [(0, 1.0, 0), (10, 2.0, 0), (20, 2.5, BAD), (30, 3.0, 0), (30, 3.5, 0), (40.000_000_123, 4.0, 0)]
    wave = [(t / 100, float(t), 0) for t in range(WAVE)]
    store.append(
        Batch(
            np.concatenate(
                [
                    rows(ids[LEVEL], level),
                    rows(ids[VALVE], wave),
                    rows(ids[RUNS], [(0, 0, 0), (10, 1, 0), (40, 0, 0)], integer=True),
                ]
            ),
            [Text(ids[NOTE], START + t * SECOND, 0, f"at {t}") for t in (5, 15)],
            utc_ns=START + 60 * SECOND,
        )
    )
    spare = plant.tags[SPARE].id
    store.append(Batch(rows(spare, [(t, float(t), 0) for t in range(6)]), utc_ns=START + 60 * SECOND))
    new = Columns(
        *(np.array([value]) for value in (START + SECOND, np.float64(7.5).view(np.uint64), np.uint32(0)))
    )
    store.edit(Wish("replace", spare, new), Who("emil", "cli", START + 100 * SECOND, "calibrated"))
    gone = Wish("delete", spare, start_ns=START + SECOND, end_ns=START + 3 * SECOND)
    store.edit(gone, Who("ada", "cli", START + 200 * SECOND, "test run"))
    yield
    store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server_of: Running, stored: None) -> AsyncIterator[Client]:
    server = server_of.server
    tags = dict(server_of.plant.tags)
    path = "tank1/LV-101/REM"
    tags[path] = dataclasses.replace(tags[path], history=dataclasses.replace(tags[path].history, keep=False))
    server.iserver.history_manager = Histories(server.iserver, server_of.plant.data.root, tags)
    async with Client(server_of.url, timeout=30) as found:
        yield found


def moment(seconds: float | None) -> dt.datetime:
    if seconds is None:
        return dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
    return dt.datetime.fromtimestamp(START // SECOND, dt.UTC) + dt.timedelta(seconds=seconds)


def seconds(value: ua.DataValue) -> float:
    assert value.SourceTimestamp is not None
    since: dt.timedelta = value.SourceTimestamp.replace(tzinfo=dt.UTC) - moment(0)
    return round(since.total_seconds(), 6)


def listed(result: Any) -> list[Row]:
    return [
        (seconds(value), None if value.Value is None else value.Value.Value, value.StatusCode.value)
        for value in result.HistoryData.DataValues
    ]


async def ask(
    client: Client, details: Any, *paths: str, points: list[bytes] | None = None, **more: Any
) -> Any:
    params = ua.HistoryReadParameters()
    params.HistoryReadDetails = details
    params.TimestampsToReturn = more.get("stamps", ua.TimestampsToReturn.Both)
    params.ReleaseContinuationPoints = more.get("release", False)
    for i, path in enumerate(paths):
        item = ua.HistoryReadValueId(
            NodeId=ua.NodeId.from_string(path) if "=" in path else ua.NodeId(path, 2)
        )
        item.ContinuationPoint = points[i] if points else None
        item.IndexRange = more.get("index", "")
        params.NodesToRead.append(item)
    return await client.uaclient.history_read(params)


def raw_of(start: float | None, end: float | None, number: int = 0, *, bounds: bool = False) -> Any:
    return ua.ReadRawModifiedDetails(
        IsReadModified=False,
        StartTime=moment(start),
        EndTime=moment(end),
        NumValuesPerNode=number,
        ReturnBounds=bounds,
    )


async def raw(client: Client, path: str, *arguments: Any, bounds: bool = False) -> list[Row]:
    return listed((await ask(client, raw_of(*arguments, bounds=bounds), path))[0])


async def test_raw_has_values_quality_and_source_time(client: Client) -> None:
    assert await raw(client, LEVEL, 0, 40) == [
        (0, 1.0, 0), (10, 2.0, 0), (20, None, BAD), (30, 3.0, 0), (30, 3.5, 0),
    ]  # fmt: skip
    assert await raw(client, RUNS, 0, 60) == [(0, False, 0), (10, True, 0), (40, False, 0)]
    assert await raw(client, NOTE, 0, 60) == [(5, "at 5", 0), (15, "at 15", 0)]
    values = await client.get_node(ua.NodeId(LEVEL, 2)).read_raw_history(
        moment(0), moment(15), return_bounds=False
    )
    assert [value.Value.Value for value in values if value.Value] == [1.0, 2.0]
    assert values[0].ServerTimestamp is None


async def test_stamps_are_kept_to_the_nanosecond(client: Client) -> None:
    (result,) = await ask(client, raw_of(35, 60), LEVEL)
    (value,) = result.HistoryData.DataValues
    # 100 ns in the time, the rest in units of 10 ps.
    assert (seconds(value), value.SourcePicoseconds) == (40.0, 2300)


async def test_bounds_and_directions(client: Client) -> None:
    assert await raw(client, LEVEL, 5, 25, bounds=True) == [
        (0, 1.0, 0), (10, 2.0, 0), (20, None, BAD), (30, 3.0, 0),
    ]  # fmt: skip
    assert [row[:2] for row in await raw(client, LEVEL, 30, 10)] == [(30, 3.5), (30, 3.0), (20, None)]
    missing = ua.StatusCodes.BadBoundNotFound
    assert await raw(client, LEVEL, 50, -5, 2, bounds=True) == [(50, None, missing), (40, 4.0, 0)]
    assert await raw(client, LEVEL, -5, 0, bounds=True) == [(-5, None, missing), (0, 1.0, 0)]


async def test_one_time_and_a_number(client: Client) -> None:
    assert [row[0] for row in await raw(client, LEVEL, 10, None, 3)] == [10, 20, 30]
    assert [row[0] for row in await raw(client, LEVEL, None, 20, 2)] == [20, 10]
    assert [row[0] for row in await raw(client, LEVEL, 12, None, 10, bounds=True)] == [10, 20, 30, 30, 40]
    assert [row[0] for row in await raw(client, LEVEL, None, 12, 10, bounds=True)] == [20, 10, 0]
    for start, end, number in ((None, None, 5), (0, None, 0), (None, 9, 0)):
        (result,) = await ask(client, raw_of(start, end, number), LEVEL)
        assert result.StatusCode.value == ua.StatusCodes.BadHistoryOperationInvalid


@pytest.mark.parametrize(("start", "end", "number"), [(-1, 300, 0), (300, -1, 7000), (0, None, 11_000)])
async def test_pages_hold_everything_once(
    client: Client, start: float, end: float | None, number: int
) -> None:
    values: list[float] = []
    points: list[bytes] | None = None
    for _ in range(10):
        (result,) = await ask(client, raw_of(start, end, number), VALVE, points=points)
        values += [row[1] for row in listed(result)]
        if result.ContinuationPoint is None:
            break
        points = [result.ContinuationPoint]
    wanted = list(map(float, range(WAVE)))
    assert values == (wanted[:number] if end is None else wanted if start < end else wanted[::-1])


async def test_a_continuation_point_is_of_one_tag_and_whole(client: Client) -> None:
    (result,) = await ask(client, raw_of(0, 300), VALVE)
    point = result.ContinuationPoint
    for path, data in (
        (LEVEL, point),
        (VALVE, b"\xff" * 8),
        (VALVE, b"x"),
        (VALVE, point[:-1]),
    ):
        (refused,) = await ask(client, raw_of(0, 300), path, points=[data])
        assert refused.StatusCode.value == ua.StatusCodes.BadContinuationPointInvalid
    (released,) = await ask(client, raw_of(0, 300), VALVE, points=[point], release=True)
    assert released.StatusCode.is_good()
    assert not listed(released)
    (refused,) = await ask(client, raw_of(0, 300), VALVE, points=[point])
    assert refused.StatusCode.value == ua.StatusCodes.BadContinuationPointInvalid


async def test_a_continuation_point_is_used_once_and_a_session_has_not_too_many(
    client: Client, server_of: Running
) -> None:
    (result,) = await ask(client, raw_of(0, 300, 5), VALVE)
    (result,) = await ask(client, raw_of(0, 300, 5), VALVE)
    point = result.ContinuationPoint
    (page,) = await ask(client, raw_of(0, 300, 5), VALVE, points=[point])
    assert [row[1] for row in listed(page)] == [5.0, 6.0, 7.0, 8.0, 9.0]
    (again,) = await ask(client, raw_of(0, 300, 5), VALVE, points=[point])
    assert again.StatusCode.value == ua.StatusCodes.BadContinuationPointInvalid
    async with Client(server_of.url, timeout=30) as other:
        (stolen,) = await ask(other, raw_of(0, 300, 5), VALVE, points=[page.ContinuationPoint])
        assert stolen.StatusCode.value == ua.StatusCodes.BadContinuationPointInvalid
        results = await ask(other, raw_of(0, 300, 5), *[VALVE] * 100)
        assert all(one.ContinuationPoint for one in results)
        (refused,) = await ask(other, raw_of(0, 300, 5), VALVE)
        assert refused.StatusCode.value == ua.StatusCodes.BadNoContinuationPoints
        (released,) = await ask(
            other, raw_of(0, 1), VALVE, points=[results[0].ContinuationPoint], release=True
        )
        assert released.StatusCode.is_good()
        (result,) = await ask(other, raw_of(0, 300, 5), VALVE)
        assert result.StatusCode.is_good()


async def test_nothing_is_good_and_says_so(client: Client) -> None:
    (result,) = await ask(client, raw_of(-60, -5), LEVEL)
    assert result.StatusCode.value == ua.StatusCodes.GoodNoData
    assert listed(result) == []


async def test_each_node_has_a_status_of_its_own(client: Client) -> None:
    results = await ask(client, raw_of(0, 15), LEVEL, "tank1/LT-999", "i=2258", "tank1/LV-101/REM")
    assert [result.StatusCode.value for result in results] == [
        0,
        ua.StatusCodes.BadNodeIdUnknown,
        ua.StatusCodes.BadHistoryOperationUnsupported,
        ua.StatusCodes.BadHistoryOperationUnsupported,
    ]
    assert [row[0] for row in listed(results[0])] == [0, 10]
    for more, status in (
        ({"index": "0:1"}, ua.StatusCodes.BadIndexRangeInvalid),
        ({"stamps": ua.TimestampsToReturn.Server}, ua.StatusCodes.BadTimestampNotSupported),
    ):
        (refused,) = await ask(client, raw_of(0, 15), LEVEL, **more)
        assert refused.StatusCode.value == status
    (refused,) = await ask(client, ua.ReadEventDetails(), LEVEL)
    assert refused.StatusCode.value == ua.StatusCodes.BadHistoryOperationUnsupported


async def test_what_was_corrected_is_shown_corrected_and_asked_for_as_it_was(client: Client) -> None:
    assert [row[:2] for row in await raw(client, SPARE, 0, 6)] == [(0, 0.0), (3, 3.0), (4, 4.0), (5, 5.0)]

    async def modified(
        start: float, end: float, number: int = 0
    ) -> list[tuple[float, float, int, str, float]]:
        details = raw_of(start, end, number)
        details.IsReadModified = True
        found: list[Any] = []
        points = None
        while True:
            (result,) = await ask(client, details, SPARE, points=points)
            infos = [
                (
                    int(info.UpdateType),
                    info.UserName,
                    info.ModificationTime.replace(tzinfo=dt.UTC) - moment(0),
                )
                for info in result.HistoryData.ModificationInfos
            ]
            found += [
                (*row[:2], *info[:2], info[2].total_seconds())
                for row, info in zip(listed(result), infos, strict=True)
            ]
            if result.ContinuationPoint is None:
                return found
            points = [result.ContinuationPoint]

    replaced, deleted = 2, 4
    wanted = [
        (1, 7.5, deleted, "ada", 200), (1, 1.0, replaced, "emil", 100), (2, 2.0, deleted, "ada", 200),
    ]  # fmt: skip
    assert await modified(0, 6) == wanted
    assert await modified(0, 6, 1) == wanted
    assert await modified(6, 0) == [wanted[2], *wanted[:2]]
    assert await modified(2, 6) == wanted[2:]
    assert await modified(3, 6) == []
    (text,) = await ask(client, ua.ReadRawModifiedDetails(IsReadModified=True), NOTE)
    assert text.StatusCode.value == ua.StatusCodes.BadHistoryOperationUnsupported


async def test_whole_calls_that_ask_too_much_are_refused(client: Client) -> None:
    with pytest.raises(ua.uaerrors.BadTooManyOperations):
        await ask(client, raw_of(0, 15), *[LEVEL] * 101)
    with pytest.raises(ua.uaerrors.BadNothingToDo):
        await ask(client, raw_of(0, 15))
    with pytest.raises(ua.uaerrors.BadTimestampsToReturnInvalid):
        await ask(client, raw_of(0, 15), LEVEL, stamps=ua.TimestampsToReturn.Neither)
    with pytest.raises(ua.uaerrors.BadTooManyOperations):
        await ask(client, ua.ReadAtTimeDetails(ReqTimes=[moment(0)] * 10_001), LEVEL)


async def test_values_at_times(client: Client) -> None:
    details = ua.ReadAtTimeDetails(ReqTimes=[moment(t) for t in (10, 25, -5, 5)], UseSimpleBounds=True)
    found, runs, text = await ask(client, details, LEVEL, RUNS, NOTE)
    interpolated, no_data = 0x402, ua.StatusCodes.BadNoData
    assert [(value, status & 0xFFFF0000 or status) for _, value, status in listed(found)] == [
        (2.0, 0), (None, BAD), (None, no_data), (1.0, interpolated),
    ]  # fmt: skip
    assert [value for _, value, _ in listed(runs)] == [True, True, None, False]
    assert text.StatusCode.value == ua.StatusCodes.BadHistoryOperationUnsupported
    details.UseSimpleBounds = False
    (bridged,) = await ask(client, details, LEVEL)
    assert listed(bridged)[1][1] == pytest.approx(2.5, abs=0.6)


def processed_of(start: float, end: float, every_s: float, *names: str, **rules: Any) -> Any:
    return ua.ReadProcessedDetails(
        StartTime=moment(start),
        EndTime=moment(end),
        ProcessingInterval=every_s * 1000,
        AggregateType=[ua.NodeId(getattr(ua.ObjectIds, f"AggregateFunction_{name}")) for name in names],
        AggregateConfiguration=ua.AggregateConfiguration(**rules) if rules else ua.AggregateConfiguration(),
    )


async def test_one_value_for_each_interval(client: Client) -> None:
    names = ("TimeAverage2", "Count", "Maximum2", "DurationGood")
    details = processed_of(0, 30, 10, *names)
    average, count, highest, good = [listed(result) for result in await ask(client, details, *[LEVEL] * 4)]
    assert [row[0] for row in average] == [0, 10, 20]
    assert average[0][1] == pytest.approx(1.0, abs=0.01)
    assert average[1][1] == 2.0
    assert average[2][1] is None
    assert average[2][2] >> 31 == 1
    assert average[1][2] & 0x401 == 0x401  # calculated
    assert [row[1] for row in count] == [1, 1, 0]
    assert [row[1] for row in highest] == [2.0, 2.0, None]
    assert [row[1] for row in good] == [10_000.0, 10_000.0, 0.0]  # ms


async def test_types_of_results(client: Client) -> None:
    names = ("Maximum2", "Count", "TimeAverage2")
    results = await ask(client, processed_of(0, 60, 0, *names), RUNS, RUNS, RUNS)
    kinds = [result.HistoryData.DataValues[0].Value.VariantType for result in results]
    assert kinds == [ua.VariantType.Boolean, ua.VariantType.Int32, ua.VariantType.Double]


async def test_intervals_backwards_begin_at_their_later_end(client: Client) -> None:
    (result,) = await ask(client, processed_of(25, 0, 10, "Count"), LEVEL)
    assert [row[:2] for row in listed(result)] == [(25, 0), (15, 1), (5, 1)]  # the one at 20 is Bad


async def test_intervals_come_in_pages(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "VALUES_MAX", 4)
    for start, end in ((0, 11), (11, 0)):
        points, times = None, []
        for _ in range(5):
            (result,) = await ask(client, processed_of(start, end, 1, "Average"), VALVE, points=points)
            times += [row[0] for row in listed(result)]
            if result.ContinuationPoint is None:
                break
            points = [result.ContinuationPoint]
        assert times == (list(range(11)) if start < end else list(range(11, 0, -1)))


async def test_what_cannot_be_calculated_is_refused(client: Client) -> None:
    refused = [
        (processed_of(0, 10, 1, "WorstQuality"), LEVEL, ua.StatusCodes.BadAggregateNotSupported),
        (processed_of(0, 10, 1, "Average"), NOTE, ua.StatusCodes.BadAggregateInvalidInputs),
        (processed_of(5, 5, 1, "Average"), LEVEL, ua.StatusCodes.BadInvalidArgument),
        (processed_of(0, 10, -1, "Average"), LEVEL, ua.StatusCodes.BadHistoryOperationInvalid),
        (processed_of(0, 10, float("nan"), "Average"), LEVEL, ua.StatusCodes.BadHistoryOperationInvalid),
        (
            processed_of(0, 10, 1, "Average", UseServerCapabilitiesDefaults=False, PercentDataGood=50),
            LEVEL,
            ua.StatusCodes.BadAggregateConfigurationRejected,
        ),
    ]
    for details, path, status in refused:
        (result,) = await ask(client, details, path)
        assert result.StatusCode.value == status
    with pytest.raises(ua.uaerrors.BadAggregateListMismatch):
        await ask(client, processed_of(0, 10, 1, "Average"), LEVEL, VALVE)


async def test_every_aggregate_in_the_folder_is_calculated(client: Client) -> None:
    for folder in (
        ua.ObjectIds.HistoryServerCapabilities_AggregateFunctions,
        ua.ObjectIds.Server_ServerCapabilities_AggregateFunctions,
    ):
        nodes = await client.get_node(ua.NodeId(folder)).get_children()
        assert {node.nodeid.Identifier for node in nodes} == set(reads.AGGREGATES)
    details = processed_of(0, 30, 10)
    details.AggregateType = [node.nodeid for node in nodes]
    results = await ask(client, details, *[LEVEL] * len(nodes))
    assert all(result.StatusCode.is_good() and len(listed(result)) == 3 for result in results)


async def test_the_address_space_says_what_is_kept(client: Client) -> None:
    level = client.get_node(ua.NodeId(LEVEL, 2))
    assert (await level.read_attribute(ua.AttributeIds.Historizing)).Value.Value is True
    assert ua.AccessLevel.HistoryRead in await level.get_user_access_level()
    kinds = {}
    for path in (LEVEL, RUNS):
        (found,) = await client.get_node(ua.NodeId(path, 2)).get_referenced_nodes(
            ua.ObjectIds.HasHistoricalConfiguration
        )
        kinds[path] = await (await found.get_child("0:Stepped")).read_value()
        rules = await found.get_child("0:AggregateConfiguration")
        assert await (await rules.get_child("0:PercentDataGood")).read_value() == 100
    assert kinds == {LEVEL: False, RUNS: True}
    able = client.get_node(ua.NodeId(ua.ObjectIds.HistoryServerCapabilities_AccessHistoryDataCapability))
    assert await able.read_value() is True


async def test_a_client_of_another_make_reads_it_too(
    client: Client, server_of: Running, tmp_path: Path
) -> None:
    await asyncio.to_thread(peers.install)
    start, end = ("2026-11-22T12:00:00Z", "2026-11-22T12:04:10Z")
    process = await asyncio.create_subprocess_exec(
        *(peers.BIN / "node", "read_history.mjs", server_of.url, tmp_path, f"ns=2;s={VALVE}", start, end),
        cwd=peers.FOLDER,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, problems = await asyncio.wait_for(process.communicate(), 50)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, problems.decode()
    found = orjson.loads(output.splitlines()[-1])
    begin = START // 1_000_000
    assert found["historizing"] is True
    assert found["raw"]["pages"] == 2
    assert [row[1] for row in found["raw"]["rows"]] == list(map(float, range(WAVE)))
    assert [row[0] - begin for row in found["raw"]["rows"][:3]] == [0, 10, 20]
    assert found["at"] == [[begin, 0.0, 0]]
    assert [row[0] - begin for row in found["aggregate"]] == [0, 50_000, 100_000, 150_000, 200_000]
    assert found["aggregate"][1][1] == pytest.approx(7500.0, abs=1)
