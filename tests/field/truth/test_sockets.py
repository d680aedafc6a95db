"""No misbehaviour makes a wrong value on real sockets, under real TLS and on real pseudo terminals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.field.truth.misbehaviours import RTU_TCP, SERIAL, TCP, TLS
from tests.field.truth.pki import pki
from tests.field.truth.sockets import all_at_once

SEED = int(os.environ.get("TRUTH_SEED", "1"))
POLLS = 10_000
WAYS = (
    (TCP, "native"),
    (TCP, "pymodbus"),
    (RTU_TCP, "native"),
    (SERIAL, "native"),
    (TLS, "native"),
    (TLS, "pymodbus"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("line", "client"), WAYS)
async def test_ten_thousand_polls(line: str, client: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    each = 24
    found = await all_at_once(line, client, SEED, each, pki(tmp_path))
    assert sum(findings.polls for findings in found.values()) >= POLLS / len(WAYS)
    wrong = {name: findings.wrong[:3] for name, findings in found.items() if findings.wrong}
    assert not wrong, f"seed {SEED}, {line}, {client}: {wrong}"
    assert found["honest"].right == found["honest"].polls
