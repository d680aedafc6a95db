"""The kit has eyes: each strict rule that is taken out of the driver lets wrong values through, and they are found."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import pytest

from scada.field.modbus import late, library, stream
from scada.modbus import rtu, wire
from tests.field.truth.misbehaviours import RTU_TCP, SERIAL, TCP
from tests.field.truth.planted import planted
from tests.field.truth.simulated import run


@dataclass(frozen=True, slots=True)
class Bug:
    """A rule that is missing.

    Attributes:
        module: Where it stands.
        old: How it stands there.
        new: What stands there instead.
        line: Kind of line.
        name: The misbehaviour that it is there for.
        polls: Enough of them to be sure.
        window: Requests on their way at once.
        client: `native` or `pymodbus`.
        more: What must go with it: some rules stand twice.
    """

    module: ModuleType
    old: str
    new: str
    line: str
    name: str
    polls: int = 400
    window: int = 1
    client: str = "native"
    more: tuple[tuple[str, str], ...] = ()


BUGS = {
    "tcp: any unit may answer": Bug(wire, "if unit != self.unit:", "if False:", TCP, "another unit"),
    "tcp: any function is as good": Bug(
        wire, "if pdu[0] == mine.function:", "if pdu[0] < 0x80:", TCP, "FC4 for FC3, FC3 for FC4"
    ),
    "tcp: any byte count is as good": Bug(
        wire, " and data.startswith(self.reply_head)", "", TCP, "byte count 2, all the data"
    ),
    "tcp: any transaction id": Bug(
        stream,
        "waiting.pop(transaction, -1)",
        "waiting.pop(next(iter(waiting), 0), -1)",
        TCP,
        "the next transaction id",
    ),
    "tcp: transaction id 0 for all": Bug(
        stream,
        "waiting.pop(transaction, -1)",
        "waiting.pop(transaction or next(iter(waiting), 0), -1)",
        TCP,
        "transaction id 0, old data",
    ),
    "tcp: ids begin again with each connection": Bug(
        stream,
        "self._next_id = transactions.next",
        "self._next_id = type(transactions)().next",
        TCP,
        "late through a gateway, also after reconnecting",
    ),
    "tcp: bytes behind a reply are passed over": Bug(
        stream,
        "if not waiting and self._parser.pending:",
        "if False:",
        TCP,
        "some bytes too many in the middle",
    ),
    "tcp: replies by their order": Bug(
        stream,
        "waiting.pop(transaction, -1)",
        "waiting.pop(next(iter(waiting), 0), -1)",
        TCP,
        "in any order",
        window=4,
    ),
    "pymodbus: ids begin again with each connection": Bug(
        library,
        "self._next_id = transactions.next",
        "self._next_id = type(transactions)().next",
        TCP,
        "late through a gateway, also after reconnecting",
        client="pymodbus",
    ),
    "pymodbus: transaction id 0 for all": Bug(
        library,
        "not data.startswith(self._expected[: len(data)])",
        "False",
        TCP,
        "transaction id 0, old data",
        client="pymodbus",
        more=(("reply.transaction_id == transaction and ", ""),),
    ),
    "pymodbus: any byte count is as good": Bug(
        wire,
        " and data.startswith(self.reply_head)",
        "",
        TCP,
        "byte count 2, all the data",
        client="pymodbus",
    ),
    "pymodbus: any function is as good": Bug(
        library,
        "if reply.function_code == ask.pdu.function:",
        "if True:",
        TCP,
        "FC4 for FC3, FC3 for FC4",
        client="pymodbus",
    ),
    "rtu: no check sum": Bug(rtu, "if not whole(buffer):", "if False:", RTU_TCP, "bits flipped on the way"),
    "rtu: any unit may answer": Bug(
        rtu, "if buffer and buffer[0] != ask.unit:", "if False:", SERIAL, "another unit"
    ),
    "rtu: no barrier after a miss": Bug(
        late,
        "if not owed or all(function != ask.pdu.function for function, _, _ in owed):",
        "if True:",
        SERIAL,
        "late through a gateway, also after reconnecting",
        polls=1500,
    ),
    "rtu: a miss is forgotten with its connection": Bug(
        late,
        "self._owed.setdefault(ask.unit, {})[look(ask.pdu)] = now_ns",
        "pass",
        RTU_TCP,
        "late through a gateway, also after reconnecting",
    ),
    "rtu: nothing between two of the same look": Bug(
        late,
        "        if self._last is None:\n            return None\n",
        "        if True:\n            return None\n",
        RTU_TCP,
        "the reply before this one again",
        polls=1500,
        more=(("if not self._repeats(ask.unit, now_ns):", "if True:"),),
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_missing_rule_is_found(name: str) -> None:
    bug = BUGS[name]
    with planted(bug.module, (bug.old, bug.new), *bug.more):
        findings = run(bug.line, bug.client, bug.name, 1, bug.polls, window=bug.window, stop_at=1)
    assert findings.wrong, f"not found in {findings.polls} polls"


def test_with_all_rules_there_is_nothing_to_find() -> None:
    for bug in BUGS.values():
        assert not run(bug.line, bug.client, bug.name, 1, 60, window=bug.window).wrong
