"""Other ports than the site's, for a second plant on one machine and for tests."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit, urlunsplit

from tags.model import Device, Site


def apply_overrides(
    site: Site, opcua_port: int | None = None, hmi_port: int | None = None, plc_port: int | None = None
) -> Site:
    """The site with other TCP ports; None keeps what the site says.

    Args:
        site: Compiled.
        opcua_port: Of the OPC UA server.
        hmi_port: Of the web pages.
        plc_port: Of the first simulated device; the others follow, in order of the ports that they had.

    Raises:
        ValueError: A port outside 1 … 65535.
    """
    if opcua_port is not None:
        site = dataclasses.replace(site, opcua_endpoint=with_port(site.opcua_endpoint, opcua_port))
    if hmi_port is not None:
        site = dataclasses.replace(site, hmi_port=_checked(hmi_port))
    if plc_port is not None:
        simulated = [d for d in site.devices if d.simulate is not None and _port(d)]  # a serial line has none
        ports = sorted({_port(device) for device in simulated})
        moved = {device.name: plc_port + ports.index(_port(device)) for device in simulated}
        site = dataclasses.replace(
            site, devices=tuple(_moved(d, moved[d.name]) if d.name in moved else d for d in site.devices)
        )
    return site


def with_port(url: str, port: int) -> str:
    """A URL with another port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=f"{host}:{_checked(port)}"))


def _checked(port: int) -> int:
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} is not in 1 … 65535")
    return port


def _port(device: Device) -> int:
    return urlsplit(str(device.config["endpoint"])).port or 0


def _moved(device: Device, port: int) -> Device:
    config = {**device.config, "endpoint": with_port(str(device.config["endpoint"]), port)}
    return dataclasses.replace(device, config=config)
