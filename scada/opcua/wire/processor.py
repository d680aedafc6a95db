"""The requests of one connection: in what order, in which session, by whom answered."""

from __future__ import annotations

import asyncio
import functools
import struct
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import header_from_binary, struct_from_binary, struct_to_binary, uatcp_to_binary

from scada.opcua import limits
from scada.opcua.events.audit import WHO, Who
from scada.opcua.security.caller import Caller
from scada.opcua.security.channel import SecureChannel
from scada.opcua.wire import chunks, decode
from scada.opcua.wire.dispatch import Call, Service
from scada.opcua.wire.header import Header, read
from scada.opcua.wire.room import Worth
from scada.opcua.wire.transport import ChannelLimits

if TYPE_CHECKING:
    from scada.opcua.security.sessions import Session, SiteServer
    from scada.opcua.wire.protocol import Protocol

TO_ACTIVATE_S: Final = 30.0  # from CreateSession to ActivateSession
LARGE: Final = 32 * 1024  # bytes of a request that is decoded, and its answer encoded, beside the event loop
REFERENCES: Final = 1000  # in one answer: from so many on it is encoded beside the event loop as well
_OF_NO_SESSION: Final = frozenset(
    int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))
    for name in ("FindServers", "GetEndpoints", "FindServersOnNetwork", "RegisterServer", "RegisterServer2")
)
_CREATE_SESSION: Final = int(ua.ObjectIds.CreateSessionRequest_Encoding_DefaultBinary)
_ACTIVATE_SESSION: Final = int(ua.ObjectIds.ActivateSessionRequest_Encoding_DefaultBinary)
_CLOSE_SESSION: Final = int(ua.ObjectIds.CloseSessionRequest_Encoding_DefaultBinary)
_PLAIN: Final = ua.MessageSecurityMode.None_
_BESIDE: Final = ThreadPoolExecutor(1, "codec")  # one: two would only share one interpreter


