"""Puts what the server tells of itself into a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asyncua import ua

from scada.clock import Clock
from scada.opcua.events.audit import WHO
from scada.opcua.information import capabilities, roles, status
from scada.opcua.information.calls import ServerCalls
from scada.opcua.information.diagnostics import Diagnostics
from scada.opcua.information.namespaces import NamespaceNodes
from scada.opcua.information.status import Health, Status
from tags.model import Site, Tag


def install(
    iserver: Any, site: Site, tags: Sequence[Tag], value: Callable[[int], ua.DataValue], clock: Clock
) -> Status:
    """Fills the server object.

    Args:
        iserver: `SiteServer`, with its lazy nodes; before it listens.
        site: The compiled site.
        tags: In the order of the table's rows.
        value: DataValue of a row as it is now.
        clock: The machine's, or of a test.

    Returns:
        To be told when the server ends.
    """
    now, aspace = clock.utc_ns(), iserver.aspace
    iserver.disabled_clock = True  # asyncua's own would overwrite ServerStatus each second
    told = iserver.status = Status("urn:closedloop", now, clock.utc_ns)
    capabilities.fill(aspace, now)
    roles.fill(aspace, clock.utc_ns)
    status.fill(aspace, told, Health(tags, value))
    Diagnostics(iserver, iserver.counters, clock.utc_ns).fill()
    access = getattr(iserver, "access", None)
    permissions = None
    if access is not None:
        permissions = lambda: (  # noqa: E731 - it needs no name
            access.role_permissions(""),
            access.user_role_permissions(WHO.get().caller, ""),
            access.restrictions(""),
        )
    iserver.nodes.attach(NamespaceNodes(site, permissions, now))
    iserver.method_service.add(ServerCalls(iserver))
    return told
