"""`demo`, `run`, `simulate`, `check`, `schema`, `inject`: plants as a whole."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from scada.cli.options import AsJson, Data, parse_duration, usual_plant
from scada.cli.render import BAD_SITE, FAILED, err, failed, out, show_json
from scada.datadir import DataDir, DataDirError, default_data
from tags.model import Site

SiteFolder = Annotated[Path, typer.Argument(metavar="SITE", help="Folder with site.yaml.")]
OpcuaPort = Annotated[
    int | None, typer.Option("--opcua-port", min=1, max=65535, help="Instead of the site's.")
]
HmiPort = Annotated[int | None, typer.Option("--hmi-port", min=1, max=65535, help="Instead of the site's.")]
PlcPort = Annotated[
    int | None, typer.Option("--plc-port", min=1, max=65535 - 16, help="First port of the simulated PLCs.")
]


def demo(
    data: Data = None, opcua_port: OpcuaPort = None, hmi_port: HmiPort = None, plc_port: PlcPort = None
) -> None:
    """A whole plant on this machine: three simulated PLCs, control, OPC UA, historian, HMI. Ctrl-C stops it."""
    from scada.supervisor import Overrides, run  # noqa: PLC0415 - other verbs start faster without
    from scada.users import Users  # noqa: PLC0415

    folder = DataDir(data or default_data("demo"))
    password = secrets.token_urlsafe(9)

    def ready(site: Site) -> None:
        Users(folder.users).add("operator", password, "operator")
        out.print()
        out.print("[bold]The demo plant is running.[/bold]")
        out.print(f"  HMI       http://{site.hmi_host}:{site.hmi_port}")
        out.print(f"  OPC UA    {site.opcua_endpoint}   (to read: security None, anonymous)")
        out.print(
            "            to write: Sign & Encrypt; trust the client once: scada certs list, scada certs trust …"
        )
        out.print(f"  sign in   operator / {password}   (made for this run; both HMI and OPC UA)")
        out.print(f"  data      {folder.root}")
        out.print(
            "Try:  scada status   scada watch tank1/LT-101   scada write tank1/LIC-101/SP 3.0   Ctrl-C stops everything."
        )
        sys.stdout.flush()

    overrides = Overrides(opcua_port=opcua_port, hmi_port=hmi_port, plc_port=plc_port)
    sys.exit(run(demo_site(), folder, overrides, simulate=True, arm_simulated=True, ready=ready))


def demo_site() -> Path:
    """The folder of the demo plant: inside the installed package, or beside it in a checkout."""
    import scada  # noqa: PLC0415

    home = Path(scada.__file__).parent
    for folder in (home / "_demo", home.parent / "config" / "demo"):
        if (folder / "site.yaml").exists():
            return folder
    raise failed(
        f"The demo plant is missing from this installation ({home / '_demo'}). Install Closedloop again."
    )


def run_(
    site: SiteFolder,
    data: Data = None,
    opcua_port: OpcuaPort = None,
    hmi_port: HmiPort = None,
) -> None:
    """Runs a plant until Ctrl-C. A bad site starts nothing (exit code 78)."""
    from scada.supervisor import Overrides, run  # noqa: PLC0415

    def ready(compiled: Site) -> None:
        out.print(
            f"{compiled.name} is running: HMI http://{compiled.hmi_host}:{compiled.hmi_port}  OPC UA {compiled.opcua_endpoint}"
        )
        sys.stdout.flush()

    folder = DataDir(data or default_data(site.resolve().name))
    overrides = Overrides(opcua_port=opcua_port, hmi_port=hmi_port, plc_port=None)
    sys.exit(run(site, folder, overrides, simulate=False, arm_simulated=False, ready=ready))


def check(site: SiteFolder, data: Data = None, as_json: AsJson = False) -> None:
    """Reads a site and its tests, and reports every problem with its place; changes nothing.

    With the data directory of a plant that has run, tags keep the numbers that it gave them, as `scada run` does.
    """
    from scada.cli import budget  # noqa: PLC0415 - other verbs start faster without
    from scada.supervisor import given_ids  # noqa: PLC0415

    try:
        ids = given_ids(DataDir(data or default_data(site.resolve().name)))
    except DataDirError as error:
        raise failed(str(error))
    compiled = _read(site, as_json, FAILED, ids, tests=True)
    dated = _dated(compiled)
    over = any(now for now, _ in dated)
    loads, notes = budget.loads_and_notes(compiled)
    if as_json:
        show_json(
            {
                "problems": [],
                "dated": [{"over": now, "message": text} for now, text in dated],
                "budget": budget.as_dicts(loads),
                "notes": notes,
                "tags": len(compiled.tags),
                "devices": len(compiled.devices),
                "alarms": len(compiled.alarms),
            }
        )
        sys.exit(FAILED if over else 0)
    for _, text in dated:
        err.print(text, markup=False)
    if over:
        raise failed(f"{site}: a plant starts with it, but these devices will not be connected.", FAILED)
    budget.show(loads)
    for text in notes:
        err.print(text, markup=False)
    out.print(
        f"{compiled.name}: {len(compiled.tags)} tags, {len(compiled.devices)} devices, {len(compiled.blocks)} blocks, "
        f"{len(compiled.alarms)} alarms, {len(compiled.displays)} displays. No problems."
    )


def _dated(site: Site) -> list[tuple[bool, str]]:
    """What is over or soon will be in the settings of the devices; True where it is of no use now."""
    from scada.clock import SystemClock  # noqa: PLC0415 - other verbs start faster without
    from tags.site.devices import installed  # noqa: PLC0415

    now_ns = SystemClock().utc_ns()
    found, drivers = [], {}
    for device in site.devices:
        if device.driver not in drivers:
            drivers[device.driver] = installed()[device.driver].load()
        driver = drivers[device.driver]
        if hasattr(driver, "dated"):  # few protocols know dates
            told = driver.dated(driver.Config.model_validate(device.config), now_ns)
            found += [(now, f"device {device.name}: {text}") for now, text in told]
    return found


def read_site_or_exit(site: Path) -> Site:
    """The compiled site; otherwise all its problems are shown and the program ends."""
    return _read(site, as_json=False, code=FAILED)


def _read(
    site: Path, as_json: bool, code: int, ids: Mapping[str, int] | None = None, *, tests: bool = False
) -> Site:
    from tags.site import SiteError, read_site  # noqa: PLC0415
    from tags.site.plant_tests import read_tests  # noqa: PLC0415

    try:
        compiled = read_site(site, ids)
        if any(block.type == "own" for block in compiled.blocks):
            from scada.blocks import own_trial  # noqa: PLC0415 - few sites have any

            own_trial.check(compiled)
        if tests:
            read_tests(site, compiled)
    except SiteError as error:
        if as_json:
            show_json(
                {
                    "problems": [
                        {"file": p.file, "line": p.line, "column": p.column, "message": p.message}
                        for p in error.problems
                    ]
                }
            )
            sys.exit(code)
        for problem in error.problems:
            err.print(str(problem), markup=False)
        many = len(error.problems)
        raise failed(f"{site}: {many} problem{'s' if many != 1 else ''}.", code)
    return compiled


def schema(
    tests: Annotated[bool, typer.Option("--tests", help="Of the files in tests/ instead.")] = False,
) -> None:
    """JSON Schema of the site files, for editors."""
    from tags.site import schema as site_schema  # noqa: PLC0415
    from tags.site.plant_tests_schema import schema as tests_schema  # noqa: PLC0415

    show_json(tests_schema() if tests else site_schema())


def simulate(
    site: SiteFolder,
    data: Data = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="The same seed, the same run.")] = None,
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0.01, max=100_000, help="Plant time; 1 if only --seed is given."),
    ] = None,
    faults: Annotated[
        str, typer.Option("--faults", metavar="TIME", help="Mean time between two faults, `0 s` for none.")
    ] = "60 s",
    requests: Annotated[
        float, typer.Option("--requests", min=0.0, max=100.0, help="Requests a second.")
    ] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Only the simulated devices of a site, until Ctrl-C; with --seed or --hours the whole plant in virtual time.

    In virtual time field and control run as they do in a plant, against the simulated PLCs, while links break, PLCs lose
    power, services are killed or frozen, the clock is set, people write and panels are turned. A judge checks all along
    that nothing was written that should not have been.
    """
    if seed is not None or hours is not None:
        from scada.cli.virtual import run_virtually  # noqa: PLC0415 - other verbs start faster without

        run_virtually(
            _read(site, as_json, BAD_SITE),
            seed=secrets.randbelow(10**6) if seed is None else seed,
            hours=1.0 if hours is None else hours,
            fault_s=parse_duration(faults),
            requests_s=requests,
            as_json=as_json,
        )
    from scada.simulate import run_simulators  # noqa: PLC0415

    compiled = _read(site, False, BAD_SITE)
    folder = DataDir(data or default_data(f"{compiled.name}-simulate"))
    try:
        folder.create()
    except DataDirError as error:
        raise failed(str(error))
    sys.exit(run_simulators(compiled, folder))


