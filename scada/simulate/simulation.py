"""All simulated PLCs of a site in one event loop: plants that are stepped, servers that carry them, faults."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Final

import orjson

from scada.clock import Clock
from scada.modbus.endpoint import Endpoint, parse
from scada.simulate import faults
from scada.simulate.inject import MESSAGE_MAX
from scada.simulate.plant import Plant
from scada.simulate.plants import make
from scada.simulate.server import Server
from scada.simulate.unit import Unit
from tags.model import Device, Tag

PERIOD_S = 0.1
CATCH_UP_MAX_S = 0.5  # a paused machine does not make the plants race
POWER_UP_S = 2.0  # a PLC needs this long until its network is up
ACTIONS: Final = ("unplug", "plug", "freeze", "thaw", "power_cycle", *faults.KINDS, "clear")
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class SimulateError(Exception):
    """The simulators cannot start; the message says why and what to do."""


class Simulation:
    """The simulated PLCs.

    Args:
        devices: Those with `simulate` are played; others are left alone. Those with the same endpoint share it.
        clock: What the plants are stepped by.
        tags: Of the site: memory without a plant is as large as they need.

    Attributes:
        plants: By device name.
        units: By device name.
        servers: By device name; those of devices with the same endpoint are one.

    Raises:
        SimulateError: A device asks for what there is not.
    """

    def __init__(self, devices: Iterable[Device], clock: Clock, tags: Iterable[Tag] = ()) -> None:
        self._clock = clock
        self._stepped_ns = clock.monotonic_ns()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.plants: dict[str, Plant] = {}
        self.units: dict[str, Unit] = {}
        self.servers: dict[str, Server] = {}
        shared: dict[object, list[Device]] = {}
        own: dict[str | None, list[Tag]] = {}
        for tag in tags:
            own.setdefault(tag.device, []).append(tag)
        for number, device in enumerate(device for device in devices if device.simulate):
            try:
                self.plants[device.name] = make(device, number + 1, own.get(device.name, ()))
            except ValueError as error:
                raise SimulateError(f"{device.name}: {error}") from None
            unit = Unit(int(device.config.get("unit_id", 1)), self.plants[device.name].registers, number + 1)
            self.units[device.name] = unit
            at = _endpoint(device)
            shared.setdefault(at if at.port or at.serial else device.name, []).append(device)
        for together in shared.values():
            self._serve(together)

    def _serve(self, together: list[Device]) -> None:
        first = together[0]
        for device in together[1:]:
            if device.simulation.get("tls") != first.simulation.get("tls"):
                raise SimulateError(
                    f"{device.name}: it shares its endpoint with {first.name}; write the same simulate: tls:"
                )
        units = [self.units[device.name] for device in together]
        try:
            server = Server(_endpoint(first), units, first.simulation, first.config.get("serial") or {})
        except ValueError as error:
            raise SimulateError(f"{', '.join(device.name for device in together)}: {error}") from None
        for device in together:
            self.servers[device.name] = server

    async def start(self) -> None:
        """Lets all PLCs listen.

        Raises:
            SimulateError: A port is taken.
        """
        for name, server in self.servers.items():
            try:
                await server.follow()
            except OSError as error:
                raise SimulateError(f"{name}: {self._why_not(server, error)}") from error

    @staticmethod
    def _why_not(server: Server, error: OSError) -> str:
        if isinstance(error, PermissionError) and 0 < server.port < 1024:
            return f"{server}: ports below 1024 are for administrators. Use another in the endpoint, such as 5020."
        if isinstance(error, ssl.SSLError | FileNotFoundError | PermissionError):
            return f"{server} cannot be made ({error}). Correct the path, or the files of simulate: tls:"
        if server.port == 0:
            return f"{server} cannot be made ({error.strerror}). Correct the path of the serial line."
        return f"{server} cannot be listened on; is it in use? Stop what holds it, or choose another port (endpoint: of the device; scada demo --plc-port)."

    async def close(self) -> None:
        """Takes all PLCs off the network."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        for task in tuple(self._tasks):
            await task
        for server in self.servers.values():
            await server.unplug()

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
        return await self._do(name, message)

    async def _do(self, name: str, message: dict[str, object]) -> dict[str, object]:
        action = message.get("do")
        unit = self.units[name]
        try:
            if action in faults.KINDS:
                await self._break(name, str(action), message)
            elif action == "clear":
                self._stop_timer(name)
                unit.faults.clear()
                unit.frozen = False
                await self._plug(name, plugged=True)
            elif action in {"unplug", "plug"}:
                self._stop_timer(name)
                await self._plug(name, plugged=action == "plug")
            elif action in {"freeze", "thaw"}:
                unit.frozen = action == "freeze"
            elif action == "power_cycle":
                unit.faults.clear(faults.FLAP)
                unit.frozen = False
                await self._plug(name, plugged=False)
                self.plants[name].power_cycle()
                self._after(POWER_UP_S, name, lambda: self._plug(name, plugged=True))
            else:
                return {
                    "error": f"{name}: {action!r} is not one of {', '.join(ACTIONS)}, and there is no set"
                }
        except (OSError, ValueError) as error:
            return {"error": f"{name}: {error}"}
        return {"ok": True}

    async def _break(self, name: str, kind: str, message: dict[str, object]) -> None:
        fault = faults.made(kind, message, asyncio.get_running_loop().time())
        if kind == faults.TRANSACTION and not self.servers[name].mbap:
            raise ValueError(f"RTU carries no transaction id. Use {faults.GARBAGE} or {faults.DELAY}")
        self.units[name].faults.set(fault)
        if kind == faults.FLAP:
            self._after(0.0, name, lambda: self._flap(name, fault))

    async def _flap(self, name: str, fault: faults.Fault) -> None:
        """Off the network and on again, each for the fault's time, until it is over."""
        unit = self.units[name]
        if fault not in unit.faults.present:
            return
        over = fault.until_s is not None and asyncio.get_running_loop().time() >= fault.until_s
        if over:
            unit.faults.clear(faults.FLAP)
        else:
            self._after(fault.amount, name, lambda: self._flap(name, fault))
        await self._plug(name, plugged=over or not unit.plugged)

    async def _plug(self, name: str, *, plugged: bool) -> None:
        self.units[name].plugged = plugged
        await self.servers[name].follow()

    def _stop_timer(self, name: str) -> None:
        """Ends what would plug or unplug it later."""
        self.units[name].faults.clear(faults.FLAP)
        if timer := self._timers.pop(name, None):
            timer.cancel()

    def _after(self, delay_s: float, name: str, what: Callable[[], Coroutine[None, None, None]]) -> None:
        """Does something to a device later, instead of what was to be done."""

        def start() -> None:
            async def carry_out() -> None:
                with contextlib.suppress(OSError):  # somebody took the port meanwhile: `plug` says so
                    await what()

            task = loop.create_task(carry_out())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if timer := self._timers.pop(name, None):
            timer.cancel()
        self._timers[name] = loop.call_later(delay_s, start)


def _endpoint(device: Device) -> Endpoint:
    """Where a device listens; port 0 stands for a free one."""
    text = str(device.config.get("endpoint", ""))
    free = text.endswith(":0")
    try:
        at = parse(f"{text[:-1]}1" if free else text)
    except ValueError as error:
        raise SimulateError(f"{device.name}: {error}") from None
    if free and not at.serial:
        at = dataclasses.replace(at, port=0)
    if not at.serial and at.host not in _HERE:
        raise SimulateError(
            f"{device.name}: a simulated device listens on this machine only; give it an endpoint such as "
            "tcp://127.0.0.1:5020"
        )
    return at


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
