"""Ports that a plant needs, tried before anything starts."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from tags.model import Site


class Port(NamedTuple):
    """A TCP port that a service will listen on.

    Attributes:
        what: Who needs it, for people.
        host: Address to bind.
        number: Port.
        option: Which option changes it.
    """

    what: str
    host: str
    number: int
    option: str


def ports(site: Site) -> list[Port]:
    """The ports of a site's own listeners."""
    needed = []
    if "hmi" in site.services:
        needed.append(Port("HMI", site.hmi_host, site.hmi_port, "--hmi-port"))
    if "opcua" in site.services:
        url = urlsplit(site.opcua_endpoint)
        needed.append(Port("OPC UA", url.hostname or "127.0.0.1", url.port or 4840, "--opcua-port"))
    if "simulate" in site.services:
        seen = set()
        for device in site.devices:
            url = urlsplit(str(device.config.get("endpoint", "")))
            if device.simulate and url.hostname and url.port and url.port not in seen:
                seen.add(url.port)  # devices behind one gateway share it
                needed.append(Port(f"simulated {device.name}", url.hostname, url.port, "--plc-port"))
    return needed


def taken(needed: Iterable[Port]) -> list[str]:
    """One line for each port that cannot be bound."""
    lines = []
    for port in needed:
        family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
        with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((port.host, port.number))
            except OSError as error:
                lines.append(
                    f"{port.what}: port {port.number} on {port.host}: {error.strerror}. Choose another with {port.option}."
                )
    return lines
