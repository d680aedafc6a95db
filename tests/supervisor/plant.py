"""Runs a supervisor over toys: `python -m tests.supervisor.plant DATA name[:flag]…`; prints `ready`."""

from __future__ import annotations

import sys
from pathlib import Path

from scada.datadir import DataDir
from scada.supervisor.run import run_site
from scada.supervisor.supervisor import Plan
from scada.supervisor.watch import SECOND
from tags.model import Site
from tests.support.site import make_site

PHASES = {"field": "field", "historian": "historian", "simulate": "simulate"}


def main(data: str, *services: str) -> int:
    flags = {name: flag for name, _, flag in (text.partition(":") for text in services)}
    # 0 is any port: opcua and hmi toys bind none, and tests that need a taken port say which
    site = make_site(services=tuple(flags), opcua_endpoint="opc.tcp://127.0.0.1:0", hmi_port=0)

    def plans(site: Site, data: DataDir) -> list[Plan]:
        return [
            Plan(
                name=name,
                command=[
                    sys.executable, "-m", "tests.supervisor.toy", "--data", str(data.root), "--name", name,
                    *([f"--{flags[name]}"] if flags[name] else []),
                ],
                silence_ns=SECOND // 2,
                phase=PHASES.get(name, ""),
                manual_after_crashes=name == "control",
            )
            for name in site.services
        ]  # fmt: skip

    def ready(site: Site) -> None:
        del site
        print("ready", flush=True)

    return run_site(site, DataDir(Path(data)), ready=ready, plans=plans)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
