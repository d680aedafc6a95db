"""The web application: reads, sign-in, requests, the WebSocket. Everything that it needs is handed in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import orjson
from fastapi import FastAPI, HTTPException, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect

from hmi import models
from hmi.guard import Guard
from hmi.history import add_history
from hmi.pages import Pages
from hmi.past import Past
from hmi.people import People
from hmi.push import AGES_MAX, TAGS_MAX, Pusher, Socket
from hmi.view import View, our_version
from scada.access import refusal
from scada.client import Client, Outcome
from scada.clock import Clock
from scada.requests.message import ALARM_KINDS

BODY_MAX: Final = 65_536
IN_FLIGHT_MAX: Final = 32
TAGS_LIMIT_MAX: Final = 1000


@dataclass(slots=True)
class Parts:
    """What the application is made of."""

    client: Client
    view: View
    pusher: Pusher
    people: People
    past: Past
    pages: Pages
    clock: Clock
    epoch: int
    hosts: frozenset[str]
    background: list[Callable[[], Any]] = field(default_factory=list)


def make_app(parts: Parts) -> FastAPI:
    """The application, guarded; `parts.background` are coroutine functions that run beside it."""

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(start()) for start in parts.background]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        parts.people.close()
        parts.past.close()

    app = FastAPI(
        title="Closedloop",
        description="Values, alarms, history and requests of one plant. Anonymous may read; requests need a session.",
        version=our_version(),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        max_body_size=BODY_MAX,
        responses={422: {"model": models.Problem}},
        exception_handlers={RequestValidationError: _not_acceptable},
    )
    app.add_middleware(Guard, hosts=parts.hosts)
    _add_reads(app, parts)
    add_history(app, parts.client, parts.past, parts.clock)
    _add_people(app, parts)
    _add_requests(app, parts)
    _add_socket(app, parts)
    _add_pages(app, parts)
    return app


async def _not_acceptable(_: Request, error: Exception) -> JSONResponse:
    """Says what is wrong in words, and never repeats what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors()[:5]]
    return JSONResponse({"detail": "; ".join(wrong)}, 422)


def _add_reads(app: FastAPI, parts: Parts) -> None:
    client, view = parts.client, parts.view

    @app.get("/api/tags")
    async def tags(
        search: Annotated[str, Query(max_length=100)] = "",
        kind: Annotated[str, Query(max_length=20)] = "",
        limit: Annotated[int, Query(ge=1, le=TAGS_LIMIT_MAX)] = 200,
    ) -> models.TagList:
        """Tags whose path or description has all words of `search`, with their values."""
        client.refresh()
        return view.search(search, kind, limit)

    @app.get("/api/tags/{path:path}")
    async def tag(path: str) -> models.TagDetail:
        """One tag: what it is, its value, who wrote it last, the blocks that it belongs to."""
        client.refresh()
        _known(client, path)
        parts.pusher.take_requests()
        return view.detail(path)

    @app.get("/api/alarms")
    async def alarms() -> models.AlarmList:
        """Alarms that are active, wait for somebody or are put aside, the most urgent first."""
        client.refresh()
        return view.alarms()

    @app.get("/api/status")
    async def status() -> models.Status:
        """Services, devices, forced values."""
        client.refresh()
        return view.status(parts.epoch, parts.clock.utc_ns(), len(parts.pusher.sockets))

    @app.get("/api/blocks")
    async def blocks() -> models.BlockList:
        """The control program: blocks, their points and the tags that they are tied to."""
        return models.BlockList(blocks=view.blocks())

    @app.get("/api/displays")
    async def displays() -> models.DisplayList:
        """All pictures."""
        found = [models.DisplayInfo(name=d.name, title=d.title, level=d.level) for d in client.site.displays]
        return models.DisplayList(displays=found)

    @app.get("/api/displays/{name}")
    async def display(name: str) -> models.DisplayDetail:
        """One picture with its drawing (SVG), tags and blocks."""
        for found in client.site.displays:
            if found.name == name:
                return view.display(found)
        raise HTTPException(404, f"there is no display {name!r}")


def _known(client: Client, path: str) -> None:
    if path not in client.tags:
        raise HTTPException(404, f"there is no tag {path!r}")


