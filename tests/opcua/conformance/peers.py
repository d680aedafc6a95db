"""Two clients of different make that send any OPC UA service: asyncua's and node-opcua, by the same plain values.

Requests are dicts with the specification's field names, beginning in lower case: what is a NodeId in the specification is
`ns=2;s=…`; `{"$type": "DataChangeFilter", …}` is an ExtensionObject, `{"$variant": "Double", "value": 2.5}` a Variant,
`{"$date": "2026-…Z"}` a time, `{"$bytes": "…"}` a ByteString in base64. Answers are as plain: StatusCodes are numbers, Variants
`{"type", "value"}`, DataValues `{"value", "status", "source", "server"}`.
"""

from __future__ import annotations

import abc
import asyncio
import base64
import contextlib
import dataclasses
import datetime as dt
import enum
import json
import math
import typing
import uuid
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from asyncua import Client, ua
from asyncua.crypto import security_policies
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.ua.ua_binary import struct_from_binary
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support import peers

Fields = dict[str, Any]
CODES: Final[dict[str, int]] = {
    name: value for name, value in vars(ua.StatusCodes).items() if isinstance(value, int)
}


class RefusedError(Exception):
    """A service was refused as a whole.

    Attributes:
        status: StatusCode; None when the connection ended without one.
    """

    def __init__(self, status: int | None, message: str = "") -> None:
        super().__init__(f"{name_of(status)} {message}")
        self.status = status


def name_of(status: int | None) -> str:
    """`BadNodeIdUnknown` for its number."""
    return next((name for name, code in CODES.items() if code == status), repr(status))


@dataclasses.dataclass(frozen=True)
class How:
    """How a session is made.

    Attributes:
        user: Of the site; nobody when empty.
        password: Theirs.
        policy: `None`, `Basic256Sha256`, `Aes128_Sha256_RsaOaep` or `Aes256_Sha256_RsaPss`.
        mode: `None`, `Sign` or `SignAndEncrypt`.
        bare: Only the channel is opened; there is no session.
        certificate: File of the user's certificate, DER; instead of a password.
        key: File of its key, PEM.
    """

    user: str = ""
    password: str = ""
    policy: str = "None"
    mode: str = "None"
    bare: bool = False
    certificate: str = ""
    key: str = ""


class Session(abc.ABC):
    """One session of a client."""

    @abc.abstractmethod
    async def call(self, service: str, fields: Fields | None = None) -> Fields:
        """Sends one service.

        Args:
            service: `Read`, `CreateSubscription`, …
            fields: Of the request, without its header.

        Raises:
            RefusedError: The service as a whole.
        """

    @abc.abstractmethod
    async def change(self, how: How) -> None:
        """Another user in the same session (ActivateSession)."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Ends session and connection."""


class Peer(abc.ABC):
    """A client of one make."""

    name: str

    @abc.abstractmethod
    async def connect(self, url: str, how: How | None = None) -> Session:
        """Makes a connection and a session.

        Raises:
            RefusedError: The server did not want it.
        """

    @abc.abstractmethod
    async def prepare(self, url: str) -> None:
        """Makes its certificate."""

    @contextlib.asynccontextmanager
    async def session(self, url: str, how: How | None = None) -> AsyncIterator[Session]:
        """`connect`, ended afterwards."""
        session = await self.connect(url, how)
        try:
            yield session
        finally:
            await session.close()

    @abc.abstractmethod
    async def close(self) -> None:
        """Ends it."""


# asyncua


class AsyncuaSession(Session):
    """A session of asyncua's client, at the level of its messages."""

    def __init__(self, client: Client, *, bare: bool) -> None:
        self._client, self._bare = client, bare

    async def call(self, service: str, fields: Fields | None = None) -> Fields:
        request = getattr(ua, f"{service}Request")()
        fill(getattr(request, "Parameters", None) or request, fields or {})
        try:
            data = await self._client.uaclient.protocol.send_request(request)
        except ua.UaStatusCodeError as error:
            raise RefusedError(error.code) from None
        response = struct_from_binary(getattr(ua, f"{service}Response"), data)
        found = shown(response)
        return {**found, **(found.get("parameters") or {})}

    async def change(self, how: How) -> None:
        try:
            await self._client.activate_session(how.user or None, how.password or None)
        except ua.UaStatusCodeError as error:
            raise RefusedError(error.code) from None

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            if self._bare:
                await self._client.close_secure_channel()
                self._client.disconnect_socket()
            else:
                await asyncio.wait_for(self._client.disconnect(), 5)


