"""Methods of equipment through the Call service: who, with what, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from asyncua import Client, ua

from scada.client import Outcome
from scada.opcua import limits
from scada.opcua.equipment.calls import answer
from scada.opcua.security.access import Access
from tags.model import AccessRule, OpcuaSecurity
from tests.client.plant import Responder
from tests.opcua.equipment.conftest import Running

pytestmark = pytest.mark.asyncio(loop_scope="package")
Codes = ua.StatusCodes
NUMBER, TEXT = ua.VariantType.Double, ua.VariantType.String
SIXTY = (ua.Variant(60.0, NUMBER), ua.Variant("valve is tried", TEXT))
Control = Callable[..., AbstractContextManager[list[dict[str, Any]]]]


@pytest.fixture
def control(running: Running) -> Control:
    @contextmanager
    def played(status: str = "confirmed", reasons: tuple[str, ...] = ()) -> Iterator[list[dict[str, Any]]]:
        responder = Responder(running.plant, lambda _request: [{"status": status, "reasons": reasons}])
        try:
            yield responder.requests
        finally:
            responder.close()

    return played


async def call(client: Client, object_: str, method: str, *inputs: ua.Variant) -> ua.CallMethodResult:
    request = ua.CallMethodRequest(ua.NodeId(object_, 2), ua.NodeId(method, 2), list(inputs))
    return (await client.uaclient.call([request]))[0]


async def test_open_is_a_request_of_this_operator(running: Running, control: Control) -> None:
    with control() as requests:
        result = await call(running.operator, "tank1/LV-101", "tank1/LV-101#Open")
    assert result.StatusCode.value == 0
    assert [one.Value for one in result.OutputArguments] == ["confirmed", []]
    assert result.InputArgumentResults == []
    (request,) = requests
    assert (request["kind"], request["items"]) == ("write", [["tank1/LV-101/OUT", 100.0]])
    assert (request["user"], request["role"], request["source"]) == ("anna", "operator", "opcua")


async def test_the_method_of_the_type_does_it_too(running: Running, control: Control) -> None:
    with control() as requests:
        result = await call(running.operator, "tank1/P-101", "#block/motor#Stop")
    assert result.StatusCode.value == 0
    assert requests[0]["items"] == [["tank1/P-101/CMD", False]]


async def test_arguments_become_values(running: Running, control: Control) -> None:
    with control() as requests:
        await call(running.operator, "tank1/LIC-101", "tank1/LIC-101#SetPoint", ua.Variant(2.5, NUMBER))
        await call(running.operator, "tank1/LIC-101", "tank1/LIC-101#SetMode", ua.Variant("Auto", TEXT))
    assert [one["items"] for one in requests] == [
        [["tank1/LIC-101/SP", 2.5]],
        [["tank1/LIC-101/MODE", "Auto"]],
    ]


async def test_after_a_good_answer_the_value_is_read(running: Running) -> None:
    """Control tells the outcome a moment before it publishes."""

    def answered(request: dict[str, Any]) -> list[dict[str, Any]]:
        threading.Timer(0.01, running.plant.put, ("tank1/LIC-101/SP", request["items"][0][1])).start()
        return [{"status": "confirmed", "reasons": ()}]

    responder = Responder(running.plant, answered)
    try:
        for value in (1.5, 3.5):
            await call(running.operator, "tank1/LIC-101", "tank1/LIC-101#SetPoint", ua.Variant(value, NUMBER))
            assert await running.operator.get_node(ua.NodeId("tank1/LIC-101/SP", 2)).read_value() == value
    finally:
        responder.close()


async def test_a_bypass_has_a_time_and_a_reason(running: Running, control: Control) -> None:
    with control() as requests:
        refused = await call(running.operator, "tank1/OVERFILL", "tank1/OVERFILL#Bypass", *SIXTY)
        ended = await call(running.operator, "tank1/OVERFILL", "tank1/OVERFILL#EndBypass")
        done = await call(running.engineer, "tank1/OVERFILL", "tank1/OVERFILL#Bypass", *SIXTY)
    assert [one.StatusCode.value for one in (refused, ended, done)] == [Codes.BadUserAccessDenied, 0, 0]
    assert [one["kind"] for one in requests] == ["unbypass", "bypass"]
    assert requests[1]["items"] == [["tank1/OVERFILL", None]]
    assert (requests[1]["for_ns"], requests[1]["reason"]) == (60_000_000_000, "valve is tried")


async def test_what_control_refuses_is_told_with_its_reasons(running: Running, control: Control) -> None:
    why = "tank1/P-101 is in Auto: set tank1/P-101/MODE to Manual first"
    with control("rejected", (why,)):
        result = await call(running.operator, "tank1/P-101", "tank1/P-101#Start")
    assert result.StatusCode.value == Codes.BadInvalidState
    assert [one.Value for one in result.OutputArguments] == ["rejected", [why]]


@pytest.mark.parametrize(
    ("status", "reasons", "code"),
    [
        ("confirmed", (), Codes.Good),
        ("rejected", ("it is held",), Codes.BadInvalidState),
        ("rejected", ("to write a/B takes the role engineer; you are operator",), Codes.BadUserAccessDenied),
        ("timed out", ("nobody knows",), Codes.BadTimeout),
        ("mismatched", (), Codes.BadDeviceFailure),
        ("superseded", (), Codes.BadRequestInterrupted),
        ("of tomorrow", (), Codes.BadInternalError),
    ],
)
async def test_each_outcome_has_a_status(status: str, reasons: tuple[str, ...], code: int) -> None:
    result = answer(Outcome("1", status, reasons))
    assert result.StatusCode.value == code
    assert [one.Value for one in result.OutputArguments] == [status, list(reasons)]


PUMP, START = "tank1/P-101", "tank1/P-101#Start"
LOOP, SET = "tank1/LIC-101", "tank1/LIC-101#SetPoint"


@pytest.mark.parametrize(
    ("object_", "method", "inputs", "code", "each"),
    [
        (LOOP, SET, [], Codes.BadArgumentsMissing, []),
        (LOOP, SET, [ua.Variant(1.0, NUMBER)] * 2, Codes.BadTooManyArguments, []),
        (LOOP, SET, [ua.Variant("2", TEXT)], Codes.BadInvalidArgument, [Codes.BadTypeMismatch]),
        (LOOP, SET, [ua.Variant([2.0], NUMBER)], Codes.BadInvalidArgument, [Codes.BadTypeMismatch]),
        (LOOP, SET, [ua.Variant(2, ua.VariantType.Int32)], Codes.BadInvalidArgument, [Codes.BadTypeMismatch]),
        (LOOP, SET, [ua.Variant()], Codes.BadInvalidArgument, [Codes.BadTypeMismatch]),
        (LOOP, SET, [ua.Variant(9.0, NUMBER)], Codes.BadInvalidArgument, [Codes.BadOutOfRange]),
        (LOOP, SET, [ua.Variant(float("nan"), NUMBER)], Codes.BadInvalidArgument, [Codes.BadOutOfRange]),
        (LOOP, "tank1/LIC-101#SetMode", [ua.Variant("Sideways", TEXT)], Codes.BadInvalidArgument, [Codes.BadOutOfRange]),
        (LOOP, "tank1/LIC-101#SetMode", [ua.Variant(None, TEXT)], Codes.BadInvalidArgument, [Codes.BadOutOfRange]),
        (PUMP, START, [ua.Variant(1.0, NUMBER)], Codes.BadTooManyArguments, []),
        ("tank1/P-102", START, [], Codes.BadMethodInvalid, []),
        (PUMP, "tank1/P-101#Fly", [], Codes.BadMethodInvalid, []),
        (PUMP, "#type/on_off_valve#Open", [], Codes.BadMethodInvalid, []),
        (PUMP, "tank1/P-101/RUN", [], Codes.BadMethodInvalid, []),
        ("tank1/nothing", START, [], Codes.BadNodeIdUnknown, []),
        ("tank1/P-101/RUN", START, [], Codes.BadNodeIdInvalid, []),
        ("tank1", START, [], Codes.BadMethodInvalid, []),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused_before_control_hears_of_it(
    running: Running, control: Control, object_: str, method: str, inputs: list[ua.Variant], code: int, each: list[int]
) -> None:  # fmt: skip
    with control() as requests:
        result = await call(running.operator, object_, method, *inputs)
    assert (result.StatusCode.value, [one.value for one in result.InputArgumentResults]) == (code, each)
    assert requests == []


async def test_a_viewer_may_not(running: Running, control: Control) -> None:
    with control() as requests:
        result = await call(running.viewer, PUMP, START)
        tuning = await call(running.operator, LOOP, "tank1/LIC-101#SetTuning", *[ua.Variant(1.0, NUMBER)] * 3)
    assert (result.StatusCode.value, tuning.StatusCode.value) == (Codes.BadUserAccessDenied,) * 2
    assert requests == []


async def test_methods_of_one_call_go_one_after_the_other(running: Running, control: Control) -> None:
    methods = [
        ua.CallMethodRequest(ua.NodeId(PUMP, 2), ua.NodeId(f"{PUMP}#{name}", 2))
        for name in ("Stop", "Fly", "Start")
    ]
    with control() as requests:
        results = await running.operator.uaclient.call(methods)
    assert [one.StatusCode.value for one in results] == [0, Codes.BadMethodInvalid, 0]
    assert [one["items"][0][1] for one in requests] == [False, True]


@pytest.mark.parametrize(
    ("count", "code"), [(0, Codes.BadNothingToDo), (limits.NODES_PER_CALL + 1, Codes.BadTooManyOperations)]
)
async def test_a_call_has_bounds(running: Running, count: int, code: int) -> None:
    request = ua.CallMethodRequest(ua.NodeId(PUMP, 2), ua.NodeId(START, 2))
    with pytest.raises(ua.UaStatusCodeError) as caught:
        await running.operator.uaclient.call([request] * count)
    assert caught.value.code == code


async def test_a_standard_method_that_is_not_there_is_not_executable(running: Running) -> None:
    request = ua.CallMethodRequest(
        ua.NodeId(ua.ObjectIds.Server), ua.NodeId(ua.ObjectIds.Server_GetMonitoredItems), [ua.Variant(1)]
    )
    (result,) = await running.operator.uaclient.call([request])
    assert result.StatusCode.value in (Codes.BadNotExecutable, Codes.BadInvalidArgument)


async def test_a_method_is_no_way_around_the_rules_of_what_it_writes(
    running: Running, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = OpcuaSecurity(
        access=(AccessRule(folder="tank1/LV-101", least={"write": "engineer", "call": "operator"}),)
    )
    monkeypatch.setattr(running.server.iserver, "access", Access(rules, running.plant.site.tags))
    by_hand = ua.Variant(50.0, NUMBER)
    with control() as requests:
        refused = await call(running.operator, LOOP, "tank1/LIC-101#SetOutput", by_hand)
        opened = await call(running.operator, "tank1/LV-101", "tank1/LV-101#Open")
        allowed = await call(running.operator, LOOP, SET, ua.Variant(2.0, NUMBER))
        done = await call(running.engineer, LOOP, "tank1/LIC-101#SetOutput", by_hand)
    codes = [one.StatusCode.value for one in (refused, opened, allowed, done)]
    assert codes == [Codes.BadUserAccessDenied, Codes.BadUserAccessDenied, 0, 0]
    assert [one["items"][0][0] for one in requests] == ["tank1/LIC-101/SP", "tank1/LV-101/OUT"]
