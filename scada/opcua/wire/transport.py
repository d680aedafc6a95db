"""What one channel may send and be sent: small until a session is active (OPC 10000-6 §7.1.2)."""

from __future__ import annotations

from typing import Final

from asyncua import ua
from asyncua.common.connection import TransportLimits

from scada.opcua import limits

BUFFER_MIN: Final = 8_192  # §7.1.2.3
URL_MAX: Final = 4_096
BEFORE_SESSION: Final = 65_536  # bytes of a message; a CreateSession with certificates is some 10 kB
_CHUNKS_BEFORE: Final = BEFORE_SESSION // BUFFER_MIN


class ChannelLimits(TransportLimits):
    """asyncua's, with the two directions apart and a start that is small.

    Attributes:
        answer_max: Bytes of the largest answer that the client takes.
        answer_chunks: Chunks of the same; 0 for any number.
    """

    def __init__(self) -> None:
        super().__init__(limits.CHUNK, limits.CHUNK, _CHUNKS_BEFORE, BEFORE_SESSION)
        self.answer_max = limits.ANSWER
        self.answer_chunks = 0

    def widen(self) -> None:
        """A session is active: whole requests may come."""
        self.max_message_size = limits.MESSAGE
        self.max_chunk_count = limits.MESSAGE // self.max_recv_buffer + 1

    def narrow(self) -> None:
        """No session is active any more."""
        self.max_message_size, self.max_chunk_count = BEFORE_SESSION, _CHUNKS_BEFORE

    def create_acknowledge_and_set_limits(self, msg: ua.Hello) -> ua.Acknowledge:
        """What the client is answered: no side sends larger chunks than the other one takes.

        Raises:
            UaStatusCodeError: Buffers that are too small to talk, or an address that is too long.
        """
        if min(msg.ReceiveBufferSize, msg.SendBufferSize) < BUFFER_MIN:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadConnectionRejected)
        if len(msg.EndpointUrl or "") > URL_MAX:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTcpEndpointUrlInvalid)
        self.max_recv_buffer = min(msg.SendBufferSize, limits.CHUNK)
        self.max_send_buffer = min(msg.ReceiveBufferSize, limits.CHUNK)
        self.answer_max = min(msg.MaxMessageSize or limits.ANSWER, limits.ANSWER)
        self.answer_chunks = msg.MaxChunkCount
        answer = ua.Acknowledge()
        answer.ReceiveBufferSize = self.max_recv_buffer
        answer.SendBufferSize = self.max_send_buffer
        answer.MaxMessageSize = limits.MESSAGE
        answer.MaxChunkCount = limits.MESSAGE // self.max_recv_buffer + 1
        return answer
