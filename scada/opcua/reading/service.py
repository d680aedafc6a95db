"""The Read service: tags from the table as bytes, everything else node by node."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Final

from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.crypto.permission_rules import User
from asyncua.server.internal_session import InternalSession

from scada.clock import Clock
from scada.opcua import limits
from scada.opcua.nodes.ids import NAMESPACE
from scada.opcua.nodes.registered import Registered
from scada.opcua.reading import answer
from scada.opcua.reading.attributes import Attributes
from scada.opcua.reading.request import HEAD, Requests
from scada.opcua.security.access import Access, Permission
from scada.opcua.table import Table

if TYPE_CHECKING:
    from scada.opcua.wire.dispatch import Call

_TURN: Final = 100
"""Nodes that are read one by one before others have their turn."""
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
Codes = ua.StatusCodes


class Reads:
    """Reads for clients.

    Args:
        table: The tags.
        attributes: All the rest.
        registered: Handles of sessions.
        access: Who may what.
        clock: For server time stamps.
    """

    def __init__(
        self, table: Table, attributes: Attributes, registered: Registered, access: Access, clock: Clock
    ) -> None:
        self._table = table
        self._attributes = attributes
        self._registered = registered
        self._access = access
        self._clock = clock
        self._requests = Requests(table.row_of, NAMESPACE)

    def fast(self, call: Call) -> bytes | None:
        """The whole answer as bytes, for values of tags that the caller may read and for what is refused as a whole.

        None for all other requests.
        """
        buffer: Buffer = call.params
        handle = call.header.RequestHandle
        if len(buffer) < HEAD.size:
            return None
        problem = refusal(*HEAD.unpack(buffer.copy(HEAD.size).read(HEAD.size)))
        if problem:
            return answer.service_fault(self._clock.utc_ns(), handle, problem)
        wanted = self._requests.understand(bytes(buffer), self._registered.encoded(call.session))
        if wanted is None:
            return None
        may = self._access.rows(call.session.user, Permission.READ)
        if not may[wanted.rows].all():
            return None
        values = self._table.records(wanted.rows, wanted.timestamps)
        return answer.read_response(self._clock.utc_ns(), handle, len(wanted.rows), values)

    async def handle(self, call: Call) -> ua.ReadResponse:
        """Answers a decoded request."""
        response = ua.ReadResponse()
        response.Results = await self.read(call.params, call.session.user, call.session)
        return response

    async def read(
        self, params: ua.ReadParameters, caller: User | None, session: InternalSession | None = None
    ) -> list[ua.DataValue]:
        """One DataValue for each node, in order.

        Args:
            params: Of the request.
            caller: Of the session.
            session: Whose handles count.

        Raises:
            ServiceError: The whole request is refused.
        """
        nodes = params.NodesToRead or []
        problem = refusal(params.MaxAge, int(params.TimestampsToReturn), len(nodes))
        if problem:
            raise ServiceError(problem)
        now = _EPOCH + dt.timedelta(microseconds=self._clock.utc_ns() // 1000)
        found = []
        for number, item in enumerate(nodes):
            if number and number % _TURN == 0:
                await asyncio.sleep(0)
            node_id = self._registered.resolve(session, item.NodeId)
            found.append(self._attributes.read(item, node_id, caller, int(params.TimestampsToReturn), now))
        return found


def refusal(max_age: float, timestamps: int, count: int) -> int:
    """Why a Read is refused as a whole (OPC 10000-4 §5.10.2.3), before anything of its size is made; 0 for no reason.

    MaxAge is met whatever it is: values are never older than one look at the plant.
    """
    if not max_age >= 0:
        return int(Codes.BadMaxAgeInvalid)
    if not 0 <= timestamps <= 3:
        return int(Codes.BadTimestampsToReturnInvalid)
    if count <= 0:
        return int(Codes.BadNothingToDo)
    return int(Codes.BadTooManyOperations) if count > limits.NODES_PER_READ else 0
