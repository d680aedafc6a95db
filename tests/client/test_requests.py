from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from scada.client import Client, Outcome
from scada.clock import SystemClock
from tests.client.plant import SECOND, Plant, Responder, answers


@pytest.fixture
def live(plant: Plant) -> Iterator[Client]:
    """A client by the real clock."""
    with Client(plant.data.root, "script", "anna", "operator", clock=SystemClock()) as client:
        yield client


@pytest.fixture
def control(plant: Plant) -> Iterator[Responder]:
    responder = Responder(plant, answers("accepted", "confirmed"))
    yield responder
    responder.close()


def test_a_write_is_confirmed(live: Client, control: Responder) -> None:
    outcome = live.write("tank1/LIC-101/SP", 2.8, reason="trial")
    assert outcome.ok
    assert outcome.items == (("tank1/LIC-101/SP", 2.8),)
    assert outcome.old == (2.5,)
    request = control.requests[0]
    assert request["id"] == outcome.id
    assert (request["kind"], request["items"]) == ("write", [["tank1/LIC-101/SP", 2.8]])
    assert (request["user"], request["role"], request["source"]) == ("anna", "operator", "script")
    assert request["deadline_ns"] == 5 * SECOND


def test_user_and_role_may_be_another_for_one_request(live: Client, control: Responder) -> None:
    live.request("force", [("tank1/LT-101", 1.0)], for_s=1800, user="otto", role="engineer")
    assert (control.requests[0]["user"], control.requests[0]["role"]) == ("otto", "engineer")
    assert control.requests[0]["for_ns"] == 1800 * SECOND


def test_a_lost_doorbell_only_costs_time(live: Client, control: Responder) -> None:
    control.doorbell = False
    assert live.write("tank1/LIC-101/SP", 2.8).ok


def test_a_refusal_names_every_reason(plant: Plant, live: Client) -> None:
    responder = Responder(plant, answers("rejected", reasons=("tank1/LV-101 is in Local", "above 4 m")))
    outcome = live.write("tank1/LIC-101/SP", 9.0)
    responder.close()
    assert (outcome.status, outcome.reasons) == ("rejected", ("tank1/LV-101 is in Local", "above 4 m"))


def test_without_control_nothing_was_changed(live: Client) -> None:
    outcome = live.write("tank1/LIC-101/SP", 2.8)
    assert outcome.status == "rejected"
    assert outcome.reasons == ("control is not running: nothing was changed. See: scada status",)


def test_no_answer_is_said_to_be_unknown(plant: Plant, live: Client) -> None:
    silent = Responder(plant, answers())
    assert "did not answer" in live.write("tank1/LIC-101/SP", 2.8, deadline_s=0.05).reasons[0]
    silent.close()
    half = Responder(plant, answers("accepted", "sent"))
    outcome = live.write("tank1/LIC-101/SP", 2.8, deadline_s=0.05)
    half.close()
    assert outcome.status == "timed out"
    assert "'sent'" in outcome.reasons[0]


def test_numbers_that_are_none_never_leave(live: Client, control: Responder) -> None:
    with pytest.raises(ValueError, match="tank1/LIC-101/SP: nan is not a finite number"):
        live.write("tank1/LIC-101/SP", float("nan"))
    assert control.requests == []


def test_a_request_that_is_too_long_is_refused(live: Client, control: Responder) -> None:
    outcome = live.request("write", [("tank1/LIC-101/SP", 1.0)] * 5000)
    assert outcome.status == "rejected"
    assert "send fewer items" in outcome.reasons[0]
    assert control.requests == []


def test_not_waiting(live: Client, control: Responder) -> None:
    from tests.support.wait import wait_for

    first = live.request("write", [("tank1/LIC-101/SP", 2.8)], wait=False)
    assert first.status == "submitted"

    def ended() -> list[Outcome]:
        outcome = live.outcome(first.id)
        return [outcome] if outcome.final else []

    assert wait_for(ended)[0].ok
    with pytest.raises(KeyError):
        live.outcome(first.id)


async def test_many_requests_at_once_on_the_loop(live: Client, control: Responder) -> None:
    outcomes = await asyncio.gather(
        *(live.arequest("write", [("tank1/LIC-101/SP", 2.0 + i / 100)]) for i in range(200))
    )
    assert all(outcome.ok for outcome in outcomes)
    assert [outcome.items[0][1] for outcome in outcomes] == [2.0 + i / 100 for i in range(200)]
    assert len(control.requests) == 200


async def test_the_loop_is_told_too_when_nobody_answers(plant: Plant, live: Client) -> None:
    assert (await live.arequest("write", [("tank1/draining", True)])).status == "rejected"
    responder = Responder(plant, answers("accepted"))
    outcome = await live.arequest("write", [("tank1/draining", True)], deadline_s=0.05)
    responder.close()
    assert outcome.status == "timed out"


def test_one_after_another_from_several_loops(live: Client, control: Responder) -> None:
    for _ in range(3):
        assert asyncio.run(live.arequest("write", [("tank1/draining", True)])).ok


def test_clients_do_not_take_each_others_outcomes(plant: Plant, live: Client, control: Responder) -> None:
    found: list[bool] = []

    def work() -> None:
        with Client(plant.data.root) as other:
            found.extend(other.write("tank1/draining", value=True).ok for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 60
    assert len({request["id"] for request in control.requests}) == 60


def test_nothing_is_left_behind(plant: Plant, control: Responder) -> None:
    with Client(plant.data.root) as client:
        client.write("tank1/draining", value=True)
    assert list(plant.data.clients.iterdir()) == []


async def test_what_is_awaited_ends_when_the_client_is_closed(plant: Plant) -> None:
    responder = Responder(plant, answers("accepted"))
    client = Client(plant.data.root)
    waiting = asyncio.create_task(client.arequest("write", [("tank1/draining", True)]))
    asyncio.get_running_loop().call_soon(client.close)
    outcome = await waiting
    responder.close()
    assert outcome.status == "timed out"
    assert "closed before" in outcome.reasons[0]


@pytest.mark.parametrize("items", [[("a/b", 10**30)], [("a/b", "\ud800")], [("a\ud800", 1)]])
def test_what_json_cannot_say_is_refused_in_words(live: Client, items: list[tuple[str, int | str]]) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        live.request("write", items)