class Asyncua(Peer):
    """asyncua's client.

    Args:
        folder: For its certificate.
    """

    name = "asyncua"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def connect(self, url: str, how: How | None = None) -> Session:
        how = how or How()
        client = Client(url, timeout=20, watchdog_intervall=60)
        client.application_uri = "urn:conformance:asyncua"
        try:
            if how.policy != "None":
                await client.set_security(
                    getattr(security_policies, "SecurityPolicy" + how.policy.replace("_", "")),
                    *await self.certificate(),
                    mode=getattr(ua.MessageSecurityMode, how.mode),
                )
            if how.certificate:
                await client.load_client_certificate(how.certificate)
                await client.load_private_key(Path(how.key))
            elif how.user:
                client.set_user(how.user)
                client.set_password(how.password)
            if how.bare:
                await client.connect_socket()
                await client.send_hello()
                await client.open_secure_channel()
            else:
                await client.connect()
        except ua.UaStatusCodeError as error:
            raise RefusedError(error.code) from None
        except (ua.UaError, ConnectionError, TimeoutError) as error:
            raise RefusedError(None, str(error)) from None
        return AsyncuaSession(client, bare=how.bare)

    async def prepare(self, url: str) -> None:
        del url
        await self.certificate()

    async def certificate(self) -> tuple[str, str]:
        """Paths of certificate and key, made on first use."""
        certificate, key = self._folder / "asyncua.der", self._folder / "asyncua.pem"
        if not certificate.exists():
            await setup_self_signed_certificate(
                key,
                certificate,
                "urn:conformance:asyncua",
                "localhost",
                [ExtendedKeyUsageOID.CLIENT_AUTH],
                {"organizationName": "Test"},
            )
        return str(certificate), str(key)

    async def close(self) -> None:
        pass


@cache
def hints_of(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls, globalns={**vars(ua), "ua": ua}, localns=vars(ua.uatypes))


def fill(target: Any, fields: Fields) -> Any:
    """Sets fields of an asyncua structure from plain values."""
    kind: Any = type(target)
    hints = hints_of(kind)
    for key, value in fields.items():
        name = key[0].upper() + key[1:]
        if name not in hints and name + "_" in hints:
            name += "_"
        if name not in hints:
            raise AssertionError(f"{kind.__name__} has no field {name}")
        setattr(target, name, made(value, hints[name]))
    return target


def made(value: Any, hint: Any = Any) -> Any:
    """An asyncua value from a plain one."""
    options = [one for one in typing.get_args(hint) if one is not type(None)]
    if typing.get_origin(hint) in (list, typing.List):  # noqa: UP006
        return [] if value is None else [made(one, options[0]) for one in value]
    if options:
        return made(value, options[0])
    if isinstance(value, dict):
        if "$date" in value:
            return dt.datetime.fromisoformat(value["$date"])
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        if "$variant" in value:
            kind = ua.VariantType[value["$variant"]]
            inner = value["value"]
            if kind in (ua.VariantType.NodeId, ua.VariantType.ExpandedNodeId):
                inner = made(inner, list[ua.NodeId] if isinstance(inner, list) else ua.NodeId)
            elif isinstance(inner, dict) or (
                isinstance(inner, list) and inner and isinstance(inner[0], dict)
            ):
                plain = {"LocalizedText": ua.LocalizedText, "QualifiedName": ua.QualifiedName}.get(
                    kind.name, Any
                )
                inner = made(inner, list[plain] if isinstance(inner, list) else plain)  # type: ignore[valid-type]
            return ua.Variant(inner, kind, is_array=isinstance(inner, list))
        if "$type" in value:
            rest = {key: one for key, one in value.items() if key != "$type"}
            return fill(getattr(ua, value["$type"])(), rest)
        return fill(hint(), value)
    if isinstance(value, str) and isinstance(hint, type) and issubclass(hint, ua.NodeId):
        return ua.NodeId.from_string(value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum) and isinstance(value, int):
        return hint(value)
    if hint is ua.StatusCode and isinstance(value, int):
        return ua.StatusCode(value)
    if isinstance(value, list):
        return [made(one) for one in value]
    return value


