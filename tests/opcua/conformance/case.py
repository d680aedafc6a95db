"""What a case of the conformance run is: a function that talks to a running plant through one client."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.e2e.plant import DemoPlant
from tests.opcua.conformance.peers import CODES, How, Peer, RefusedError, Session, name_of
from tests.opcua.conformance.units import units

ENCRYPTED: Final = {"policy": "Basic256Sha256", "mode": "SignAndEncrypt"}


@dataclass
class At:
    """Where a case is run.

    Attributes:
        peer: The client.
        stranger: A client of the same make that the server does not trust.
        url: Of the server, through the wire that is captured.
        plant: A running demo.
        passwords: Of its users, by name, which is their role.
    """

    peer: Peer
    stranger: Peer
    url: str
    plant: DemoPlant
    passwords: dict[str, str]
    _sessions: dict[str, Session] = field(default_factory=dict)

    def how(self, user: str, **more: Any) -> How:
        """A user of the plant over an encrypted channel; nobody over an open one for ""."""
        named = {"user": user, "password": self.passwords[user], **ENCRYPTED} if user else {}
        return How(**{**named, **more})

    async def session(self, user: str = "") -> Session:
        """A session that all cases of this client share; of nobody, or of a user."""
        if user not in self._sessions:
            self._sessions[user] = await self.peer.connect(self.url, self.how(user))
        return self._sessions[user]

    def fresh(self, user: str = "", **more: Any) -> contextlib.AbstractAsyncContextManager[Session]:
        """A session for one case alone."""
        return self.peer.session(self.url, self.how(user, **more))

    async def close(self) -> None:
        """Ends the shared sessions."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()


Run = Callable[[At], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Case:
    """A case of the run.

    Attributes:
        name: Module and function, `view.browse_of_an_unknown_node`.
        units: Conformance units that it belongs to.
        positive: It shows what the server does; else what it refuses.
        run: Does it.
    """

    name: str
    units: tuple[str, ...]
    positive: bool
    run: Run


CASES: Final[list[Case]] = []


def positive(*names: str) -> Callable[[Run], Run]:
    """Marks a case that shows what the server does for these conformance units."""
    return _case(names, positive=True)


def negative(*names: str) -> Callable[[Run], Run]:
    """Marks a case that shows what the server refuses for these conformance units."""
    return _case(names, positive=False)


def _case(names: tuple[str, ...], *, positive: bool) -> Callable[[Run], Run]:
    unknown = [name for name in names if name not in units()]
    if unknown:
        raise AssertionError(f"no such conformance units: {unknown}")

    def register(run: Run) -> Run:
        name = f"{run.__module__.rpartition('.')[2]}.{run.__name__}"
        CASES.append(Case(name, names, positive, run))
        return run

    return register


@contextlib.contextmanager
def refused(*statuses: str) -> Iterator[None]:
    """The service is refused as a whole with one of these StatusCodes."""
    found: RefusedError | None = None
    try:
        yield
    except RefusedError as error:
        found = error
    assert found is not None, f"not refused with {statuses}"
    assert found.status in {CODES[status] for status in statuses}, f"{found}, not {statuses}"


def good(status: int) -> None:
    """It is a Good StatusCode."""
    assert status >> 30 == 0, name_of(status)


def is_(status: int, *names: str) -> None:
    """It is one of these StatusCodes."""
    assert status in {CODES[name] for name in names}, f"{name_of(status)}, not {names}"


def value_of(data: dict[str, Any]) -> Any:
    """The value of a Good DataValue."""
    good(data["status"])
    return data["value"]["value"]