def _add_people(app: FastAPI, parts: Parts) -> None:
    people, site = parts.people, parts.client.site

    def session_info(user: str | None, role: str) -> models.SessionInfo:
        return models.SessionInfo(
            user=user, role=role, site=site.name, timezone=site.timezone, build=parts.pages.build
        )

    @app.get("/api/session")
    async def session(request: Request) -> models.SessionInfo:
        """Who is signed in with this cookie."""
        found = people.who(request)
        return session_info(found.user, found.role) if found else session_info(None, "viewer")

    @app.post("/api/login")
    async def login(body: models.Login, request: Request, response: Response) -> models.SessionInfo:
        """Signs in: sets the session cookie. 401 wrong, 429 too many tries."""
        started = await people.sign_in(request, response, body.name, body.password)
        return session_info(started.user, started.role)

    @app.post("/api/logout")
    async def logout(_: models.Empty, request: Request, response: Response) -> models.SessionInfo:
        """Signs out."""
        people.sign_out(request, response)
        return session_info(None, "viewer")


def _add_requests(app: FastAPI, parts: Parts) -> None:
    in_flight: dict[str, asyncio.Task[Outcome]] = {}
    client = parts.client

    @app.post("/api/requests")
    async def requests(body: models.Ask, request: Request) -> models.OutcomeInfo:
        """Asks control and waits for the final outcome, which is 200 also when rejected. 401, 403 for the person."""
        session = parts.people.who(request)
        if session is None:
            raise HTTPException(401, "Sign in first.")
        for path, _ in body.items:
            tag = client.tags.get(path)
            if why := refusal(session.role, body.kind, tag if body.kind not in ALARM_KINDS else None):
                raise HTTPException(403, why)
        key = f"{session.user} {body.id}" if body.id else f"{session.user} {id(body)}"
        task = in_flight.get(key)
        if task is None:
            if len(in_flight) >= IN_FLIGHT_MAX:
                raise HTTPException(503, "Too many requests are on their way. Try again in a moment.")
            task = asyncio.create_task(
                client.arequest(
                    body.kind,
                    body.items,
                    reason=body.reason,
                    deadline_s=body.deadline_s,
                    for_s=body.for_s,
                    user=session.user,
                    role=session.role,
                    id_=body.id,
                )
            )
            in_flight[key] = task
            task.add_done_callback(lambda _: in_flight.pop(key, None))
        try:
            # A browser that goes away does not take back what it asked for.
            outcome = await asyncio.shield(task)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        return models.OutcomeInfo(
            id=outcome.id,
            status=outcome.status,
            reasons=list(outcome.reasons),
            items=list(outcome.items),
            old=list(outcome.old),
        )


def _add_socket(app: FastAPI, parts: Parts) -> None:
    pusher = parts.pusher

    @app.websocket("/ws")
    async def live(websocket: WebSocket) -> None:
        socket = Socket(websocket.send_text)
        await websocket.accept()
        if not pusher.add(socket):
            await websocket.close(1013, "too many open pages")
            return
        sender = asyncio.create_task(socket.run(pusher.row))
        receiver = asyncio.create_task(_receive(websocket, socket, parts.client.index))
        try:
            done, _ = await asyncio.wait({sender, receiver}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pusher.remove(socket)
            for task in (sender, receiver):
                task.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)
        wrong = receiver.exception() if receiver in done else None
        if isinstance(wrong, ValueError):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await websocket.close(1007, str(wrong)[:120])
        failed = sender.exception() if sender in done else None
        if failed and not isinstance(failed, TimeoutError | WebSocketDisconnect | RuntimeError):
            raise failed


async def _receive(websocket: WebSocket, socket: Socket, index: dict[str, int]) -> None:
    """Takes what a browser asks for, until it goes.

    Raises:
        ValueError: It sent something that is not a list of tags.
    """
    while True:
        try:
            text = await websocket.receive_text()
        except (WebSocketDisconnect, KeyError):
            return
        body = orjson.loads(text)
        tags, ages = (body.get("tags"), body.get("ages", [])) if isinstance(body, dict) else (None, None)
        for paths, most in ((tags, TAGS_MAX), (ages, AGES_MAX)):
            if not isinstance(paths, list) or len(paths) > most or not all(isinstance(p, str) for p in paths):
                raise ValueError(
                    f'send {{"tags": [at most {TAGS_MAX} paths], "ages": [at most {AGES_MAX} of them]}}'
                )
        socket.ask(tags or [], ages or [], index)


def _add_pages(app: FastAPI, parts: Parts) -> None:
    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return parts.pages.answer("index.html", request)

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str, request: Request) -> Response:
        return parts.pages.answer(name, request)