def shown(value: Any) -> Any:
    """The plain value of an asyncua one, as the other client shows it."""
    match value:
        case None | bool() | str():
            return value
        case enum.Enum():
            return value.value
        case int():
            return int(value)
        case float():
            return (
                value
                if math.isfinite(value)
                else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
            )
        case bytes():
            return "base64:" + base64.b64encode(value).decode()
        case dt.datetime():
            return (
                None
                if value.year <= 1601
                else value.replace(tzinfo=dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            )
        case uuid.UUID():
            return str(value)
        case list() | tuple():
            return [shown(one) for one in value]
        case ua.NodeId():
            return value.to_string().removeprefix("ns=0;")
        case ua.StatusCode():
            return value.value
        case ua.LocalizedText():
            return {"text": value.Text, "locale": value.Locale}
        case ua.QualifiedName():
            return {"ns": value.NamespaceIndex, "name": value.Name}
        case ua.Variant():
            if value.VariantType == ua.VariantType.Null:
                return None
            kind = value.VariantType
            return {"type": getattr(kind, "name", str(kind)), "value": shown(value.Value)}
        case ua.DataValue():
            return {
                "value": shown(value.Value),
                "status": value.StatusCode.value if value.StatusCode else 0,
                "source": shown(value.SourceTimestamp),
                "server": shown(value.ServerTimestamp),
            }
        case ua.ExtensionObject():
            return {"$type": shown(value.TypeId), "body": shown(value.Body)}
    if dataclasses.is_dataclass(value):
        found = {
            field.name[0].lower() + field.name[1:].rstrip("_"): shown(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.name not in ("TypeId", "Encoding") or not hasattr(value, "data_type")
        }
        return {"$type": type(value).__name__, **found}
    raise AssertionError(f"{value!r}")


# node-opcua


class NodeSession(Session):
    """A session in the process of node-opcua."""

    def __init__(self, peer: NodeOpcua, number: int) -> None:
        self._peer, self._number = peer, number

    async def call(self, service: str, fields: Fields | None = None) -> Fields:
        found: Fields = await self._peer.order(
            op="call", session=self._number, service=service, fields=fields or {}
        )
        return found

    async def change(self, how: How) -> None:
        await self._peer.order(op="change", session=self._number, user=how.user, password=how.password)

    async def close(self) -> None:
        with contextlib.suppress(RefusedError):
            await self._peer.order(op="disconnect", session=self._number)


class NodeOpcua(Peer):
    """node-opcua in a process of its own.

    Args:
        process: Of `opcua_peer.mjs`.
    """

    name = "node-opcua"

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, folder: Path) -> NodeOpcua:
        """Starts the process; its certificate is made in `folder`."""
        await asyncio.to_thread(peers.install)
        process = await asyncio.create_subprocess_exec(
            *(peers.BIN / "node", "opcua_peer.mjs", folder),
            cwd=peers.FOLDER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 26,
        )
        peer = cls(process)
        assert process.stdout is not None
        return peer

    async def order(self, **order: Any) -> Any:
        """Sends an order and waits for its result."""
        assert self._process.stdin is not None
        self._number += 1
        number = self._number
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": number, **order}).encode() + b"\n")
        answer = await asyncio.wait_for(future, 40)
        if "ok" in answer:
            return answer["ok"]
        raise RefusedError(answer["fault"], answer.get("message", ""))

    async def prepare(self, url: str) -> None:
        await (await self.connect(url)).close()  # it makes it when it is first needed

    async def connect(self, url: str, how: How | None = None) -> Session:
        self._number += 1
        number = self._number
        await self.order(op="connect", session=number, url=url, **dataclasses.asdict(how or How()))
        return NodeSession(self, number)

    async def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(b'{"op": "end"}\n')
            await self._process.stdin.drain()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reader.cancel()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if line.startswith(b"{"):
                answer = json.loads(line)
                future = self._waiting.pop(answer.get("id", 0), None)
                if future is not None and not future.done():
                    future.set_result(answer)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AssertionError("node ended"))