def inject(
    device: Annotated[str, typer.Argument(metavar="DEVICE")],
    what: Annotated[str, typer.Argument(metavar="FAULT|NAME=VALUE")],
    amount: Annotated[
        str | None, typer.Argument(metavar="[AMOUNT]", help="Time of delay and flap, code of exception.")
    ] = None,
    share: Annotated[
        str | None,
        typer.Option("--share", metavar="PERCENT", help="Share of the replies that is hit: '20 %'."),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Ends by itself after this time: '30 s'.")
    ] = None,
    data: Data = None,
) -> None:
    """Faults and panel actions on a simulated device, on any transport.

    unplug, plug · freeze, thaw · power_cycle · delay "800 ms" · drop · exception 4 · garbage · wrong_transaction ·
    flap "5 s" · clear (all is well again) · NAME=VALUE turns something at its panel: LV-101.local=true
    """
    from scada.simulate import inject as send  # noqa: PLC0415

    name, sign, text = what.partition("=")
    message: dict[str, object] = {"device": device}
    if sign:
        if (amount, share, for_) != (None, None, None):
            raise failed("a setting at the panel has no amount, --share or --for.", 2)
        meant: dict[str, object] = {"true": True, "false": False}
        try:
            value = meant[text] if text in meant else float(text)
        except ValueError:
            raise failed(f"{text!r} is neither true, false nor a number.", 2)
        message["set"] = {name: value}
    else:
        message["do"] = what
        if amount is not None:
            message["amount"] = _amount(what, amount)
        if share is not None:
            message["share"] = _percent(share)
        if for_ is not None:
            message["for_s"] = parse_duration(for_)
    folder = DataDir(data or usual_plant())
    answer = send(folder, message)
    if "error" in answer:
        raise failed(str(answer["error"]))
    out.print(" ".join([f"{device}:", what, *([amount] if amount else [])]), markup=False)


def _amount(what: str, text: str) -> float:
    if what in ("delay", "flap"):
        return parse_duration(text)
    try:
        return float(text)
    except ValueError:
        raise failed(f"{text!r} is not a number. Write for example: exception 4", 2)


def _percent(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / 100.0
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 1.0:
        raise failed(f"{text!r} is not a percentage up to 100 %. Write for example: --share '20 %'", 2)
    return share


def add_to(app: typer.Typer) -> None:
    """Registers the verbs."""
    app.command()(demo)
    app.command("run")(run_)
    app.command()(simulate)
    app.command()(check)
    app.command()(schema)
    app.command()(inject)
