"""The control service: sleeps to absolute deadlines, snapshots, steps, publishes."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from scada.control import keeper, realtime
from scada.control.civil import Civil
from scada.control.gather import Gather
from scada.control.health import Health
from scada.control.latency import Measurement
from scada.control.mailbox import Mailbox
from scada.control.publish import Output
from scada.control.tape import Tape
from scada.scan import Inputs, Writes, build, start, step
from scada.scan.program import Program
from scada.service import Service

SELFTEST_S: Final = 2.0
SELFTEST_NS: Final = 2_500_000_000
COLLECT_NS: Final = 30_000_000_000
COLLECT_SLACK_NS: Final = 20_000_000
COMPLAIN_NS: Final = 60_000_000_000
CLOCK_STEP_NS: Final = 500_000_000
UTC_STEP_NS: Final = 1000  # no clock is better; a recording is smaller


def main(argv: Sequence[str] | None = None) -> int:
    """Runs control until it is asked to stop; the exit code."""
    with Service.start(argv, flags=("manual",)) as service:
        loop = Loop(service)
        loop.run()
        loop.close()
    return 0


class Loop:
    """Control at work.

    Args:
        service: Started.
        health: What measures it.
    """

    def __init__(self, service: Service, health: type[Health] = Health) -> None:
        self._service = service
        data, site, clock = service.data, service.site, service.clock
        self._program: Program = build(site)
        retained = keeper.load(data)
        manual = "manual" in service.flags
        utc_ns = clock.utc_ns()
        self._state = start(self._program, retained, utc_ns=utc_ns, manual=manual)
        self._civil = Civil(site.timezone, site.scan_ns)
        self._gather = Gather(data.run, self._program)
        self._mailbox = Mailbox(data.control_socket)
        self._output = Output(self._program, service.publisher)
        self._keeper = keeper.Keeper(data, service.epoch)
        self._tape = Tape(
            data.record_ring,
            service.epoch,
            self._program,
            self._state,
            utc_ns,
            manual=manual,
            complain=lambda what: service.log.warning("the recording has a gap", error=what),
        )
        self.health = self._health = health(self._program, clock.monotonic_ns)
        self._versions: list[tuple[int, int]] = []
        self._complained_ns = -COMPLAIN_NS
        self._selftest: Measurement | None = None
        self._utc_offset_ns = utc_ns - clock.monotonic_ns()
        if manual:
            service.log.warning("control starts in Manual: it crashed again and again")

    def run(self, claim: Callable[[int | None, int], realtime.Grants] = realtime.claim) -> None:
        """Scans until the service is asked to stop. A missed period is counted and skipped, never caught up.

        Args:
            claim: Asks the machine for a processor and a priority.
        """
        service, clock, health = self._service, self._service.clock, self._health
        period = service.site.scan_ns
        wish = service.site.realtime
        began = clock.monotonic_ns()
        health.begin(began, 0)
        self._scan(began, 1, began)  # before memory is locked: it touches what every scan touches
        self._selftest = self._begin_selftest()
        grants = health.grants = claim(wish.cpu, wish.priority)
        for sentence in grants.said:
            service.log.warning(sentence)
        base = clock.monotonic_ns()
        index, following = 0, 1  # of the period grid from base
        collect_ns = base + COLLECT_NS
        service.ready()
        while not service.stopping:
            due = base + following * period
            realtime.sleep_until(due)
            now = clock.monotonic_ns()
            if now < due:
                continue  # a signal
            reached = (now - base) // period
            periods, index = reached - index, reached
            health.count(now, now - due, periods - 1)
            health.begin(base, reached)
            self._scan(now, periods, base + index * period)
            spent = clock.monotonic_ns() - now
            health.spent(spent)
            following = realtime.following(index, now - base, spent, period)
            if now + spent > collect_ns and (spent < period // 4 or period - spent > COLLECT_SLACK_NS):
                gc.collect()
                long = clock.monotonic_ns() - now - spent > period // 2
                collect_ns = now + COLLECT_NS * (20 if long else 1)
            if self._selftest is not None and now > base + SELFTEST_NS:
                self._end_selftest(self._selftest)

    def _begin_selftest(self) -> Measurement | None:
        """Measures beside the first scans what lateness the machine has; none of them waits for it."""
        wish = self._service.site.realtime
        try:
            return Measurement(
                SELFTEST_S, priority=max(1, wish.priority - 1), cpu=wish.cpu, parent=os.getpid()
            )
        except OSError as error:
            self._service.log.warning("the lateness of this machine is not measured", error=str(error))
            return None

    def _end_selftest(self, measurement: Measurement) -> None:
        log = self._service.log
        try:
            found = measurement.poll()
        except ValueError as error:
            self._selftest = None
            log.warning("the lateness of this machine was not measured", error=str(error))
            return
        if found is None:
            return
        self._selftest = None
        self._health.selftest = (found.p99, found.max)
        log.info(
            "lateness of this machine at start",
            p50_us=found.p50 // 1000,
            p99_us=found.p99 // 1000,
            max_us=found.max // 1000,
            realtime=found.fifo,
            locked=found.locked,
            cpu=found.cpu,
        )

    def _scan(self, now_ns: int, periods: int, due_ns: int) -> None:
        service, program, state = self._service, self._program, self._state
        utc_ns = service.clock.utc_ns() // UTC_STEP_NS * UTC_STEP_NS
        service.beat()
        tick = self._civil.tick(state.scans + 1, periods, utc_ns)
        requests, faults = self._mailbox.receive()
        inputs = self._gather.poll(tick.dt_ns, on_time=periods == 1)
        samples = [*inputs.samples, *self._health.samples(now_ns, utc_ns, state.scans)]
        inputs = Inputs(samples, inputs.acted, self._versions, inputs.batches)
        state, writes, events = step(program, state, inputs, requests, tick, self._health.watch)
        self._health.ran(state.tasks.ran)
        others = self._output.begun(events)
        self._versions = self._output.write(state, writes, service.clock.monotonic_ns(), due_ns)
        self._output.tell(others)
        for error, address in faults:
            self._output.tell([_fault(error.id, str(error), utc_ns)])
            self._mailbox.bell(address)
        self._mailbox.ring(events)
        self._watch_clock(utc_ns - now_ns, utc_ns)
        for writer, silent in self._gather.changed:
            service.log.warning(
                f"{writer} is silent: its tags are not believed" if silent else f"{writer} is back"
            )
        self._tape.note(state, inputs, requests, tick, writes)
        busy = service.clock.monotonic_ns() - now_ns > service.site.scan_ns // 4
        try:
            self._keeper.keep(program, state, writes, utc_ns, now_ns, busy=busy)
        except ValueError as error:
            if now_ns - self._complained_ns > COMPLAIN_NS:
                self._complained_ns = now_ns
                service.log.warning("the state that survives a restart is not kept", error=str(error))

    def _watch_clock(self, offset_ns: int, utc_ns: int) -> None:
        stepped_ns = offset_ns - self._utc_offset_ns
        self._utc_offset_ns = offset_ns
        if abs(stepped_ns) > CLOCK_STEP_NS:
            self._output.tell([{"kind": "clock", "t": utc_ns, "stepped_ns": stepped_ns}])

    def close(self) -> None:
        """A planned stop: outputs hold, the state is kept."""
        if self._selftest is not None:
            self._selftest.close()
        clock = self._service.clock
        last = Writes([], [], [], urgent=True)
        self._keeper.keep(self._program, self._state, last, clock.utc_ns(), clock.monotonic_ns())
        self._mailbox.close()
        self._gather.close()
        self._keeper.close()
        self._tape.close()


def _fault(id_: str, reason: str, utc_ns: int) -> dict[str, Any]:
    return {
        "kind": "request", "t": utc_ns, "id": id_, "status": "rejected", "items": [], "old": [], "reasons": [reason],
        "user": "", "source": "", "role": "", "reason": "", "request": "",
    }  # fmt: skip
