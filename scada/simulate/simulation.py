"""All simulated PLCs of a site in one event loop: plants that are stepped, servers that carry them, faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from scada.clock import Clock
from scada.simulate.air import Air
from scada.simulate.inject import MESSAGE_MAX
from scada.simulate.plant import Plant
from scada.simulate.server import PlcServer
from scada.simulate.truck import Truck
from scada.simulate.water import Water
from tags.model import Device

PLANTS: dict[str, Callable[[int], Plant]] = {"water": Water, "air": Air, "truck": Truck}
PERIOD_S = 0.1
CATCH_UP_MAX_S = 0.5  # a paused machine does not make the plants race
POWER_UP_S = 2.0  # a PLC needs this long until its network is up


class SimulateError(Exception):
    """The simulators cannot start; the message says why and what to do."""


class Simulation:
    """The simulated PLCs.

    Args:
        devices: Those with `simulate` are played; others are left alone.
        clock: What the plants are stepped by.

    Attributes:
        plants: By device name.
        servers: By device name.
    """

    def __init__(self, devices: Iterable[Device], clock: Clock) -> None:
        self._clock = clock
        self._stepped_ns = clock.monotonic_ns()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.plants: dict[str, Plant] = {}
        self.servers: dict[str, PlcServer] = {}
        for number, device in enumerate(device for device in devices if device.simulate):
            if device.simulate not in PLANTS:
                raise SimulateError(
                    f"{device.name}: there is no simulator {device.simulate!r}; there are {', '.join(sorted(PLANTS))}"
                )
            plant = PLANTS[device.simulate](number + 1)
            host, port = _address(device)
            self.plants[device.name] = plant
            self.servers[device.name] = PlcServer(
                plant.registers, host, port, int(device.config.get("unit_id", 1))
            )

    async def start(self) -> None:
        """Lets all PLCs listen.

        Raises:
            SimulateError: A port is taken.
        """
        for name, server in self.servers.items():
            try:
                await server.plug()
            except OSError as error:
                raise SimulateError(
                    f"{name}: {server.host}:{server.port} cannot be listened on; is it in use? "
                    "Stop what holds it, or choose other ports with --plc-port."
                ) from error

    async def close(self) -> None:
        """Takes all PLCs off the network."""
        for timer in self._timers.values():
            timer.cancel()
        for server in self.servers.values():
            await server.unplug()
        for task in tuple(self._tasks):
            await task

    def step(self) -> None:
        """Lets the plants catch up with the clock."""
        now_ns = self._clock.monotonic_ns()
        dt_s = min((now_ns - self._stepped_ns) / 1e9, CATCH_UP_MAX_S)
        self._stepped_ns = now_ns
        if dt_s > 0.0:
            for plant in self.plants.values():
                plant.step(dt_s)

    def save(self, path: Path) -> None:
        """Writes the state of all plants, so that PLCs live on while their simulator starts again."""
        state = {name: plant.save() for name, plant in self.plants.items()}
        draft = path.with_suffix(".new")
        draft.write_bytes(orjson.dumps(state))
        draft.replace(path)

    def load(self, path: Path) -> None:
        """Takes up what `save` wrote; what is missing or of another version starts anew."""
        try:
            state = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return
        for name, plant in self.plants.items():
            saved = state.get(name) if isinstance(state, dict) else None
            if isinstance(saved, dict):
                with contextlib.suppress(ValueError):
                    plant.load(saved)

    async def handle(self, data: bytes) -> dict[str, object]:
        """Carries out one message (see `scada.simulate.inject`).

        Returns:
            `{"ok": true}` or `{"error": "…"}`; never raises on what it was sent.
        """
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            return {"error": f"not JSON: {error}"}
        if not isinstance(message, dict):
            return {"error": "not an object with device and do or set"}
        name = message.get("device")
        if not isinstance(name, str) or name not in self.servers:
            return {"error": f"no simulated device {name!r}; there are {', '.join(sorted(self.servers))}"}
        if "set" in message:
            settings = message["set"]
            if not isinstance(settings, dict):
                return {"error": 'set must be an object such as {"LV-101.local": true}'}
            try:
                self.plants[name].turn(settings)
            except ValueError as error:
                return {"error": f"{name}: {error}"}
            return {"ok": True}
        return await self._do(name, message.get("do"))

    async def _do(self, name: str, action: object) -> dict[str, object]:
        server = self.servers[name]
        if timer := self._timers.pop(name, None):
            timer.cancel()
        try:
            if action == "unplug":
                await server.unplug()
            elif action == "plug":
                await server.plug()
            elif action in {"freeze", "thaw"}:
                server.freeze(action == "freeze")
            elif action == "power_cycle":
                await server.unplug()
                server.freeze(False)
                self.plants[name].power_cycle()
                self._timers[name] = asyncio.get_running_loop().call_later(POWER_UP_S, self._power_up, name)
            else:
                return {
                    "error": f"{name}: {action!r} is not one of unplug, plug, freeze, thaw, power_cycle, and there is no set"
                }
        except OSError as error:
            return {"error": f"{name}: {error}"}
        return {"ok": True}

    def _power_up(self, name: str) -> None:
        async def plug() -> None:
            with contextlib.suppress(OSError):  # somebody took the port meanwhile: `plug` says so
                await self.servers[name].plug()

        task = asyncio.get_running_loop().create_task(plug())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _address(device: Device) -> tuple[str, int]:
    """Host and port of a device's endpoint `tcp://host:port`."""
    parts = urlsplit(str(device.config.get("endpoint", "")))
    if parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise SimulateError(
            f"{device.name}: a simulated device listens on this machine only; give it an endpoint such as "
            "tcp://127.0.0.1:5020"
        )
    return parts.hostname, 502 if parts.port is None else parts.port


class InjectSocket:
    """The datagram socket on which faults are asked for.

    Args:
        path: Where it is bound; an old one is taken away.
        simulation: What carries them out.
    """

    def __init__(self, path: Path, simulation: Simulation) -> None:
        self._path = path
        self._simulation = simulation
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def _receive(self) -> None:
        try:
            data, sender = self._socket.recvfrom(MESSAGE_MAX)  # sender: a path, or bytes of an abstract name
        except OSError:
            return
        task = asyncio.get_running_loop().create_task(self._answer(data, sender))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, sender: str | bytes | None) -> None:
        answer = orjson.dumps(await self._simulation.handle(data))
        if sender:
            with contextlib.suppress(OSError):  # whoever asked is gone
                self._socket.sendto(answer, sender)

    def close(self) -> None:
        """Takes the socket away."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)
