"""The loop that plays the simulated PLCs: as a service of a plant, or alone."""

from __future__ import annotations

import asyncio
import itertools
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence

import uvloop

from scada.clock import SystemClock
from scada.datadir import DataDir
from scada.service import Service
from scada.simulate.inject import socket_path
from scada.simulate.simulation import PERIOD_S, InjectSocket, SimulateError, Simulation
from tags.model import Site

HEALTH_EVERY = 50  # steps
SAVE_EVERY = 10
SHOWN = 20
MANY = 100  # plants; more of them are saved less often


async def play(
    simulation: Simulation,
    data: DataDir,
    stop: asyncio.Event,
    *,
    ready: Callable[[], None],
    each_step: Callable[[], None],
) -> None:
    """Starts the PLCs and steps them until `stop` is set.

    Args:
        simulation: Not started yet.
        data: Its `simulate_socket` takes faults.
        stop: Ends it.
        ready: Called once when all listen.
        each_step: Called after every step.

    Raises:
        SimulateError: A port is taken.
    """
    faults = InjectSocket(socket_path(data), simulation)
    save_every = SAVE_EVERY * max(1, len(simulation.plants) // MANY)
    saved = data.run / "simulate.state"  # on tmpfs: it survives the process, not the machine
    simulation.load(saved)
    try:
        await simulation.start()
        ready()
        loop = asyncio.get_running_loop()
        deadline = loop.time()
        for step in itertools.count():
            if stop.is_set():
                break
            simulation.step()
            each_step()
            if step % save_every == 0:
                simulation.save(saved)
            deadline = max(deadline + PERIOD_S, loop.time())
            try:
                async with asyncio.timeout_at(deadline):
                    await stop.wait()
            except TimeoutError:
                pass
    finally:
        await simulation.close()
        faults.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The service `simulate`: `python -m scada.simulate --data DIR --name simulate --epoch N`.

    Returns:
        Exit code.
    """
    _prepare()
    with Service.start(argv) as service:
        stop = asyncio.Event()
        steps = 0

        def each_step() -> None:
            nonlocal steps
            service.beat()
            if steps % HEALTH_EVERY == 0:
                service.health()
            steps += 1

        async def serve() -> None:
            loop = asyncio.get_running_loop()
            service.on_stop(lambda: loop.call_soon_threadsafe(stop.set))
            if service.stopping:
                return
            simulation = Simulation(service.site.devices, service.clock, service.site.tags)
            await play(simulation, service.data, stop, ready=service.ready, each_step=each_step)

        try:
            _run(serve)
        except SimulateError as error:
            service.fail(str(error))
            return 1
    return 0


def run_alone(site: Site, data: DataDir) -> int:
    """See `scada.simulate.run_simulators`."""
    _prepare()
    data.create()
    stop = asyncio.Event()

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        simulation = Simulation(site.devices, SystemClock(), site.tags)

        def ready() -> None:
            for name, server in itertools.islice(simulation.servers.items(), SHOWN):
                unit = f", unit {simulation.units[name].number}" if len(server) > 1 else ""
                sys.stdout.write(f"{name} listens on {server} ({server.speaks}{unit})\n")
            if (more := len(simulation.servers) - SHOWN) > 0:
                sys.stdout.write(f"… and {more} more\n")
            name = next(iter(simulation.servers), "DEVICE")
            sys.stdout.write(f"Faults: scada inject {name} unplug --data {data.root}   Ctrl-C stops.\n")
            sys.stdout.flush()

        await play(simulation, data, stop, ready=ready, each_step=lambda: None)

    try:
        _run(serve)
    except SimulateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(serve: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


def _prepare() -> None:
    """A thousand devices need as many files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