class ChannelError(Exception):
    """What arrived is nothing for a channel: the connection ends with this.

    Attributes:
        status: For the Error message.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Processor(UaProcessor):
    """asyncua's, with its services behind checks, tables and turns.

    Args:
        internal_server: The server.
        transport: The connection's.
        protocol: The connection.
    """

    iserver: SiteServer
    session: Session | None

    def __init__(self, internal_server: SiteServer, transport: asyncio.Transport, protocol: Protocol) -> None:
        super().__init__(internal_server, transport, ChannelLimits())
        self._limits: ChannelLimits = ChannelLimits()
        peer = transport.get_extra_info("peername")
        self._connection = SecureChannel(internal_server, self._limits, str(peer[0] if peer else ""))
        self.protocol = protocol
        self.sessions: dict[bytes, Session] = {}  # by token
        self._greeted = False
        self._opened = 0.0
        self._who: tuple[Any, Who] = (None, Who())
        self._serving: Session | None = None  # whose request is counted when it is answered
        self._waiting: dict[asyncio.Task[None], tuple[int, Call]] = {}
        self._of_kind: Counter[int] = Counter()
        self._freed = asyncio.Event()

    # -- the channel ------------------------------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """The client does not take what it has asked for."""
        return self.protocol.congested

    @property
    def address(self) -> str:
        """Of the client's socket, without the port."""
        return self.protocol.source

    @property
    def collected(self) -> int:
        """Bytes of a message whose last chunk has not come."""
        return self._connection._incoming_size  # noqa: SLF001 - asyncua tells it nowhere else

    def expired(self, now: float) -> bool:
        """Whether the channel's token has ended and was not renewed (OPC 10000-4 §5.5.2: 25 % later).

        Args:
            now: Monotonic, s.
        """
        its = self._connection
        lifetime = max(its.security_token.RevisedLifetime, its.next_security_token.RevisedLifetime)
        return its.is_open() and now - self._opened > lifetime / 1000 * 1.25

    async def expire(self, now: float) -> bool:
        """Ends sessions that were created and never activated, or have ended meanwhile.

        Args:
            now: Monotonic, s.

        Returns:
            Whether this channel has an active session.
        """
        active = False
        for session in list(self.sessions.values()):
            if session.is_activated():
                active = True
            elif session.is_closed or now - session.begun > TO_ACTIVATE_S:
                self.iserver.counters.sessions_timed_out += not session.is_closed
                self.release(session)
                await session.close_session(True)
                self.iserver.audit.close_session(
                    session=session.session_id, why="Timeout", user=session.user.name or ""
                )
        return active

    def expects(self, kind: bytes) -> None:
        """Refuses messages before their time (OPC 10000-6 §7.1.4): asyncua takes requests on a channel never opened.

        Raises:
            ChannelError: It is not the turn of this message.
        """
        if kind == b"HEL":
            if self._greeted:
                raise ChannelError(ua.StatusCodes.BadTcpMessageTypeInvalid, "a second Hello")
            self._greeted = True
        elif kind == b"ERR":
            raise ChannelError(ua.StatusCodes.BadConnectionClosed, "the client gives up")
        elif not self._greeted:
            raise ChannelError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{kind.decode()} before Hello")
        elif kind != b"OPN" and not self._connection.is_open():
            raise ChannelError(
                ua.StatusCodes.BadTcpSecureChannelUnknown, f"{kind.decode()} before OpenSecureChannel"
            )

    async def take(self, frame: bytes) -> bool:
        """One chunk.

        Returns:
            Whether the connection goes on.

        Raises:
            ChannelError: It ends with an error.
        """
        if frame[:4] == b"MSGF" and self._is_plain():
            channel, token, number, request = chunks.read(frame)
            its = self._connection
            in_order = number - 1 == its._peer_sequence_number  # noqa: SLF001 - what is out of order is asyncua's
            if (channel, token) == (its.security_token.ChannelId, its.security_token.TokenId) and in_order:
                its._peer_sequence_number = number  # noqa: SLF001
                return await self.process_message(
                    ua.SequenceHeader(number, request), Buffer(frame, chunks.HEAD)
                )
        body = Buffer(frame)
        return await self.process(header_from_binary(body), body)

    def _is_plain(self) -> bool:
        """Nothing is done to the chunks of this channel, and no message is half there."""
        its = self._connection
        return its.is_open() and not its._incoming_parts and its.security_policy.Mode == _PLAIN  # noqa: SLF001

    async def process(self, header: ua.Header, body: Buffer) -> bool:
        """As `take`, of any kind of chunk."""
        self.expects(header.MessageType)
        try:
            going_on = await super().process(header, body)
        except (ServiceError, ua.UaStatusCodeError) as error:
            raise ChannelError(error.code, str(error)) from error
        except decode.DecodeError as error:
            raise ChannelError(error.status, str(error)) from error
        except Exception as error:  # asyncua raises whatever it stumbles over; no channel survives it
            raise ChannelError(ua.StatusCodes.BadSecurityChecksFailed, repr(error)) from error
        if header.MessageType == ua.MessageType.Hello:
            self.protocol.prove(Worth.HELLO)
            self.protocol.frames.limit = self._limits.max_recv_buffer
        elif header.MessageType == ua.MessageType.SecureOpen:
            self._opened = self.protocol.listener.now()
            if self.sessions:
                return bool(going_on)
            trusted = self._connection.security_policy.peer_certificate is not None
            self.protocol.prove(Worth.TRUSTED if trusted else Worth.CHANNEL)
        return bool(going_on)

    def open_secure_channel(self, algohdr: Any, seqhdr: Any, body: Buffer) -> None:
        """As asyncua, after a look at what it is going to decode."""
        decode.check(bytes(body))
        super().open_secure_channel(algohdr, seqhdr, body)

    def fail(self, status: int) -> None:
        """The last message of a connection (OPC 10000-6 §7.1.5); who probes is told no reason."""
        if not self._transport.is_closing():
            message = ua.ErrorMessage(ua.StatusCode(status), "")
            self._transport.write(uatcp_to_binary(ua.MessageType.Error, message))

    # -- answers ----------------------------------------------------------------------------------------------------

    @property
    def answer_room(self) -> int:
        """Bytes of the largest answer that the client takes."""
        its = self._limits
        if not its.answer_chunks:
            return its.answer_max
        return min(its.answer_max, its.answer_chunks * (its.max_send_buffer - 512))

    def send_response(
        self, requesthandle: int, seqhdr: Any, response: Any, msgtype: Any = ua.MessageType.SecureMessage
    ) -> None:
        """As asyncua, within what the client takes."""
        response.ResponseHeader.RequestHandle = requesthandle
        self.send(requesthandle, seqhdr, struct_to_binary(response), msgtype)

    def send(
        self, handle: int, sequence: ua.SequenceHeader, data: bytes, kind: Any = ua.MessageType.SecureMessage
    ) -> None:
        """Sends an encoded answer; one that is too large becomes BadResponseTooLarge."""
        if self._transport.is_closing():
            return
        if len(data) > self.answer_room:
            fault = ua.ServiceFault()
            fault.ResponseHeader.RequestHandle = handle
            fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadResponseTooLarge)
            data = struct_to_binary(fault)
        its = self._connection
        if kind == ua.MessageType.SecureMessage and its.security_policy.Mode == _PLAIN:
            its_last = its._sequence_number  # noqa: SLF001
            of = (its.security_token.ChannelId, its.security_token.TokenId, its_last, sequence.RequestId)
            sent, its._sequence_number = chunks.write(data, self._limits.max_send_buffer, *of)  # noqa: SLF001
        else:
            sent = its.message_to_binary(data, message_type=kind, request_id=sequence.RequestId)
        self._transport.write(sent)
        self.protocol.wrote()

    def _fault(self, handle: int, sequence: ua.SequenceHeader, status: int) -> None:
        fault = ua.ServiceFault()
        fault.ResponseHeader.ServiceResult = ua.StatusCode(status)
        self.send_response(handle, sequence, fault)

    # -- requests ---------------------------------------------------------------------------------------------------

    async def process_message(self, seqhdr: ua.SequenceHeader, body: Buffer) -> bool:
        """One request; whatever is wrong with it is a ServiceFault (OPC 10000-4 §5.3)."""
        data = bytes(body)
        handle = number = 0
        going_on = True
        self._serving = None
        try:
            number, at = decode.request_number(data)
            header, after = read(data, at)
            handle = header.RequestHandle
            going_on = await self._request(number, header, seqhdr, data, after)
        except decode.DecodeError as error:
            self.iserver.wire.refused(error.status)
            self._refuse(number, handle, seqhdr, error.status)
        except (ServiceError, ua.UaStatusCodeError) as error:
            self._refuse(number, handle, seqhdr, error.code)
        except Exception:  # noqa: BLE001 - a request that we stumble over is one client's; the others go on
            self.iserver.wire.stumbled()
            self._refuse(number, handle, seqhdr, ua.StatusCodes.BadInternalError)
        else:
            self.iserver.counters.request(self._serving, number)
        return going_on

    def _refuse(self, number: int, handle: int, sequence: ua.SequenceHeader, status: int) -> None:
        if number in {_CREATE_SESSION, _ACTIVATE_SESSION}:
            self.iserver.counters.not_opened(status)
        else:
            self.iserver.counters.request(self._serving, number, status)
        self._fault(handle, sequence, status)

    async def _request(
        self, number: int, header: Header, sequence: ua.SequenceHeader, data: bytes, at: int
    ) -> bool:
        if number == _CREATE_SESSION:
            self._is(header, None)
            await self._create_session(header, sequence, _checked(ua.CreateSessionParameters, data, at))
            return True
        if number == _ACTIVATE_SESSION:
            await self._activate_session(header, sequence, _checked(ua.ActivateSessionParameters, data, at))
            return True
        if number in _OF_NO_SESSION:
            decode.check(data)
            return await self._by_asyncua(number, header, sequence, Buffer(data, at))
        session = self._its_session(header, number)
        if number == _CLOSE_SESSION:
            await self._close_session(session, header, sequence, delete=data[at : at + 1] != b"\0")
            return True
        session.touch()
        self._serving = session
        self._is(header, session)
        permissions = self._connection.security_policy.permissions
        if permissions is not None and not permissions.check_validity(session.user, _id(number), None):
            raise ServiceError(ua.StatusCodes.BadUserAccessDenied)
        call = Call(self, session, header, sequence, Buffer(data, at))
        fast = self.iserver.fast.get(number)
        if fast is not None and (answer := fast(call)) is not None:
            if answer:
                self.send(header.RequestHandle, sequence, answer)
            return True
        service = self.iserver.services.get(number)
        if service is None:
            decode.check(data)
            self.session = session
            return await self._by_asyncua(number, header, sequence, Buffer(data, at))
        call.large = len(data) > LARGE
        call.params = await self._decoded(service.params, data, at)
        if service.waits:
            await self._beside(number, service, call)
        else:
            await self._answer(service, call)
        return True

    async def _by_asyncua(
        self, number: int, header: Header, sequence: ua.SequenceHeader, body: Buffer
    ) -> bool:
        try:
            return bool(await super()._process_message(_id(number), header, sequence, body))
        except (ServiceError, ua.UaStatusCodeError):
            raise
        except (ValueError, struct.error, ua.UaError) as error:  # as asyncua's decoder raises
            raise decode.DecodeError(ua.StatusCodes.BadDecodingError, repr(error)) from error

    async def _decoded(self, kind: type, data: bytes, at: int) -> Any:
        """Parameters; of a large request beside the event loop, so that others have their turn meanwhile."""
        if len(data) > LARGE:
            return await asyncio.get_running_loop().run_in_executor(_BESIDE, _checked, kind, data, at)
        return _checked(kind, data, at)

    async def _answer(self, service: Service, call: Call) -> None:
        response = await service.handle(call)
        if response is None or call.cancelled:
            return
        if not isinstance(response, bytes):
            response.ResponseHeader.RequestHandle = call.header.RequestHandle
            if call.large or _references(response) > REFERENCES:
                response = await asyncio.get_running_loop().run_in_executor(
                    _BESIDE, struct_to_binary, response
                )
            else:
                response = struct_to_binary(response)
        self.send(call.header.RequestHandle, call.sequence, response)

    async def _beside(self, number: int, service: Service, call: Call) -> None:
        """Starts a service that may wait; when too many do, the connection waits for one of them."""
        while self._of_kind[number] >= service.at_once:
            self._freed.clear()
            await self._freed.wait()
        task = asyncio.create_task(self._to_its_end(number, service, call))
        self._serving = None  # counted at its end
        self._waiting[task] = (number, call)
        self._of_kind[number] += 1
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        number, _ = self._waiting.pop(task)
        self._of_kind[number] -= 1
        self._freed.set()

    async def _to_its_end(self, number: int, service: Service, call: Call) -> None:
        status = 0
        try:
            await self._answer(service, call)
        except asyncio.CancelledError:
            status = ua.StatusCodes.BadRequestCancelledByRequest
        except (ServiceError, ua.UaStatusCodeError) as error:
            status = int(error.code)
        except Exception:  # noqa: BLE001 - as in process_message
            self.iserver.wire.stumbled()
            status = ua.StatusCodes.BadInternalError
        if status and not call.cancelled:
            self._fault(call.header.RequestHandle, call.sequence, status)
        self.iserver.counters.request(call.session, number, status)

    def cancel(self, session: Session, handle: int) -> int:
        """Answers requests that wait (OPC 10000-4 §5.6.5); what a Write or a Call has asked for goes on.

        It keeps its place until it has ended, and is recorded then: who cancels does not hide what he did.

        Returns:
            How many.
        """
        found = [
            call
            for _, call in self._waiting.values()
            if call.session is session and call.header.RequestHandle == handle and not call.cancelled
        ]
        for call in found:
            call.cancelled = True
            self._fault(handle, call.sequence, ua.StatusCodes.BadRequestCancelledByRequest)
        ended = len(found) + self.iserver.subscription_service.cancel(session, handle)
        self.iserver.audit.cancel(handle, ended)
        return ended

    # -- sessions ---------------------------------------------------------------------------------------------------

    def _its_session(self, header: Header, number: int) -> Session:
        """The session whose token a request carries: an active one of this channel (OPC 10000-4 §5.6.2)."""
        session = self.sessions.get(header.token)
        if session is None:
            elsewhere = self.iserver.lookup_external_session(header.AuthenticationToken) is not None
            codes = ua.StatusCodes
            raise ServiceError(codes.BadSecureChannelIdInvalid if elsewhere else codes.BadSessionIdInvalid)
        if session.is_closed:
            self.release(session)
            raise ServiceError(ua.StatusCodes.BadSessionClosed)
        if not session.is_activated() and number != _CLOSE_SESSION:
            raise ServiceError(ua.StatusCodes.BadSessionNotActivated)
        return session

    async def _create_session(
        self, header: Header, sequence: ua.SequenceHeader, params: ua.CreateSessionParameters
    ) -> None:
        trusted = self._connection.certificate is not None
        kept = 0 if trusted else limits.SESSIONS_TRUSTED if self.protocol.known else limits.SESSIONS_KEPT
        places = limits.SESSIONS - kept
        if len(self.sessions) >= limits.SESSIONS_PER_CHANNEL or self.iserver.session_count() >= places:
            self.iserver.wire.refused(ua.StatusCodes.BadTooManySessions)
            raise ServiceError(ua.StatusCodes.BadTooManySessions)
        session = self.iserver.create_session(self.name, external=True)
        try:
            session.bind(params, self._connection)
            result = await session.create_session(params, sockname=self.sockname)
        except BaseException as error:
            await session.close_session(True)
            if isinstance(error, ServiceError | ua.UaStatusCodeError):
                peer = self._connection.security_policy.peer_certificate
                self.iserver.audit.create_session(error.code, session=None, certificate=peer, timeout_ms=0.0)
            raise
        result.MaxRequestMessageSize = limits.MESSAGE
        policy = self._connection.security_policy
        result.ServerCertificate = policy.host_certificate
        signed = (policy.peer_certificate or b"") + (params.ClientNonce or b"")
        result.ServerSignature.Signature = policy.asymmetric_cryptography.signature(signed)
        result.ServerSignature.Algorithm = policy.AsymmetricSignatureURI
        self.keep(session)
        self.iserver.counters.opened(session, params)
        self.iserver.audit.create_session(
            0,
            session=session.session_id,
            certificate=policy.peer_certificate,
            timeout_ms=result.RevisedSessionTimeout,
        )
        response = ua.CreateSessionResponse()
        response.Parameters = result
        self.send_response(header.RequestHandle, sequence, response)

    async def _activate_session(
        self, header: Header, sequence: ua.SequenceHeader, params: ua.ActivateSessionParameters
    ) -> None:
        session = self.iserver.lookup_external_session(header.AuthenticationToken)
        if session is None:
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        self._is(header, session)
        kind = _TOKENS.get(type(params.UserIdentityToken).__name__, "anonymous")
        try:
            await session.admit(params, self._connection)
            result = session.activate_session(params, self._connection.certificate)
        except (ServiceError, ua.UaStatusCodeError) as error:
            # The name is not recorded: one that nobody has may be a password typed into the wrong field.
            self.iserver.audit.activate_session(error.code, session=session.session_id, token_kind=kind)
            raise
        self._is(header, session)
        self.iserver.audit.activate_session(
            0, session=session.session_id, token_kind=kind, user=session.user.name or ""
        )
        self._move_here(session)
        self.iserver.counters.activated(session, session.user.name)
        self._limits.widen()
        self.protocol.prove(Worth.SESSION)
        if session.user.name is not None:
            self.protocol.know()
        response = ua.ActivateSessionResponse()
        response.Parameters = result
        self.send_response(header.RequestHandle, sequence, response)

    def _move_here(self, session: Session) -> None:
        """A session that was on another channel is on this one now, with its subscriptions."""
        before: Processor | None = session.channel
        if before is self:
            return
        if before is not None:
            before.release(session)
        self.keep(session)

    def keep(self, session: Session) -> None:
        """A session is on this channel."""
        self.sessions[session.auth_token.Identifier] = session
        session.channel = self
        self.session = session  # asyncua's only one

    def release(self, session: Session) -> None:
        """A session is on this channel no more."""
        self.sessions.pop(session.auth_token.Identifier, None)
        session.channel = None
        if self.session is session:
            self.session = next(iter(self.sessions.values()), None)
        if not any(its.is_activated() for its in self.sessions.values()):
            self._limits.narrow()
            self.protocol.prove(Worth.CHANNEL)

    async def _close_session(
        self, session: Session, header: Header, sequence: ua.SequenceHeader, *, delete: bool
    ) -> None:
        self._is(header, session)
        await session.close_session(delete)
        self.release(session)
        self.iserver.audit.close_session(session=session.session_id, why="CloseSession")
        self.send_response(header.RequestHandle, sequence, ua.CloseSessionResponse())

    async def close(self) -> None:
        """The connection is lost: a session with subscriptions waits for its client, the others end (Part 4 §6.7)."""
        self._closing = True
        for session in list(self.sessions.values()):
            self.session = session
            if self._should_close_session_on_transport_loss():
                await session.close_session(True)
                self.iserver.counters.sessions_aborted += 1
                self.iserver.audit.close_session(
                    session=session.session_id, why="Terminated", user=session.user.name or ""
                )
            if session.channel is self:
                session.channel = None
        self.sessions.clear()

    def _is(self, header: Header, session: Session | None) -> None:
        """Says who calls, for whatever is done for this request."""
        key = (session, session and session.user, header.AuditEntryId)
        if key != self._who[0]:
            caller = session.user if session is not None and isinstance(session.user, Caller) else None
            who = Who(
                caller=caller,
                session=session.session_id if session is not None else None,
                entry=header.AuditEntryId,
                channel=str(self._connection.security_token.ChannelId),
                address=self.address,
                encrypted=self._connection.security_policy.Mode == ua.MessageSecurityMode.SignAndEncrypt,
                isession=session,
            )
            self._who = key, who
        WHO.set(self._who[1])


_TOKENS: Final = {"UserNameIdentityToken": "password", "X509IdentityToken": "certificate"}


@functools.lru_cache(256)
def _id(number: int) -> ua.NodeId:
    return ua.NodeId(number)


def _references(response: Any) -> int:
    """Of a Browse: a small request may have a large answer."""
    if not isinstance(response, ua.BrowseResponse):
        return 0
    return sum(len(result.References or ()) for result in response.Results)


def _checked(kind: type, data: bytes, at: int) -> Any:
    decode.check(data)
    try:
        return struct_from_binary(kind, Buffer(data, at))
    except Exception as error:
        raise decode.DecodeError(ua.StatusCodes.BadDecodingError, repr(error)) from error
