"""The HMI's process: binds the port, opens the client, serves until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import uvicorn
import uvloop

from hmi.app import Parts, make_app
from hmi.connections import Patient
from hmi.guard import allowed_hosts
from hmi.pages import Pages
from hmi.past import Past
from hmi.people import People
from hmi.push import Pusher
from hmi.view import View
from scada.client import BusyError, Client, NotRunningError, StoreError
from scada.service import Service
from scada.users import Users

HEALTH_S: Final = 2.0
BACKLOG: Final = 64
CONNECTIONS_MAX: Final = 256
STUCK_MS: Final = 20_000
LAST_WRITES_NS: Final = 30 * 86_400 * 1_000_000_000
LAST_WRITES_MAX: Final = 5000


def run(service: Service) -> int:
    """Serves until the service is asked to stop; returns the exit code."""
    try:
        client = Client(service.data.root, "hmi", clock=service.clock)
    except NotRunningError as error:
        service.fail(str(error))
        return 1
    service.site = client.site  # one copy of it is enough
    try:
        listener = _bind(client.site.hmi_host, client.site.hmi_port)
    except OSError as error:
        service.fail(_why_not(error, client.site.hmi_host, client.site.hmi_port))
        return 1
    with listener, client:
        uvloop.run(_serve(service, client, listener))
    return 1 if service.failed else 0


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A browser that takes nothing for this long is gone, also for the kernel's buffers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_MS)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use on {host}: another program has it. Choose another with --hmi-port."
    if error.errno == errno.EACCES:
        return f"port {port}: this user may not bind it. Choose one above 1023 with --hmi-port."
    return f"cannot listen on {host} port {port}: {error.strerror or error}. Look at `hmi:` in site.yaml."


async def _serve(service: Service, client: Client, listener: socket.socket) -> None:
    pages = Pages()
    view = View(client)
    past = Past(service.data.root)
    pusher = Pusher(client, view, service.clock.utc_ns, service.beat, pages.build)
    port = listener.getsockname()[1]
    people = People(Users(service.data.users), service.clock, f"closedloop_{port}", service.event)
    parts = Parts(
        client,
        view,
        pusher,
        people,
        past,
        pages,
        service.clock,
        service.epoch,
        allowed_hosts(client.site.hmi_host),
    )
    server = _Server(
        uvicorn.Config(
            make_app(parts),
            log_config=None,
            access_log=False,
            lifespan="on",
            http=Patient,
            ws="websockets-sansio",
            ws_max_size=1 << 20,
            ws_per_message_deflate=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=1,
        )
    )

    def stop() -> None:
        server.should_exit = True

    async def health() -> None:
        while True:
            service.health(clients=len(pusher.sockets))
            await asyncio.sleep(HEALTH_S)

    async def remember_writes() -> None:
        now = service.clock.utc_ns()
        with contextlib.suppress(StoreError, BusyError, NotRunningError):
            for event in reversed(await past.requests(now - LAST_WRITES_NS, now, LAST_WRITES_MAX)):
                view.note(event, old=True)

    parts.background = [
        _watched(service, stop, pusher.run),
        _watched(service, stop, health),
        _watched(service, stop, remember_writes),
    ]
    service.on_stop(stop)

    def started() -> None:
        service.ready()
        host = client.site.hmi_host
        service.log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    server.on_started = started
    with _logged(service):
        await server.serve([listener])


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the service has its own."""

    on_started: Callable[[], None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.on_started:
            self.on_started()


def _watched(
    service: Service, stop: Callable[[], None], work: Callable[[], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    """Work that takes the whole service down when it fails: the supervisor starts it anew."""

    async def run() -> None:
        try:
            await work()
        except NotRunningError as error:
            service.log.info(str(error))
            stop()
        except Exception as error:
            service.log.exception("stopped by an error")
            service.fail(f"{type(error).__name__}: {error}")
            stop()

    return run


@contextlib.contextmanager
def _logged(service: Service) -> Iterator[None]:
    """Uvicorn's warnings and errors as lines of the service's log."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[1]:
                service.log.error(record.getMessage().strip(), error=repr(record.exc_info[1]))
            else:
                service.log.warning(record.getMessage().strip())

    logger = logging.getLogger("uvicorn")
    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
