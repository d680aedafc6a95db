"""The one way into a running plant for screens, protocols and users' scripts: read, watch, request, history.

Lives here: reading images and event rings, the rule of staleness, sending requests. May import the historian's reader,
`scada.datadir`, `scada.clock` and `tags`; never a service. Nobody above touches image, ring, socket or store directly.

    from scada.client import Client

    plant = Client("/srv/water/data", user="anna", role="operator")
    print(plant.read("tank1/LT-101").value)
    print(plant.write("tank1/LIC-101/SP", 2.8, reason="trial").status)
    for sample in plant.watch(["tank1/LT-101", "tank1/LV-101/POS"]):
        print(sample.path, sample.value, sample.quality)
"""

from __future__ import annotations

from historian.audit import Entry as AuditEntry
from historian.audit import Verdict as AuditVerdict
from historian.edits import Edit, EditError
from historian.notes import Annotation
from historian.pages import Page
from historian.read import CALENDAR, DURATIONS, OPCUA_NAMES, SHIFTS, Bounded, Cursor, Intervals
from historian.read import NAMES as AGGREGATES
from historian.store import Samples, StoreError
from scada.client.archive import Archive
from scada.client.changes import Changes
from scada.client.client import Client
from scada.client.corrections import Corrections
from scada.client.errors import NotRunning, NotRunningError, SiteChanged, SiteChangedError
from scada.client.events import EventFollower
from scada.client.lane import BusyError, Lane
from scada.client.types import AlarmState, Bypass, Condition, Force, Note, Outcome, Sample, ServiceState

__all__ = [
    "AGGREGATES",
    "CALENDAR",
    "DURATIONS",
    "OPCUA_NAMES",
    "SHIFTS",
    "AlarmState",
    "Annotation",
    "Archive",
    "AuditEntry",
    "AuditVerdict",
    "Bounded",
    "BusyError",
    "Bypass",
    "Changes",
    "Client",
    "Condition",
    "Corrections",
    "Cursor",
    "Edit",
    "EditError",
    "EventFollower",
    "Force",
    "Intervals",
    "Lane",
    "NotRunning",
    "NotRunningError",
    "Note",
    "Outcome",
    "Page",
    "Sample",
    "Samples",
    "ServiceState",
    "SiteChanged",
    "SiteChangedError",
    "StoreError",
]
