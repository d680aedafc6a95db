"""How the services are, from the supervisor's tags and from their heartbeats."""

from __future__ import annotations

from typing import Final

from scada.client.images import Images
from scada.client.types import ServiceState
from tags.model import Site

SUPERVISOR: Final = "supervisor"
STATES: Final = ("stopped", "starting", "running", "restarting", "failed")


def service_states(site: Site, images: Images) -> list[ServiceState]:
    """See `Client.services`."""
    names = (SUPERVISOR, *(name for name in site.services if name != SUPERVISOR))
    return [_state(name, images) for name in names]


def _state(name: str, images: Images) -> ServiceState:
    memory = images.index.get(f"system/{name}/memory")
    megabytes = float(images.value(memory)) if memory is not None and images.publish_ns[memory] else None
    state = _told(name, images)
    if name not in images.writers:
        return ServiceState(name, state, None, 0, megabytes)
    writer = images.writers.index(name)
    beats = images.heartbeats
    silence = beats.silence_s(writer) if beats.watched else images.newest_age_s(writer)
    if beats.dead[writer] and state == "running":
        state = "not responding"
    return ServiceState(name, state, silence, images.readers[writer].epoch, megabytes)


def _told(name: str, images: Images) -> str:
    """What the supervisor says; of itself, that it runs."""
    if name == SUPERVISOR:
        return "running"
    i = images.index.get(f"system/{SUPERVISOR}/{name}")
    if i is None:
        return "running"
    number = int(images.bits[i])
    return STATES[number] if number < len(STATES) else "unknown"
