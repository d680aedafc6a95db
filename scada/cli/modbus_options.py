"""Which device a Modbus verb is for: an endpoint with its options, or a device of a site."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec

import typer

from scada.cli.render import BAD_SITE, USAGE, err, failed
from tags.model import Site

if TYPE_CHECKING:
    from scada.field.modbus.config import Config

P = ParamSpec("P")
_SERIAL: Final = ("baud", "parity", "stop_bits")
_TLS: Final = ("ca", "certificate", "key", "server_name")


@dataclass(frozen=True, slots=True)
class Target:
    """The device that is meant.

    Attributes:
        config: How it is reached.
        name: In its site, or empty.
        site: Its site, or None.
    """

    config: Config
    name: str = ""
    site: Site | None = None


def _option(kind: Any, name: str, metavar: str, text: str, **more: Any) -> inspect.Parameter:
    annotation = Annotated[
        kind, typer.Option(f"--{name.replace('_', '-')}", metavar=metavar, help=text, **more)
    ]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


_TARGET: Final = inspect.Parameter(
    "target",
    inspect.Parameter.KEYWORD_ONLY,
    annotation=Annotated[
        str,
        typer.Argument(
            metavar="ENDPOINT",
            help="tcp://HOST, tls://HOST, rtu+tcp://HOST:PORT, rtu:///dev/ttyUSB0; with --site the name of a device.",
        ),
    ],
)
_OPTIONS: Final = (
    _option(
        Path | None, "site", "SITE", "Folder of a site: ENDPOINT is one of its devices, with its settings."
    ),
    _option(str | None, "timeout", "TIME", "How long a reply may take, for example 500ms."),
    _option(str | None, "client", "native|pymodbus", "Which implementation asks."),
    _option(int | None, "baud", "BAUD", "Speed of a serial line; 19200 if not given."),
    _option(str | None, "parity", "even|odd|none", "Parity of a serial line; even if not given."),
    _option(int | None, "stop_bits", "1|2", "Stop bits of a serial line; 1 if not given."),
    _option(Path | None, "ca", "FILE", "Of tls://: certificates that the device's must be signed by."),
    _option(Path | None, "certificate", "FILE", "Of tls://: the own certificate."),
    _option(Path | None, "key", "FILE", "Of tls://: its private key."),
    _option(
        str | None,
        "server_name",
        "NAME",
        "Of tls://: name in the device's certificate, where it is not HOST.",
    ),
)
_UNIT: Final = _option(int | None, "unit", "1-247", "Unit identifier; 1 if not given.", min=0, max=255)


def at_device(
    verb: Callable[Concatenate[Target, P], None], *, unit: bool = True, timeout: str = "1 s"
) -> Callable[..., None]:
    """A verb for Typer that takes ENDPOINT and its options in place of a `Target`.

    Args:
        verb: Takes the target first.
        unit: It has the option --unit.
        timeout: Where neither the option nor a site says another.
    """
    own = list(inspect.signature(verb, eval_str=True).parameters.values())[1:]
    options = [*([_UNIT] if unit else []), *_OPTIONS]

    def whole(**given: Any) -> None:
        mine = {parameter.name: given.pop(parameter.name) for parameter in own}
        verb(_target(timeout=given.pop("timeout") or "", usual=timeout, **given), **mine)  # type: ignore[call-arg]

    arguments = [p for p in own if p.default is inspect.Parameter.empty]
    others = [p for p in own if p.default is not inspect.Parameter.empty]
    parameters = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (_TARGET, *arguments, *others, *options)
    ]
    whole.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    whole.__annotations__ = {p.name: p.annotation for p in parameters}
    whole.__doc__, whole.__name__ = verb.__doc__, verb.__name__
    return whole


def _target(
    target: str, site: Path | None, timeout: str, usual: str, unit: int | None = None, **given: Any
) -> Target:
    given = {name: value for name, value in given.items() if value is not None}
    if site is not None:
        return _of_site(read_compiled(site), target, timeout, unit, given)
    data: dict[str, Any] = {"endpoint": _endpoint(target), "timeout": timeout or usual}
    if unit is not None:
        data["unit_id"] = unit
    for group, names in (("serial", _SERIAL), ("tls", _TLS)):
        if found := {name: _plain(given.pop(name)) for name in names if name in given}:
            data[group] = found
    missing = [f"--{name}" for name in _TLS[:3] if name not in data.get("tls", {})]
    if data["endpoint"].startswith("tls://") and missing:
        raise failed(f"tls:// needs certificates: add {', '.join(missing)}, each with a file.", USAGE)
    return Target(_config(data | given))


def _of_site(site: Site, name: str, timeout: str, unit: int | None, given: Mapping[str, Any]) -> Target:
    if given:
        option = next(iter(given)).replace("_", "-")
        raise failed(
            f"--{option} and --site: the site says how its devices are reached. Leave --{option} out.", USAGE
        )
    for device in site.devices:
        if device.name == name and device.driver == "modbus":
            data = dict(device.config)
            data |= {"timeout": timeout} if timeout else {}
            data |= {"unit_id": unit} if unit is not None else {}
            return Target(_config(data), name, site)
    names = ", ".join(device.name for device in site.devices if device.driver == "modbus")
    raise failed(f"There is no Modbus device {name} in {site.name}. Devices: {names or 'none'}.", USAGE)


def _plain(value: object) -> object:
    return str(value.absolute()) if isinstance(value, Path) else value


def _endpoint(text: str) -> str:
    """`192.168.10.11` and `/dev/ttyUSB0` are clear enough on a command line."""
    if "://" in text:
        return text
    return f"rtu://{text}" if text.startswith("/") else f"tcp://{text}"


def _config(data: Mapping[str, Any]) -> Config:
    from pydantic import ValidationError  # noqa: PLC0415 - other verbs start faster without

    from scada.field.modbus.config import Config  # noqa: PLC0415

    try:
        return Config.model_validate(dict(data))
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        text = str(found["ctx"]["error"]) if "error" in found.get("ctx", {}) else found["msg"]
        raise failed(f"{where}: {text}" if where else text, USAGE)


def read_compiled(folder: Path) -> Site:
    """A site, or the end with all its problems."""
    from tags.site import SiteError, read_site  # noqa: PLC0415 - most calls name an endpoint

    try:
        return read_site(folder)
    except SiteError as error:
        for problem in error.problems:
            err.print(str(problem), markup=False)
        raise failed(f"{folder}: {len(error.problems)} problems. Nothing was asked.", BAD_SITE)
