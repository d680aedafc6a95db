"""Bench of virtual time: how fast a plant is simulated, and the proof of many writes under faults.

Run: `python -m bench.simulate`, with `--smoke` for a look of some seconds. Each write of the proof asks for another
value, so that what reaches a PLC tells whose it is (`scada.virtual.judge`). Speeds are for each second of processor time. A breach ends the run of its seed and no other: it is printed with what went before it,
its requests count, and further seeds make up for those that were left; the bench fails at its end.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bench.harness import Results
from scada.virtual.run import Plan, Report, simulate
from tags.site import read_site
from tests.virtual.proof import proof_site

DEMO: Final = Path(__file__).parents[1] / "config" / "demo"
UTC_NS: Final = 1_781_524_800_000_000_000
WRITES: Final = 100_000
OF_A_SEED: Final = 5_000
KINDS: Final = {
    "doubled": ("twice", "again", "output's value any more"),
    "after their deadline": ("after its deadline", "after it was timed out"),
    "after they were taken back": (
        "not armed",
        "superseded",
        "mismatched",
        "refused",
        "in Local",
        "nobody asked",
        "taken the command back",
        "had ended",
        "before it was accepted",
    ),
}


def main() -> None:
    """Measures and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a look: little time, nothing written")
    smoke = parser.parse_args().smoke
    results = Results("simulate")
    _speed(results, 0.02 if smoke else 1.0)
    wrong = _proof(results, 500 if smoke else WRITES, 250 if smoke else OF_A_SEED)
    if not smoke:
        results.write()
    if wrong:
        raise SystemExit(f"{wrong.total()} breaches; see above")


def _speed(results: Results, hours: float) -> None:
    site = read_site(DEMO)
    for name, fault_s, requests_s in (("calm", 0.0, 0.0), ("with faults and people", 60.0, 0.05)):
        plan = Plan(seed=1, hours=hours, utc_ns=UTC_NS, fault_s=fault_s, requests_s=requests_s)
        began = time.process_time()
        report = simulate(site, plan)
        took = time.process_time() - began
        if report.breaches:
            raise SystemExit(f"seed {report.seed}: {report.breaches[0]}")
        goal = ">= 500" if not fault_s else ""
        results.add(f"demo plant in virtual time, {name}", report.seconds / took, "x real", goal)


def _proof(results: Results, writes: int, of_a_seed: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    faults = broken = 0
    wrong: Counter[str] = Counter()
    began, seed, plant_s = time.process_time(), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        site = proof_site(Path(folder) / "site")
        while counts["requests"] < writes:
            seed += 1
            plan = Plan(
                seed=seed, hours=1000.0, utc_ns=UTC_NS, requests_s=20.0, fault_s=8.0, requests=of_a_seed
            )
            report = simulate(site, plan)
            counts.update(report.counts)
            faults += sum(report.faults.values())
            plant_s += report.seconds
            _judge(report, wrong)
            broken += bool(report.breaches)
            print(f"seed {seed}: {counts['requests']} writes so far, {wrong.total()} breaches", flush=True)
    took = time.process_time() - began
    results.add("writes asked for, under faults", counts["requests"], "requests")
    results.add("… of them confirmed", counts["confirmed"], "requests")
    results.add("… commands sent to PLCs", counts["commands"], "writes")
    results.add("… faults meanwhile", faults, "faults")
    for kind in KINDS:
        results.add(f"… writes {kind}", wrong[kind], "writes", "<= 0")
    results.add("… other rules broken", wrong["other"], "breaches", "<= 0")
    results.add("… seeds that ended at a breach", broken, "seeds", "<= 0")
    results.add("… plant time", plant_s / 3600, "h")
    results.add("… speed", plant_s / took, "x real")
    return wrong


def _judge(report: Report, wrong: Counter[str]) -> None:
    for breach in report.breaches:
        kind = next((kind for kind, words in KINDS.items() if any(word in breach for word in words)), "other")
        wrong[kind] += 1
        print(f"seed {report.seed}: {breach}", flush=True)
    if report.breaches:
        print(*(f"    {line}" for line in report.story), sep="\n", flush=True)


if __name__ == "__main__":
    main()
