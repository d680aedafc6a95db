"""What every HTTP request and WebSocket passes first: right host, right origin, JSON only; security headers on each answer.

A page of another site in the operator's browser must not act or read here: the Host check stops DNS rebinding, the
Origin check cross-site requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = [
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
            b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), usb=(), serial=()"),
]


def allowed_hosts(bind_host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """Names that the page may be asked for by.

    Args:
        bind_host: The address that the server binds.
        more: Further names.
    """
    own = f"[{bind_host}]" if ":" in bind_host else bind_host
    loopback = own in _LOOPBACK or own.startswith("127.")
    return frozenset({own.lower(), *(_LOOPBACK if loopback else ()), *more})


class Guard:
    """ASGI middleware.

    Args:
        app: What is guarded.
        hosts: Allowed names, without port, lower case.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if scope["type"] == "websocket":
            if refused:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": refused[1][:120]})
            else:
                await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS, *_no_store(scope, message)]
            await send(message)

        if refused:
            status, why = refused
            body = orjson.dumps({"detail": why})
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            await answer({"type": "http.response.start", "status": status, "headers": headers})
            await answer({"type": "http.response.body", "body": body})
        else:
            await self._app(scope, receive, answer)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "").lower()
        if _name(host) not in self._hosts:
            return (
                421,
                f"this server is not called {_name(host) or 'that'!r}: use one of {', '.join(sorted(self._hosts))}",
            )
        acts = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if not acts:
            return None
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin.lower()).netloc != host:
            return 403, "the request comes from a page of another site"
        if origin is None and headers.get(b"sec-fetch-site", "none") not in {"none", "same-origin"}:
            return 403, "the request comes from a page of another site"
        kind = headers.get(b"content-type", "").split(";")[0].strip().lower()
        if scope["type"] == "http" and kind != "application/json":
            return 415, "send application/json"
        return None


def _name(host: str) -> str:
    """A Host header without its port."""
    return host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host


def _no_store(scope: Scope, message: dict[str, Any] | Message) -> list[tuple[bytes, bytes]]:
    has = any(name.lower() == b"cache-control" for name, _ in message.get("headers", []))
    return [] if has or not scope["path"].startswith("/api") else [(b"cache-control", b"no-store")]
