"""Every name of asyncua that we override, replace or reach into, as it is in 2.1: a new asyncua that changes one fails here.

A row of `NAMES`: where it is below `asyncua`, its parameters (a trailing `=` has a default, `async` in front awaits; no
parentheses: an attribute), and what we need it for. Two tests find what the table lacks.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import scada.opcua

SESSION: Final = "server.internal_session.InternalSession"
SERVER: Final = "server.internal_server.InternalServer"
PROCESSOR: Final = "server.uaprocessor.UaProcessor"
PROTOCOL: Final = "server.binary_server_asyncio.OPCUAProtocol"
HISTORY: Final = "server.history.HistoryManager"
LISTENER: Final = "server.binary_server_asyncio.BinaryServer"
LIMITS: Final = "common.connection.TransportLimits"
SUBSCRIPTIONS: Final = "server.subscription_service.SubscriptionService"
METHODS: Final = "server.address_space.MethodService"
ATTRIBUTES: Final = "server.address_space.AttributeService"

_PRIVATE: Final = re.compile(r"(?<!\bself)\.(_[a-z]\w*)")

NAMES: Final[dict[str, str]] = {
    # The server and its endpoints.
    "server.server.Server._set_endpoints(self, policy, mode, level)": "no names over an unencrypted channel",
    "async server.server.Server._setup_server_nodes(self)": "what an unencrypted channel may carry",
    "server.server.Server.set_security_policy(self, security_policy, permission_ruleset=)": "offered policies",
    "server.server.Server._policies": "rules of each policy",
    f"{SERVER}.__init__(self, user_manager=)": "our limits",
    f"{SERVER}.create_session(self, name, user=, external=)": "our sessions",
    f"{SERVER}.decrypt_user_token(self, isession, token)": "refuses RSA PKCS#1 v1.5",
    f"async {SERVER}.load_standard_address_space(self, shelf_file=)": "from a copy",
    f"async {SERVER}.get_endpoints(self, params=, sockname=)": "only transports that were asked for",
    f"{SERVER}.register_server(self, server, conf=)": "refused",
    f"{SERVER}.register_external_session(self, session)": "random tokens",
    f"{SERVER}.unregister_external_session(self, session)": "random tokens, expiry",
    f"{SERVER}.lookup_external_session(self, auth_token)": "who activates",
    f"{SERVER}._external_sessions": "count and expiry",
    f"{SERVER}.attribute_service": "writes become requests",
    f"{SERVER}.history_manager": "our historian",
    f"{SERVER}.allow_remote_admin": "nobody is admin",
    f"{SERVER}.supported_tokens": "anonymous and names",
    f"{SERVER}.max_subscriptions": "limit",
    f"{SERVER}.max_unacked_messages_per_subscription": "limit",
    f"{SERVER}.max_monitored_item_queue_size": "limit",
    "server.standard_address_space.standard_address_space.fill_address_space(nodeservice)": "the copy",
    # Sessions.
    f"{SESSION}.__init__(self, internal_server, aspace, submgr, name, user=, external=)": "random tokens",
    f"{SESSION}.activate_session(self, params, peer_certificate)": "by the password that was checked",
    f"async {SESSION}.read(self, params)": "limit",
    "server.user_managers.UserManager.get_user(self, iserver, username=, password=, certificate=)": "our users",
    # Connections.
    "crypto.permission_rules.PermissionRuleset.check_validity(self, user, action_type, body)": "unencrypted: reading only",
    "async server.server.Server.start(self)": "on our listener",
    "server.server.Server._get_bind_socket_info(self)": "on our listener",
    "server.server.Server.bserver": "on our listener",
    f"{LISTENER}.__init__(self, internal_server, hostname, port, limits)": "room, budget",
    f"{LISTENER}._make_protocol(self)": "our connections",
    f"async {LISTENER}.start(self)": "room, budget",
    f"async {LISTENER}.stop(self)": "room, budget",
    f"{LISTENER}._server": "how many connections may wait",
    f"{LISTENER}._policies": "offered on a channel",
    f"{LISTENER}.clients": "all connections",
    f"{LISTENER}.closing_tasks": "sessions of lost connections",
    f"{PROTOCOL}.__init__(self, iserver, policies, clients, closing_tasks, limits)": "bounds",
    f"{PROTOCOL}.connection_made(self, transport)": "room",
    f"{PROTOCOL}.connection_lost(self, ex)": "room",
    f"{PROTOCOL}.data_received(self, data)": "bounds of a chunk, back-pressure",
    f"{PROTOCOL}.pause_writing(self)": "slow readers",
    f"{PROTOCOL}.resume_writing(self)": "slow readers",
    f"async {PROTOCOL}._process_received_message_loop(self)": "turns",
    f"{PROTOCOL}._task": "its loop",
    f"{SERVER}.asyncio_transports": "ended by stop()",
    f"{PROCESSOR}.__init__(self, internal_server, transport, limits)": "its limits and sessions",
    f"{PROCESSOR}.set_policies(self, policies)": "offered on a channel",
    f"async {PROCESSOR}.process(self, header, body)": "order of messages, errors",
    f"async {PROCESSOR}.process_message(self, seqhdr, body)": "checks before anything is decoded",
    f"async {PROCESSOR}._process_message(self, typeid, requesthdr, seqhdr, body)": "services that are not ours",
    f"{PROCESSOR}.send_response(self, requesthandle, seqhdr, response, msgtype=)": "answers within what the client takes",
    f"{PROCESSOR}.open_secure_channel(self, algohdr, seqhdr, body)": "checks before anything is decoded",
    f"async {PROCESSOR}.close(self)": "all sessions of a channel",
    f"{PROCESSOR}._should_close_session_on_transport_loss(self)": "which sessions outlive a connection",
    f"{PROCESSOR}._limits": "small before a session",
    f"{PROCESSOR}._closing": "as asyncua",
    f"{PROCESSOR}.session_last_activity": "as asyncua",
    f"{LIMITS}.create_acknowledge_and_set_limits(self, msg)": "two directions",
    f"{LIMITS}.max_message_size": "small before a session",
    f"{LIMITS}.max_chunk_count": "small before a session",
    f"{LIMITS}.max_recv_buffer": "as agreed",
    f"{LIMITS}.max_send_buffer": "as agreed",
    "common.connection.SecureConnection.__init__(self, security_policy, limits)": "a channel",
    "common.connection.SecureConnection.is_open(self)": "no request before a channel",
    "common.connection.SecureConnection._policies": "what is offered on a channel",
    "common.connection.SecureConnection.receive_from_header_and_body(self, header, body)": "for whom a channel is",
    "common.connection.SecureConnection.select_policy(self, uri, peer_certificate, mode=)": "the trust list",
    "common.connection.SecureConnection.open(self, params, server)": "nonce, mode and lifetime of a channel",
    "crypto.uacrypto.decrypt_rsa_oaep(private_key, data)": "passwords",
    "crypto.uacrypto.decrypt_rsa_oaep_sha256(private_key, data)": "passwords",
    f"{SERVER}.verify_x509_token(self, isession, token, signature)": "people with certificates",
    f"{SERVER}.user_manager": "who may sign in",
    f"{SERVER}.private_key": "renewed while it runs",
    f"{SERVER}.certificate": "renewed while it runs",
    f"{SERVER}.endpoints": "their certificate and ways to sign in",
    "common.connection.SecureConnection._incoming_size": "what a connection holds",
    "common.connection.SecureConnection.message_to_binary(self, message, message_type=, request_id=)": "answers",
    "common.connection.SecureConnection._peer_sequence_number": "chunks by hand",
    "common.connection.SecureConnection._sequence_number": "chunks by hand",
    "common.connection.SecureConnection._incoming_parts": "chunks by hand",
    "common.connection.SecureConnection.next_security_token": "lifetime of a channel",
    "common.connection.SecureConnection.security_token": "id of the channel",
    "ua.ua_binary.resolve_uatype(ftype)": "the decode check follows its types",
    "ua.ua_binary.get_safe_type_hints(cls, extra_ns=)": "the decode check follows its types",
    "ua.ua_binary._resolve_type_in_dataclass_context(ftype, dataclazz)": "the decode check follows its types",
    "ua.uatypes.type_is_optional(uatype)": "the decode check follows its types",
    "ua.uatypes.type_from_optional(uatype)": "the decode check follows its types",
    "ua.uatypes.type_allow_subclass(uatype)": "the decode check follows its types",
    "ua.uatypes.type_is_union(uatype)": "the decode check follows its types",
    "ua.uatypes.types_or_list_from_union(uatype)": "the decode check follows its types",
    "ua.uatypes.type_is_list(uatype)": "the decode check follows its types",
    "ua.uatypes.type_from_list(uatype)": "the decode check follows its types",
    "ua.uatypes.UaUnion._union_types": "the decode check follows its types",
    f"{PROCESSOR}._connection": "its security policy",
    f"{PROCESSOR}._transport": "what it has not taken",
    # Subscriptions.
    f"{SUBSCRIPTIONS}.__init__(self, aspace, iserver=)": "ours stand in its place",
    f"{SUBSCRIPTIONS}.subscriptions": "sessions that end look for theirs",
    f"async {SUBSCRIPTIONS}.create_subscription(self, params, callback, session_id, request_callback=)": "refused",
    f"async {SUBSCRIPTIONS}.delete_subscriptions(self, ids)": "of sessions that end",
    f"async {SUBSCRIPTIONS}.trigger_event(self, event, subscription_id=)": "events have a hub of their own",
    f"{SERVER}.subscription_service": "our subscriptions",
    f"{SERVER}.isession": "our subscriptions",
    f"{SESSION}.subscription_service": "our subscriptions",
    # Nodes.
    "server.address_space.AddressSpace._nodes": "nodes are made when they are looked at",
    # Services on nodes.
    f"{ATTRIBUTES}.__init__(self, aspace)": "writes become requests",
    f"async {ATTRIBUTES}.write(self, params, user=)": "writes become requests",
    f"{ATTRIBUTES}._aspace": "which nodes there are",
    f"async {METHODS}.call(self, methods)": "who calls, how many, audit",
    f"async {METHODS}._call(self, method)": "functions of ordinary nodes",
    f"{METHODS}._aspace": "which nodes there are",
    f"{SERVER}.method_service": "our Call service",
    f"async {SESSION}._timeout_loop(self)": "counts sessions that timed out",
    f"{SESSION}._last_activity": "whether it timed out",
    f"async {SESSION}.call(self, params)": "tells the method who calls",
    f"{HISTORY}.__init__(self, iserver)": "our historian",
    "ua.uatypes.extension_objects_by_typeid": "requests for history decoded with exact times",
    f"async {HISTORY}.read_history(self, params)": "our historian",
    f"async {HISTORY}.stop(self)": "ends the worker",
}  # fmt: skip


def place(row: str) -> str:
    """`server.x.Y.z` of a row."""
    return row.removeprefix("async ").partition("(")[0]


def found_at(path: str) -> tuple[Any, str]:
    """The module or class that has a name, and the name."""
    parts = ("asyncua." + path).split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:-1]:
            owner = getattr(owner, part)
        return owner, parts[-1]
    raise AssertionError(path)


def parameters(thing: Any) -> str:
    marks: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    listed = inspect.signature(thing).parameters.values()
    names = (marks.get(p.kind, "") + p.name + "=" * (p.default is not p.empty) for p in listed)
    return f"({', '.join(names)})"


def set_by(tree: ast.AST) -> set[str]:
    """Names that are assigned, on `self` or in the body of a class."""
    found: set[str] = set()
    for node in ast.walk(tree):
        targets: list[ast.expr] = [node.target] if isinstance(node, ast.AnnAssign) else []
        targets += node.targets if isinstance(node, ast.Assign) else []
        found |= {target.attr for target in targets if isinstance(target, ast.Attribute)}
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@cache
def attributes_of(cls: Any) -> set[str]:
    """What the methods of a class or of its bases set on `self`."""
    found: set[str] = set()
    for one in cls.__mro__:
        with contextlib.suppress(OSError, TypeError):  # written in C
            found |= set_by(ast.parse(textwrap.dedent(inspect.getsource(one))))
    return found


@pytest.mark.parametrize("row", NAMES)
def test_asyncua_has_it_as_we_use_it(row: str) -> None:
    owner, name = found_at(place(row))
    if "(" not in row:
        has = hasattr(owner, name) if isinstance(owner, ModuleType) else name in attributes_of(owner)
        assert has, f"{owner.__name__} has no {name} any more"
        return
    thing = getattr(owner, name)
    waits = "async " * inspect.iscoroutinefunction(thing)
    assert waits + place(row) + parameters(thing) == row


def our_modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(scada.opcua.__path__, "scada.opcua."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def our_classes() -> dict[type, type]:
    """Each of our classes that has asyncua's for a base, with that one."""
    found = {}
    for module in our_modules():
        for cls in vars(module).values():
            if inspect.isclass(cls) and cls.__module__ == module.__name__:
                bases = [base for base in cls.__mro__ if base.__module__.startswith("asyncua.")]
                if bases and not bases[0].__module__.startswith("asyncua.ua"):
                    found[cls] = bases[0]
    return found


