"""What devices at one endpoint must agree on, and what may be said of a serial port before it is opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scada.field.modbus.config import Config
from tags.model import Device

_COMMON: Final = ("client", "window", "tls")


def problems(devices: Sequence[tuple[Device, Config]]) -> list[tuple[str, str]]:
    """Settings of devices that share an endpoint and contradict each other.

    Args:
        devices: All Modbus devices of a site with their settings.

    Returns:
        (device, what is wrong and what to do); each contradicts an earlier one.
    """
    found: list[tuple[str, str]] = []
    first: dict[str, tuple[Device, Config]] = {}
    for device, config in devices:
        endpoint = str(config.at)
        other, agreed = first.setdefault(_where(config), (device, config))
        if other is device:
            continue
        if config.at.serial and endpoint != str(agreed.at):
            text = f"{config.at.path} is the same port as {agreed.at.path} of {other.name}"
            found.append((device.name, f"{text}. Write it in the same way in both"))
        elif config.serial != agreed.serial:
            text = f"{endpoint} is also {other.name}'s, with {_line(agreed)} instead of {_line(config)}"
            found.append((device.name, f"{text}. One line has one speed: write the same serial: for both"))
        elif device.service != other.service and config.at.framed_rtu:
            text = f"{endpoint} is also {other.name}'s, which service {other.service} polls"
            found.append(
                (device.name, f"{text}. One line has one master: give both devices the same service:")
            )
        else:
            for key in _COMMON:
                if getattr(config, key) != getattr(agreed, key):
                    text = f"{endpoint} is also {other.name}'s, with another {key}:"
                    found.append((device.name, f"{text}. They share one connection: write the same for both"))
                    break
    return found


def port_notes(config: Config) -> list[tuple[bool, str]]:
    """What is to be said of the serial port of a device on this machine.

    A port that is not there is no error of the site: it may be looked at on another machine than it runs on, and an
    adapter may be plugged in later.

    Returns:
        (False: the site is right all the same; what is wrong here and now and what to do).
    """
    if not config.at.serial:
        return []
    path = Path(config.at.path)
    if not path.exists():
        text = (
            f"there is no {path} on this machine now. Plug the adapter in, or correct the endpoint; "
            "of a simulated device scada simulate makes it."
        )
        return [(False, text)]
    if not path.is_char_device():
        return [(False, f"{path} is no serial port. Correct the endpoint.")]
    if not os.access(path, os.R_OK | os.W_OK):
        text = (
            f"{path} may not be opened by this user. Add him to its group ({_group(path)}) and log in anew."
        )
        return [(False, text)]
    return []


def _where(config: Config) -> str:
    """The endpoint, or the port behind all links to it."""
    if not config.at.serial:
        return str(config.at)
    return f"{config.at.scheme}://{os.path.realpath(config.at.path)}"


def _line(config: Config) -> str:
    return str(config.serial) if config.serial is not None else "the standard's settings"


def _group(path: Path) -> str:
    try:
        return path.group()
    except (KeyError, OSError):
        return "dialout"
