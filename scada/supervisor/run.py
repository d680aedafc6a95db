"""From a site folder to a running plant, or to one clear line why not."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import orjson

from scada import arming
from scada.clock import Clock, SystemClock
from scada.datadir import DataDir, DataDirError, write_file
from scada.supervisor.epoch import Epochs
from scada.supervisor.lock import lock
from scada.supervisor.ports import ports, taken
from scada.supervisor.supervisor import Plan, Supervisor
from scada.supervisor.watch import SECOND
from tags import model
from tags.model import Site
from tags.publish import create_files

FAILED: Final = 1
BAD_SITE: Final = 78
ARMED_BY: Final = "scada demo"

MODULES: Final[Mapping[str, str]] = {
    "field": "scada.field",
    "control": "scada.control",
    "opcua": "scada.opcua",
    "hmi": "hmi",
    "historian": "historian",
    "forward": "historian.sinks",
    "simulate": "scada.simulate",
}
# What lies in the way of a value must be noticed fast; the historian may wait for its disk.
SILENCE_NS: Final[Mapping[str, int]] = {
    "scada.field": 2 * SECOND,
    "scada.control": 2 * SECOND,
    "historian": 10 * SECOND,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Ports in place of the site's; None keeps them."""

    opcua_port: int | None = None
    hmi_port: int | None = None
    plc_port: int | None = None


def run(
    site_dir: Path,
    data: DataDir,
    overrides: Overrides,
    *,
    simulate: bool,
    arm_simulated: bool,
    ready: Callable[[Site], object],
) -> int:
    """Runs a plant until SIGTERM or SIGINT.

    Args:
        site_dir: Folder with `site.yaml`.
        data: Where it keeps its data.
        overrides: Ports in place of the site's.
        simulate: Also run the simulators of the devices that name one.
        arm_simulated: Arm the outputs of exactly these devices.
        ready: Called with the site once all services run.

    Returns:
        0 after a planned stop; 78 for a bad site, 1 for anything else that keeps it from starting. Each is said in
        plain lines on stderr, and then nothing was started.
    """
    from tags.site import SiteError, apply_overrides, read_site  # noqa: PLC0415 - pydantic, for this alone

    try:
        site = read_site(site_dir, given_ids(data))
        if any(block.type == "own" for block in site.blocks):
            from scada.blocks import own_trial  # noqa: PLC0415 - few sites have any

            own_trial.check(site)
    except SiteError as error:
        for problem in error.problems:
            _say(str(problem))
        count = len(error.problems)
        _say(f"{site_dir}: {count} problem{'s' if count != 1 else ''}. Nothing was started.")
        return BAD_SITE
    except DataDirError as error:
        _say(str(error))
        return FAILED
    site = apply_overrides(site, overrides.opcua_port, overrides.hmi_port, overrides.plc_port)
    services = tuple(name for name in site.services if name != "simulate")
    site = dataclasses.replace(site, services=("simulate", *services) if simulate else services)
    return run_site(site, data, arm_simulated=arm_simulated and simulate, ready=ready)


def run_site(
    site: Site,
    data: DataDir,
    *,
    arm_simulated: bool = False,
    ready: Callable[[Site], object],
    plans: Callable[[Site, DataDir], list[Plan]] | None = None,
    clock: Clock | None = None,
) -> int:
    """Runs a compiled site; `run` without reading it.

    Args:
        site: The site; its services are what runs.
        data: Where it keeps its data.
        arm_simulated: Arm the devices that are simulated, and only these.
        ready: Called with the site once all services run.
        plans: How to run its services; `make_plans` by default.
        clock: The machine's by default.

    Returns:
        0 or 1, as `run`.
    """
    clock = clock or SystemClock()
    try:
        data.create()
        held = lock(data.lock)
        try:
            if problems := taken(ports(site)):
                for line in problems:
                    _say(line)
                return FAILED
            epochs = Epochs(data.epoch)
            _prepare(site, data, epochs, arm_simulated, clock)
            supervisor = Supervisor(
                site,
                data,
                (plans or make_plans)(site, data),
                lock=held,
                epochs=epochs,
                clock=clock,
                say=_say,
            )
            return supervisor.run(lambda: ready(site))
        finally:
            os.close(held)
    except (DataDirError, ValueError) as error:
        _say(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"data directory {data.root}: {where}{error.strerror or error}. Choose another with --data DIR.")
    return FAILED


def make_plans(site: Site, data: DataDir) -> list[Plan]:
    """How to run the services of a site.

    Raises:
        ValueError: The site names a service that does not exist.
    """
    plans = []
    pollers = {device.service for device in site.devices}
    for name in site.services:
        module = MODULES.get(name) or ("scada.field" if name in pollers else None)
        if module is None:
            raise ValueError(f"site {site.name}: there is no service {name!r}. Known: {', '.join(MODULES)}.")
        plans.append(
            Plan(
                name=name,
                command=[sys.executable, "-m", module, "--data", str(data.root), "--name", name],
                silence_ns=SILENCE_NS.get(module, 5 * SECOND),
                phase={"scada.field": "field", "historian": "historian", "scada.simulate": "simulate"}.get(
                    module, ""
                ),
                manual_after_crashes=module == "scada.control",
            )
        )
    return plans


def _prepare(site: Site, data: DataDir, epochs: Epochs, arm_simulated: bool, clock: Clock) -> None:
    """Makes all files that services will open."""
    for socket in (*data.run.glob("*.sock"), *data.clients.iterdir()):
        socket.unlink(missing_ok=True)
    write_file(data.tag_ids, orjson.dumps({**given_ids(data), **{tag.path: tag.id for tag in site.tags}}))
    write_file(data.site_json, model.dump(site))
    create_files(data.run, site, epochs.next())
    for name in arming.armed_by(data.armed, ARMED_BY):  # another plant may stand behind this name now
        arming.disarm(data.armed, name, reason="a new start", user=ARMED_BY, utc_ns=clock.utc_ns())
    for device in site.devices if arm_simulated else ():
        if device.simulate:
            arming.arm(data.armed, device, reason="simulated", user=ARMED_BY, utc_ns=clock.utc_ns())


def given_ids(data: DataDir) -> dict[str, int]:
    """Tag ids given out earlier, also of tags that are gone; none when no plant has run there.

    Raises:
        DataDirError: They are there and cannot be read.
    """
    try:
        ids = orjson.loads(data.tag_ids.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, orjson.JSONDecodeError):
        ids = None
    if not isinstance(ids, dict) or not all(type(known) is int for known in ids.values()):
        raise DataDirError(
            f"{data.tag_ids} cannot be read. Restore it, or choose another directory with --data DIR."
        )
    return ids


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
