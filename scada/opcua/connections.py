"""Connections: what one client may cost the others.

A password is hashed in a thread, before asyncua activates the session: 0.1 s in the event loop would be 0.1 s without
values for everybody. A message that can never be whole is not collected, and a client that asks and does not read is
disconnected.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.server import binary_server_asyncio
from asyncua.server.binary_server_asyncio import OPCUAProtocol
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

from scada.opcua.security.sessions import Session

CHUNK_MAX: Final = 65_535
UNREAD_MAX: Final = 16 * 1024 * 1024  # bytes that a client has asked for and not taken
_ACTIVATE: Final = ua.NodeId(ua.ObjectIds.ActivateSessionRequest_Encoding_DefaultBinary)


class Processor(UaProcessor):
    """asyncua's, one message at a time, with passwords checked beside the event loop."""

    async def _process_message(self, typeid: ua.NodeId, requesthdr: Any, seqhdr: Any, body: Buffer) -> Any:
        await asyncio.sleep(0)  # a client that sends a hundred requests at once waits its turn after each
        if typeid == _ACTIVATE:
            session = self.session or self.iserver.lookup_external_session(requesthdr.AuthenticationToken)
            if isinstance(session, Session):
                token = struct_from_binary(ua.ActivateSessionParameters, body.copy()).UserIdentityToken
                certificate = self._connection.security_policy.peer_certificate
                await session.check(token, self.name, encrypted=bool(certificate))
        return await super()._process_message(typeid, requesthdr, seqhdr, body)

    def send_response(
        self, requesthandle: Any, seqhdr: Any, response: Any, msgtype: Any = ua.MessageType.SecureMessage
    ) -> None:
        """As asyncua, and ends the connection of a client that takes nothing."""
        super().send_response(requesthandle, seqhdr, response, msgtype)
        if self._transport.get_write_buffer_size() > UNREAD_MAX:
            self._transport.abort()


class Protocol(OPCUAProtocol):
    """asyncua's, with a bound on what is collected for one chunk."""

    def data_received(self, data: bytes) -> None:
        """Takes bytes from the network."""
        super().data_received(data)
        if len(self._buffer) > CHUNK_MAX and self.transport is not None:
            self.transport.abort()


def install() -> None:
    """Connections made from now on are these; asyncua has no other place to say so."""
    binary_server_asyncio.UaProcessor = Processor
    binary_server_asyncio.OPCUAProtocol = Protocol
