"""The simulated devices: demo, test bench and training simulator, speaking real Modbus on real sockets and lines.

Here live the physics and the PLC programs of the demo plant (`water`, `air`, `truck`: pure, stepped with a time step,
seeded), recorded devices (`playback`) and plain memory, the registers that they share with the network, what a request to
them becomes (`answer`, `faults`, `unit`: pure), what carries that (`connection`, `line`, `server`), and the injection of
faults. Nothing here knows tags, control or history: a simulated PLC knows no more about us than a real one does.
"""

from __future__ import annotations

from scada.datadir import DataDir
from scada.simulate.inject import inject
from tags.model import Site

__all__ = ["inject", "run_simulators"]


def run_simulators(site: Site, data: DataDir) -> int:
    """Plays the simulated devices of a site until SIGINT or SIGTERM, without a plant around them.

    Args:
        site: Its devices with `simulate` are played.
        data: Where `inject` finds them; created.

    Returns:
        Exit code.
    """
    from scada.simulate.run import run_alone  # noqa: PLC0415 - who only injects needs no Modbus server

    return run_alone(site, data)
