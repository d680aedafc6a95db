"""`make fuzz N=1000000 SEED=1`: so many inputs into each reader; `TARGETS="mbap dump"` for some of them."""

from __future__ import annotations

import argparse
import time

from tests.fuzz.run import FoundError, fuzz
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("-n", type=int, default=1_000_000, help="inputs into each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("readers", nargs="*", help=f"of: {', '.join(TARGETS)}")
    arguments = parser.parse_args()
    found = 0
    for name in arguments.readers or TARGETS:
        begin = time.perf_counter()
        try:
            outcome = fuzz(TARGETS[name], arguments.seed, arguments.n)
        except FoundError as error:
            found += 1
            print(f"FOUND  {error}")
            continue
        print(
            f"ok     {name:20} {outcome.count:9} inputs, {outcome.accepted / outcome.count:4.0%} read, "
            f"slowest {outcome.slowest_ns / 1e6:.1f} ms, memory {outcome.grown_bytes >> 10:+} KiB, "
            f"{time.perf_counter() - begin:.0f} s"
        )
    return min(found, 1)


if __name__ == "__main__":
    raise SystemExit(main())
