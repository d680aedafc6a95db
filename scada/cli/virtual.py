"""`scada simulate SITE --seed N --hours H`: a plant in virtual time, with faults and a judge."""

from __future__ import annotations

import sys
import time
from typing import NoReturn

from scada.cli.render import FAILED, err, out, show_json
from tags.model import Site


def run_virtually(
    site: Site, seed: int, hours: float, fault_s: float, requests_s: float, *, as_json: bool
) -> NoReturn:
    """Simulates, says what came of it, and ends the program: 0 when all rules held, else 1.

    Args:
        site: What runs.
        seed: Of everything that is random.
        hours: Of plant time.
        fault_s: Mean time between two faults, s; 0 for none.
        requests_s: Requests a second.
        as_json: Print JSON.
    """
    from scada.virtual.nights import parts  # noqa: PLC0415 - other verbs start faster without
    from scada.virtual.run import Plan, Report, side_by_side  # noqa: PLC0415

    began = time.perf_counter()
    reports: list[tuple[str, Report]] = []
    names: dict[int, str] = {}
    plans: list[Plan] = []
    for number, (name, utc_ns, share) in enumerate(parts(site.timezone, hours)):
        names[10 * seed + number] = name
        plans.append(
            Plan(seed=10 * seed + number, hours=share, utc_ns=utc_ns, fault_s=fault_s, requests_s=requests_s)
        )
    for plan, report in side_by_side(site, plans):
        reports.append((names[plan.seed], report))
        if not as_json:
            out.print(f"{names[plan.seed]}: {report.seconds / 3600:.2f} h")
    reports.sort(key=lambda one: one[1].seed)
    took = time.perf_counter() - began
    seconds = sum(report.seconds for _, report in reports)
    broken = [(name, report) for name, report in reports if report.breaches]
    if as_json:
        show_json(
            {
                "seed": seed,
                "seconds": seconds,
                "real_seconds": round(took, 3),
                "parts": [
                    {
                        "name": name,
                        "digest": report.digest,
                        "seconds": report.seconds,
                        "counts": dict(report.counts),
                        "faults": report.faults,
                        "breaches": report.breaches,
                        "before": report.story if report.breaches else [],
                    }
                    for name, report in reports
                ],
            }
        )
        sys.exit(FAILED if broken else 0)
    for name, report in broken:
        err.print(f"{name}: a rule was broken.", style="bold")
        for line in report.breaches:
            err.print(f"  {line}", markup=False)
        err.print("What had gone wrong before, the last first:")
        for line in reversed(report.story[-10:]):
            err.print(f"  {line}", markup=False)
    counts = sum((report.counts for _, report in reports), reports[0][1].counts.__class__())
    faults = sum(sum(report.faults.values()) for _, report in reports)
    out.print(
        f"{site.name}: {seconds / 3600:.2f} h of plant time in {took:.1f} s ({seconds / took:.0f} times real time), "
        f"{counts['scans']} scans, {counts['requests']} requests, {counts['writes']} writes, {faults} faults."
    )
    digest = " ".join(report.digest for _, report in reports)
    again = f"scada simulate {site.folder} --seed {seed} --hours {hours:g}"
    if broken:
        err.print(f"Seed {seed}. The same again: {again}", markup=False)
        sys.exit(FAILED)
    out.print(f"No rule was broken. Seed {seed}, digest {digest}.", markup=False)
    sys.exit(0)
