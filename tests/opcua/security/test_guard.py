"""Which refused certificates are kept to be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncua.common.utils import ServiceError

from scada.clock import SimulatedClock
from scada.opcua.events.audit import Audit
from scada.opcua.security.guard import KEPT_AT_ONCE, Guard
from scada.opcua.security.store import Store
from tests.support.opcua_certificates import NOW, Recipe

CLIENT = Recipe()


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    clock = SimulatedClock(utc_ns=int(NOW.timestamp()) * 1_000_000_000)
    return Guard(Store(tmp_path), clock, Audit)


def shows(guard: Guard, recipe: Recipe) -> None:
    with pytest.raises(ServiceError):
        guard.admit(recipe.der(), "10.0.0.5")


def names(guard: Guard) -> set[str]:
    return {found.name for found in guard.store.certificates("rejected")}


def test_a_client_that_tries_all_night_does_not_hide_the_next_one_of_its_place(guard: Guard) -> None:
    for _ in range(3 * KEPT_AT_ONCE):
        shows(guard, CLIENT)
    shows(guard, CLIENT.but(name="next"))
    assert names(guard) == {"client", "next"}


def test_one_place_does_not_fill_the_folder(guard: Guard) -> None:
    for number in range(KEPT_AT_ONCE + 3):
        shows(guard, CLIENT.but(name=f"n{number}"))
    assert len(names(guard)) == KEPT_AT_ONCE
    assert guard.refused == KEPT_AT_ONCE + 3