def listed(base: type, name: str) -> bool:
    """Whether the table has a name of a class or of one of its bases."""
    places = {place(row) for row in NAMES}
    return any(f"{one.__module__.removeprefix('asyncua.')}.{one.__qualname__}.{name}" in places for one in base.__mro__)  # fmt: skip


def private_of_self(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
    }


def test_the_table_has_every_name_that_we_override() -> None:
    lacking = [
        f"{base.__module__}.{base.__qualname__}.{name}, overridden by {cls.__module__}.{cls.__qualname__}"
        for cls, base in our_classes().items()
        for name in vars(cls)
        if hasattr(base, name) and not hasattr(object, name) and not name.startswith(("__", "_abc_"))
        if not listed(base, name)
    ]
    assert not lacking, "add a row to NAMES for each: " + "; ".join(lacking)


def test_the_table_has_every_private_name_that_we_use_of_our_own_bases() -> None:
    lacking = []
    for cls, base in our_classes().items():
        theirs = set(dir(base)) | attributes_of(base)
        used = private_of_self(ast.parse(textwrap.dedent(inspect.getsource(cls))))
        lacking += [
            f"{base.__module__}.{base.__qualname__}.{name}, used by {cls.__module__}.{cls.__qualname__}"
            for name in used & theirs
            if not listed(base, name)
        ]
    assert not lacking, "add a row to NAMES for each: " + "; ".join(sorted(lacking))


def test_the_table_has_every_private_name_that_we_reach_for() -> None:
    """Where we reach into an object of asyncua, the linter made us say so with `noqa: SLF001`."""
    names = {place(row).rpartition(".")[2] for row in NAMES}
    lacking = set()
    for file in Path(scada.opcua.__path__[0]).rglob("*.py"):
        for line in file.read_text().splitlines():
            code, mark, why = line.partition("# noqa: SLF001")
            if mark and "ours" not in why:
                lacking |= {f"{file.name}: {name}" for name in _PRIVATE.findall(code) if name not in names}
    assert not lacking, "add a row to NAMES for each, or say 'ours' behind the noqa: " + "; ".join(
        sorted(lacking)
    )
