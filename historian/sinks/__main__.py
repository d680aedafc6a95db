"""The forwarding service: `python -m historian.sinks --data DIR --name forward --epoch N`."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from historian.sinks.influx import Influx
from historian.sinks.worker import Worker
from scada.service import Service
from tags.types import Value

BEAT_S: Final = 0.5
END_S: Final = 0.6
SWITCH_S: Final = (
    0.0005  # a thread that has an answer to read does not wait 5 ms for the one that makes lines
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until it is asked to stop; returns the exit code."""
    with Service.start(argv) as service:
        return run(service)


def run(service: Service) -> int:
    """A thread for each sink; this one beats, says how they are, and reports for them."""
    sys.setswitchinterval(SWITCH_S)
    stop, died = threading.Event(), threading.Event()
    service.on_stop(stop.set)
    said: deque[tuple[str, str, str]] = deque(maxlen=1000)
    workers = {}
    for sink in service.site.sinks:

        def report(state: str, message: str, name: str = sink.name) -> None:
            said.append((name, state, message))

        workers[sink.name] = Worker(
            sink, service.site, service.data.history, service.clock, Influx(sink), report
        )

    def work(worker: Worker) -> None:
        try:
            while not stop.wait(worker.turn()):
                pass
            worker.close()
        except Exception:
            service.log.exception("a sink failed")
            died.set()
            stop.set()

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers.values()]
    for thread in threads:
        thread.start()
    service.ready()
    while True:
        service.beat()
        health(service, workers)
        while said:
            name, state, message = said.popleft()
            service.event(
                "service", name="forward", sink=name, state=state, message=f"sink {name}: {message}"
            )
            service.log.warning(message, sink=name, state=state)
        if stop.wait(BEAT_S):
            break
    for thread in threads:
        thread.join(END_S)  # a request that hangs does not hold the plant: its rows are sent again
    if died.is_set():
        service.fail("a sink failed; the log says why")
        return 1
    return 0


def health(service: Service, workers: dict[str, Worker]) -> None:
    """Publishes how each sink is."""
    values: dict[str, Value] = {}
    for name, worker in workers.items():
        values |= {
            f"{name}_ok": not worker.problem,
            f"{name}_lag": worker.lag_s(),
            f"{name}_sent": worker.sent,
            f"{name}_quarantine": worker.refused,
            f"{name}_filling": worker.jobs,
            f"{name}_lost": worker.lost,
        }
    service.health(**values)


if __name__ == "__main__":
    sys.exit(main())
