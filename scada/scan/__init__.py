"""The scan: one pure function, `step(program, state, inputs, requests, tick) -> state, outputs, events`.

What lives here: the program that a site compiles to (`program`), its state and what of it survives a restart
(`state`, `retain`), the order of a scan (`step`), requests made effective (`orders`), the output stage
(`outputs`), forces (`forces`), recording (`record`, `checkpoint`), replay (`replay`) and what-if (`rerun`,
`transfer`).

What may not: a clock, I/O, randomness, or an order that differs between two runs. The same inputs, requests and
ticks give the same outputs, bit for bit, on any machine; function blocks and alarms are in rooms of their own.
"""

from scada.scan.program import Program, build
from scada.scan.replay import Replay
from scada.scan.start import start
from scada.scan.state import Inputs, State, Writes
from scada.scan.step import step

__all__ = ["Inputs", "Program", "Replay", "State", "Writes", "build", "start", "step"]
