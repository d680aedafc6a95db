"""Measures the field and writes `bench/results/field.json`: `python -m bench.field [--seconds 0.3] [--only requests,cycles]`."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import Final

import uvloop

from bench.field import libmodbus, parts, pymscada, service
from bench.field.cycles import DEVICES, FLOATS, cycles
from bench.field.peer import plcs
from bench.field.requests import requests
from bench.field.stock import stock
from bench.harness import Results

ROUNDS: Final = 5
PARTS: Final = ("requests", "cycles", "service", "parts")


def best(rounds: int, sides: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The least that each side needed; the sides by turns."""
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name] = min(found.get(name, float("inf")), side())
    return found


class Peers:
    """libmodbus and pymscada, where they can be had; the others say what is missing."""

    def __init__(self) -> None:
        self.c: libmodbus.Libmodbus | None = None
        self.mscada: pymscada.Pymscada | None = None
        try:
            self.c = libmodbus.Libmodbus()
        except libmodbus.MissingError as missing:
            print(f"left out: {missing}")
        try:
            self.mscada = pymscada.Pymscada()
        except pymscada.MissingError as missing:
            print(f"left out: {missing}")

    def close(self) -> None:
        """Removes them."""
        for one in (self.c, self.mscada):
            if one is not None:
                one.close()


def measure_requests(results: Results, port: int, seconds: float, rounds: int, peers: Peers) -> None:
    """What a request costs."""
    sides: dict[str, Callable[[], float]] = {
        "native": lambda: uvloop.run(requests(port, "native", DEVICES, 1, seconds)),
        "window": lambda: uvloop.run(requests(port, "native", 1, 8, seconds)),
        "ours": lambda: uvloop.run(requests(port, "pymodbus", DEVICES, 1, seconds)),
        "pymodbus": lambda: asyncio.run(stock(port, DEVICES, FLOATS, seconds, decode=False)),
        "pymodbus + uvloop": lambda: uvloop.run(stock(port, DEVICES, FLOATS, seconds, decode=False)),
    }
    if (c := peers.c) is not None:
        sides["libmodbus (C)"] = lambda: c.us(port, DEVICES, 0, seconds)
    found = best(rounds, sides)
    name = "processor time of a request, 125 registers, 100 devices"
    for peer in ("pymodbus", "pymodbus + uvloop", "libmodbus (C)"):
        if peer in found:
            results.add(name, found["native"], "us", "<= 6", peer, found[peer])
    results.add("the same through client: pymodbus", found["ours"], "us")
    results.add("the same, one device, window 8", found["window"], "us")


def measure_cycles(results: Results, port: int, seconds: float, rounds: int, peers: Peers) -> None:
    """What a tag costs on its whole way into the image."""
    publishing: list[float] = []

    def ours(client: str) -> float:
        rate, publish_us = uvloop.run(cycles(port, client, seconds))  # type: ignore[arg-type]
        publishing.append(publish_us)
        return 1 / rate

    sides: dict[str, Callable[[], float]] = {
        "native": lambda: ours("native"),
        "ours": lambda: ours("pymodbus"),
        "pymodbus": lambda: asyncio.run(stock(port, DEVICES, FLOATS, seconds, decode=True)) / FLOATS / 1e6,
    }
    if (c := peers.c) is not None:
        sides["libmodbus (C)"] = lambda: c.us(port, DEVICES, FLOATS, seconds) / FLOATS / 1e6
    if (mscada := peers.mscada) is not None:
        sides["pymscada"] = lambda: mscada.us(port, DEVICES, FLOATS, seconds) / FLOATS / 1e6
    found = {name: 1 / cost for name, cost in best(rounds, sides).items()}
    name = "6,000 float32 tags of 100 devices a cycle, into the image, per core"
    for peer in ("pymodbus", "libmodbus (C)", "pymscada"):
        if peer in found:
            kind = {
                "pymodbus": "pymodbus, convert_from_registers",
                "libmodbus (C)": "libmodbus (C), into an array",
            }
            results.add(name, found["native"], "tags/s", ">= 1e7", kind.get(peer, peer), found[peer])
    results.add(
        "the same through client: pymodbus", found["ours"], "tags/s", ">= 3e6", "pymodbus", found["pymodbus"]
    )
    results.add("of it decoding and publishing, a cycle", min(publishing), "us")


def measure_service(results: Results, port: int, seconds: float) -> None:
    """The service, each second."""
    for devices, floats, goal, what in (
        (1, 10_000, "<= 1.5", "10,000 tags on one PLC each second"),
        (100, 1_000, "<= 15", "100,000 tags on 100 PLCs each second, a tenth changing"),
    ):
        found = service.run(port, devices, floats, seconds)
        results.add(f"{what}: field", found.processor, "% of a core", goal)
        results.add(
            "  time between two readings, off by (p99)", found.off_ms, "ms", "<= 10" if devices == 1 else ""
        )
        results.add("  tags that are Good", 100 * found.good, "%", ">= 100")
        results.add("  memory of field", found.memory_mb, "MB")


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="of each round; the service works 20 times as long"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default=",".join(PARTS))
    chosen = parser.parse_args()
    only = chosen.only.split(",")
    results = Results("field")
    peers = Peers()
    try:
        with plcs() as port:
            time.sleep(0.2)
            if "requests" in only:
                measure_requests(results, port, chosen.seconds, chosen.rounds, peers)
            if "cycles" in only:
                measure_cycles(results, port, chosen.seconds, chosen.rounds, peers)
            if "service" in only:
                measure_service(results, port, 20 * chosen.seconds)
    finally:
        peers.close()
    if "parts" in only:
        results.add("decoding and scaling, 6,000 floats at once", parts.decoding(), "ns/tag", "<= 10")
        results.add("planning 10,000 tags", parts.planning(), "ms", "<= 500")
    if only == list(PARTS):
        results.write()


if __name__ == "__main__":
    main()
