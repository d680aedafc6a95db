"""The View services for the dispatcher: each one answers a decoded request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError

from scada.opcua import limits
from scada.opcua.nodes.browse import Browsing
from scada.opcua.nodes.registered import Registered
from scada.opcua.wire.dispatch import Service

if TYPE_CHECKING:
    from scada.opcua.wire.dispatch import Call

_TURN: Final = 500
"""References that are made before others have their turn."""


class View:
    """Browse, BrowseNext, TranslateBrowsePathsToNodeIds, RegisterNodes, UnregisterNodes.

    Args:
        browsing: Shows the nodes.
        registered: Keeps handles.
    """

    def __init__(self, browsing: Browsing, registered: Registered) -> None:
        self._browsing = browsing
        self._registered = registered

    def services(self) -> dict[int, Service]:
        """By the id of the request's encoding."""
        table: dict[str, Service] = {
            "Browse": Service(ua.BrowseParameters, self._browse),
            "BrowseNext": Service(ua.BrowseNextParameters, self._browse_next),
            "TranslateBrowsePathsToNodeIds": Service(
                ua.TranslateBrowsePathsToNodeIdsParameters, self._translate
            ),
            "RegisterNodes": Service(ua.RegisterNodesParameters, self._register),
            "UnregisterNodes": Service(ua.UnregisterNodesParameters, self._unregister),
            "QueryFirst": Service(ua.QueryFirstParameters, _unsupported),
            "QueryNext": Service(ua.QueryNextParameters, _unsupported),
        }
        return {
            int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary")): service
            for name, service in table.items()
        }

    async def _browse(self, call: Call) -> ua.BrowseResponse:
        response = ua.BrowseResponse()
        response.Results = await _in_turns(self._browsing.begin(call.session, call.params))
        return response

    async def _browse_next(self, call: Call) -> ua.BrowseNextResponse:
        response = ua.BrowseNextResponse()
        response.Parameters.Results = await _in_turns(self._browsing.go_on(call.session, call.params))
        return response

    async def _translate(self, call: Call) -> ua.TranslateBrowsePathsToNodeIdsResponse:
        paths = call.params.BrowsePaths
        if not paths:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if len(paths) > limits.PATHS_PER_TRANSLATE:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        response = ua.TranslateBrowsePathsToNodeIdsResponse()
        for number, path in enumerate(paths):
            if number % 50 == 49:
                await asyncio.sleep(0)
            response.Results.append(self._browsing.translate(call.session, path))
        return response

    async def _register(self, call: Call) -> ua.RegisterNodesResponse:
        response = ua.RegisterNodesResponse()
        handles = self._registered.register(call.session, call.params.NodesToRegister)
        response.Parameters.RegisteredNodeIds = handles
        return response

    async def _unregister(self, call: Call) -> ua.UnregisterNodesResponse:
        self._registered.unregister(call.session, call.params.NodesToUnregister)
        return ua.UnregisterNodesResponse()


async def _unsupported(call: Call) -> Any:
    """Query is a service of its own profile, which this server does not claim."""
    del call
    raise ServiceError(ua.StatusCodes.BadServiceUnsupported)


async def _in_turns(results: Iterator[ua.BrowseResult]) -> list[ua.BrowseResult]:
    found = []
    weight = 0
    for one in results:
        found.append(one)
        weight += 1 + len(one.References)
        if weight >= _TURN:
            weight = 0
            await asyncio.sleep(0)
    return found
