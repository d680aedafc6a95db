"""No misbehaviour makes a wrong value on real sockets, under real TLS and on real pseudo terminals."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from tests.field.truth.misbehaviours import RTU_TCP, SERIAL, TABLE, TCP, TLS
from tests.field.truth.pki import pki
from tests.field.truth.sockets import all_at_once

SEED = int(os.environ.get("TRUTH_SEED", "1"))
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}
WAYS = (  # kind of line, client, polls of each misbehaviour
    (TCP, "native", 15),
    (TCP, "pymodbus", 15),
    (RTU_TCP, "native", 15),
    (SERIAL, "native", 15),
    (TLS, "native", 4),
    (TLS, "pymodbus", 3),
)


def test_they_are_ten_thousand_polls() -> None:
    kinds = [entry.lines for entry in TABLE.values()]
    assert sum(each * sum(line in lines for lines in kinds) for line, _, each in WAYS) * len(LOOPS) >= 10_000


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("line", "client", "each"), WAYS)
def test_real_polls(line: str, client: str, each: int, loop: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        found = runner.run(all_at_once(line, client, SEED, each, pki(tmp_path)))
    assert all(findings.polls >= each for findings in found.values())
    wrong = {name: findings.wrong[:3] for name, findings in found.items() if findings.wrong}
    assert not wrong, f"seed {SEED}, {line}, {client}: {wrong}"
    assert found["honest"].right > found["honest"].polls / 2  # all connect at once, some wait too long
