"""No misbehaviour makes a wrong value, on any kind of line: in simulated time, from a seed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.field.truth.misbehaviours import EVERYWHERE, RTU_TCP, SERIAL, TABLE, TCP, TLS
from tests.field.truth.pki import Pki, pki
from tests.field.truth.simulated import run

SEED = int(os.environ.get("TRUTH_SEED", "1"))
SCALE = float(os.environ.get("TRUTH_SCALE", "1"))


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a device.

    Attributes:
        line: Kind of line.
        client: `native` or `pymodbus`.
        polls: Of the million.
        window: Requests on their way at once.
        units: How many devices share the line.
    """

    line: str
    client: str
    polls: int
    window: int = 1
    units: int = 1

    def __str__(self) -> str:
        return f"{self.line}-{self.client}-{self.window}-{self.units}"


WAYS = (
    Way(TCP, "native", 260_000),
    Way(TCP, "native", 160_000, window=4),
    Way(TCP, "pymodbus", 110_000),
    Way(TCP, "native", 60_000, window=4, units=3),
    Way(RTU_TCP, "native", 120_000),
    Way(RTU_TCP, "native", 60_000, units=3),
    Way(SERIAL, "native", 160_000),
    Way(SERIAL, "native", 60_000, units=3),
    Way(TLS, "native", 7_000),
    Way(TLS, "pymodbus", 5_000),
)
assert sum(way.polls for way in WAYS) >= 1_000_000


def judged(way: Way, each: int, made: Pki | None = None, names: tuple[str, ...] = ()) -> int:
    """So many polls of each misbehaviour; returns all polls.

    Raises:
        AssertionError: A wrong value, with what repeats it.
    """
    polls = 0
    for entry in TABLE.values():
        if way.line not in entry.lines or (names and entry.name not in names):
            continue
        findings = run(
            way.line,
            way.client,
            entry.name,
            SEED,
            each,
            window=way.window,
            units=range(1, 1 + way.units),
            tls=made.driver if made else None,
            server=made.device if made else None,
        )
        polls += findings.polls
        again = f"TRUTH_SEED={SEED} TRUTH_SCALE={SCALE}: {way}, {entry.name!r}, {each} polls"
        assert not findings.wrong, f"{again}: {findings.wrong[:5]}"
    return polls


@pytest.mark.parametrize("way", [WAYS[1], WAYS[2], WAYS[4]], ids=str)
def test_a_few_polls_of_each(way: Way) -> None:
    judged(way, 4)


@pytest.mark.parametrize("way", [way for way in WAYS if way.line != TLS], ids=str)
def test_a_storm(way: Way) -> None:
    judged(way, 100, names=("a storm of everything",))


def test_a_few_polls_over_tls(tmp_path: Path) -> None:
    made = pki(tmp_path)
    for way in WAYS:
        if way.line == TLS:
            judged(way, 20, made, ("bits flipped on the way", "a storm of everything"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_million_polls(way: Way, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    names = sum(way.line in entry.lines for entry in TABLE.values())
    each = round(SCALE * way.polls / names) + 1
    polls = judged(way, each, pki(tmp_path) if way.line == TLS else None)
    assert polls >= SCALE * way.polls


@pytest.mark.parametrize("kind", EVERYWHERE)
def test_there_are_enough_of_them(kind: str) -> None:
    assert sum(kind in entry.lines for entry in TABLE.values()) >= 34 + 1  # the honest one is none


@pytest.mark.parametrize("name", ["honest", "slow but in time", "byte by byte", "in random pieces"])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[2], WAYS[4], WAYS[6]], ids=str)
def test_what_is_right_is_taken(name: str, way: Way) -> None:
    findings = run(way.line, way.client, name, SEED, 60, window=way.window)
    assert findings.right == findings.polls
    assert not findings.errors


def test_a_seed_gives_the_same_run() -> None:
    one, again, other = (run(TCP, "native", "a storm of everything", seed, 80) for seed in (7, 7, 8))
    assert one == again
    assert one != other
