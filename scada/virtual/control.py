"""The control service in virtual time: the shell of `scada.control.service` around the same scan."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from scada.control import keeper
from scada.control.civil import Civil
from scada.control.gather import Gather
from scada.control.mailbox import READS_PER_SCAN
from scada.control.publish import Output
from scada.requests import Request, RequestError, parse
from scada.scan import Inputs, Program, State, Writes, start, step
from scada.virtual.service import VirtualService
from scada.virtual.world import Process, World

STEPPED, PUBLISHED, TOLD = 1, 2, 3
"""Moments in a scan at which a process may die."""


class Control:
    """One life of control.

    Args:
        world: Whose time counts.
        process: Of this life.
        service: Its files.
        program: Of its site; the same in each life, so it is built once.
        published: Called when a scan is published.
        told: Takes the events of each scan once they are published.
        died: Called when it dies in the middle of a scan.

    Attributes:
        mail: Requests as they were sent, JSON.
        doomed: The moment of the next scan at which it dies, or 0.
        scanned_ns: When the last scan was published.
        missed: Scans that were left out.
    """

    def __init__(
        self,
        world: World,
        process: Process,
        service: VirtualService,
        program: Program,
        published: Callable[[], None],
        told: Callable[[list[dict[str, Any]]], None],
        died: Callable[[], None],
    ) -> None:
        self._world, self._process, self._service = world, process, service
        self._published, self._told, self._died = published, told, died
        data, site, clock = service.data, service.site, service.clock
        self.program = program
        self.state: State = start(
            program, keeper.load(data), utc_ns=clock.utc_ns(), manual="manual" in service.flags
        )
        self._civil = Civil(site.timezone, site.scan_ns)
        self._gather = Gather(data.run, program)
        self._output = Output(program, service.publisher)
        self._keeper = keeper.Keeper(data, service.epoch)
        self._versions: list[tuple[int, int]] = []
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()
        self._base_ns = self._index = 0
        self.mail: deque[bytes] = deque()
        self.doomed = 0
        self.scanned_ns = 0
        self.missed = 0

    def begin(self) -> None:
        """The first scan, and the grid of those to come."""
        self._base_ns = self._world.now_ns
        self._scan(1)
        self._service.ready()
        self._plan()

    def _plan(self) -> None:
        due = self._base_ns + (self._index + 1) * self._service.site.scan_ns
        self._world.at(due, self._wake, self._process)

    def _wake(self) -> None:
        reached = (self._world.now_ns - self._base_ns) // self._service.site.scan_ns
        periods, self._index = reached - self._index, reached
        self.missed += periods - 1
        self._scan(periods)
        self._plan()

    def _scan(self, periods: int) -> None:
        service, program = self._service, self.program
        now_ns, utc_ns = self._world.now_ns, service.clock.utc_ns()
        service.beat()
        tick = self._civil.tick(self.state.scans + 1, periods, utc_ns)
        requests = self._received()
        gathered = self._gather.poll(tick.dt_ns, on_time=periods == 1)
        inputs = _with_versions(gathered, self._versions)
        self.state, writes, events = step(program, self.state, inputs, requests, tick)
        if self._dies(STEPPED):
            return
        others = self._output.begun(events)
        due_ns = self._base_ns + self._index * service.site.scan_ns
        self._versions = self._output.write(self.state, writes, now_ns, due_ns)
        self._published()
        if self._dies(PUBLISHED):
            return
        self._output.tell(others)
        offset_ns = utc_ns - now_ns
        if abs(offset_ns - self._offset_ns) > 500_000_000:
            self._output.tell([{"kind": "clock", "t": utc_ns, "stepped_ns": offset_ns - self._offset_ns}])
        self._offset_ns = offset_ns
        self.scanned_ns = now_ns
        self._told(events)
        if self._dies(TOLD):
            return
        self._keeper.keep(program, self.state, writes, utc_ns, now_ns)

    def _received(self) -> list[Request]:
        found: list[Request] = []
        for _ in range(min(len(self.mail), READS_PER_SCAN)):
            try:
                found.append(parse(self.mail.popleft()))
            except RequestError:
                continue
        return found

    def _dies(self, moment: int) -> bool:
        if self.doomed != moment:
            return False
        self._died()
        return True

    def stop(self) -> None:
        """A planned stop: outputs hold, the state is kept."""
        clock = self._service.clock
        last = Writes([], [], [], urgent=True)
        self._keeper.keep(self.program, self.state, last, clock.utc_ns(), clock.monotonic_ns())

    def close(self) -> None:
        """What the operating system does after the end: files are let go."""
        self._gather.close()
        self._keeper.close()
        self._service.publisher.close()


def _with_versions(inputs: Inputs, versions: list[tuple[int, int]]) -> Inputs:
    return Inputs(inputs.samples, inputs.acted, versions, inputs.batches)
