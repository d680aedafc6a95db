"""Puts our subscriptions into a server in place of asyncua's."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua

from scada.client import Client
from scada.clock import Clock
from scada.opcua.events.audit import WHO, Who
from scada.opcua.reading.attributes import Attributes
from scada.opcua.security.caller import Caller
from scada.opcua.subscriptions.polled import Read
from scada.opcua.subscriptions.requests import PUBLISH, services
from scada.opcua.subscriptions.service import Subscriptions
from scada.opcua.table import Table

if TYPE_CHECKING:
    from asyncua.crypto.permission_rules import User

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def install(
    iserver: Any, client: Client, table: Table, attributes: Attributes, clock: Clock
) -> Subscriptions:
    """Gives a server its subscriptions.

    Args:
        iserver: With its nodes, `access` and `registered`.
        client: The plant.
        table: Its tags.
        attributes: Reads what the table does not have.
        clock: For times that clients see.
    """

    def reader(caller: User) -> Read:
        def read(what: ua.ReadValueId, stamps: int) -> ua.DataValue:
            now = _EPOCH + dt.timedelta(microseconds=clock.utc_ns() // 1000)
            # Some values are for some people only; the clock of all subscriptions is nobody.
            token = WHO.set(Who(caller=caller if isinstance(caller, Caller) else None))
            try:
                return attributes.read(what, what.NodeId, caller, stamps, now)
            finally:
                WHO.reset(token)

        return read

    made = Subscriptions(iserver, table, client.follow_changes(), reader, clock)
    iserver.subscription_service = iserver.isession.subscription_service = made
    iserver.services |= services(made)
    iserver.fast[PUBLISH] = made.publish_fast
    return made
