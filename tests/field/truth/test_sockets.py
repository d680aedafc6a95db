"""No misbehaviour makes a wrong value on real sockets, under real TLS and on real pseudo terminals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.field.truth.misbehaviours import RTU_TCP, SERIAL, TABLE, TCP, TLS
from tests.field.truth.pki import pki
from tests.field.truth.sockets import all_at_once

SEED = int(os.environ.get("TRUTH_SEED", "1"))
WAYS = (  # kind of line, client, polls of each misbehaviour
    (TCP, "native", 30),
    (TCP, "pymodbus", 30),
    (RTU_TCP, "native", 30),
    (SERIAL, "native", 30),
    (TLS, "native", 8),
    (TLS, "pymodbus", 4),
)


def test_they_are_ten_thousand_polls() -> None:
    kinds = [entry.lines for entry in TABLE.values()]
    assert sum(each * sum(line in lines for lines in kinds) for line, _, each in WAYS) >= 10_000


@pytest.mark.slow
@pytest.mark.parametrize(("line", "client", "each"), WAYS)
async def test_real_polls(line: str, client: str, each: int, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    found = await all_at_once(line, client, SEED, each, pki(tmp_path))
    assert all(findings.polls >= each for findings in found.values())
    wrong = {name: findings.wrong[:3] for name, findings in found.items() if findings.wrong}
    assert not wrong, f"seed {SEED}, {line}, {client}: {wrong}"
    assert found["honest"].right > found["honest"].polls / 2  # all connect at once, some wait too long
