# ruff: noqa: RUF001 - the names of the standard have these dashes
"""Conformance units of OPC 10000-7 (1.04): of the Standard 2017 UA Server profile with everything that it contains, and of further facets.

Each facet lists its units as the specification's tables do; a unit stands where it comes first. A unit that is optional there
and not offered here has a reason in `NOT_OFFERED`; so has a mandatory one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A conformance unit.

    Attributes:
        name: As OPC 10000-7 writes it.
        optional: In its facet.
    """

    name: str
    optional: bool = False


class Facet(NamedTuple):
    """A profile or facet.

    Attributes:
        name: As OPC 10000-7 writes it.
        clause: Of OPC 10000-7 v1.04.
        units: Its own; those of facets that it contains stand there.
    """

    name: str
    clause: str
    units: tuple[Unit, ...]


def _facet(name: str, clause: str, mandatory: str, optional: str = "") -> Facet:
    def units(text: str) -> Iterator[str]:
        return (word.strip() for word in text.split(";") if word.strip())

    return Facet(
        name,
        clause,
        (*(Unit(one) for one in units(mandatory)), *(Unit(one, optional=True) for one in units(optional))),
    )


FACETS: Final = (
    _facet(
        "Core 2017 Server Facet", "6.6.3",
        "Address Space Atomicity; Address Space Base; Address Space Full Array Only; Attribute Read; "
        "Base Info Core Structure; Discovery Find Servers Self; Discovery Get Endpoints; Session Base; "
        "Session General Service Behaviour; Session Minimum 1; View Basic; View Minimum Continuation Point 01; "
        "View RegisterNodes; View TranslateBrowsePath",
        "Attribute Write Index; Attribute Write Values; Base Info Estimated Return Time; Base Info OptionSet; "
        "Base Info Placeholder Modelling Rules; Base Info Selection List; Base Info Server Capabilities; "
        "Base Info ValueAsText; Security Administration; Security Role Server Authorization",
    ),
    _facet("SecurityPolicy – None", "", "Security None"),
    _facet(
        "User Token – User Name Password Server Facet", "6.6.168",
        "Security Invalid user token; Security User Name Password",
    ),
    _facet(
        "UA-TCP UA-SC UA-Binary", "6.6.143",
        "Protocol UA TCP; UA Binary Encoding; UA Secure Conversation",
    ),
    _facet(
        "Nano Embedded Device 2017 Server Profile", "6.6.65",
        "", "Base Info Custom Type System; Base Info Diagnostics",
    ),
    _facet(
        "Embedded DataChange Subscription Server Facet", "6.6.15",
        "Monitor Basic; Monitor Items 2; Monitor QueueSize_1; Monitor Value Change; Subscription Basic; "
        "Subscription Minimum 1; Subscription Publish Discard Policy; Subscription Publish Min 02",
    ),
    _facet("Micro Embedded Device 2017 Server Profile", "6.6.67", "Session Minimum 2 Parallel"),
    _facet(
        "Standard DataChange Subscription 2017 Server Facet", "6.6.17",
        "Base Info GetMonitoredItems Method; Base Info ResendData Method; Method Call; Monitor Items 10; "
        "Monitor Items 100; Monitor MinQueueSize_02; Monitor Triggering; Monitored Items Deadband Filter; "
        "Subscription Minimum 02; Subscription Publish Min 05",
    ),
    _facet(
        "Embedded 2017 UA Server Profile", "6.6.69",
        "Base Info Type System; Security Default ApplicationInstance Certificate; Security Policy Required",
        "Base Info Engineering Units; Security – No Application Authentication",
    ),
    _facet(
        "Enhanced DataChange Subscription 2017 Server Facet", "6.6.19",
        "Monitor Items 500; Monitor MinQueueSize_05; Subscription Minimum 05; Subscription Publish Min 10",
    ),
    _facet("User Token – X509 Certificate Server Facet", "6.6.169", "Security User X509"),
    _facet(
        "Standard 2017 UA Server Profile", "6.6.71",
        "Discovery Register; Discovery Register2; Session Cancel; Session Minimum 50 Parallel; "
        "View Minimum Continuation Point 05",
        "Attribute Write StatusCode & Timestamp; Session Change User",
    ),
    _facet(
        "SecurityPolicy – Basic256Sha256, Aes128-Sha256-RsaOaep, Aes256-Sha256-RsaPss", "",
        "Security Basic 256Sha256; Security Aes128-Sha256-RsaOaep; Security Aes256-Sha256-RsaPss; "
        "Security Certificate Validation; Security Encryption Required; Security Signing Required",
    ),
    _facet(
        "Data Access Server Facet", "6.6.21",
        "Data Access DataItems",
        "Data Access AnalogItems; Data Access ArrayItemType; Data Access Complex Number; "
        "Data Access DoubleComplex Number; Data Access MultiState; Data Access MultiStateValueDiscrete; "
        "Data Access PercentDeadband; Data Access Semantic Changes; Data Access TwoState",
    ),
    _facet(
        "Standard Event Subscription Server Facet", "6.6.24",
        "Address Space Events; Monitor Events; Monitor QueueSize_ServerMax",
        "Base Info Device Failure; Base Info EventQueueOverflow EventType; Base Info Progress Events; "
        "Base Info SemanticChange; Base Info System Status; Base Info System Status Underlying System; "
        "Monitor Complex Event Filter",
    ),
    _facet("Auditing Server Facet", "6.6.40", "Auditing Base"),
    _facet("Method Server Facet", "6.6.39", "Address Space Method"),
    _facet(
        "A & C Base Condition Server Facet", "6.6.26",
        "A & C Basic; A & C Refresh", "A & C Condition Sub-Classes; A & C ConditionClasses",
    ),
    _facet("A & C Refresh2 Server Facet", "6.6.27", "A & C Refresh2"),
    _facet("A & C Address Space Instance Server Facet", "6.6.28", "A & C Instances"),
    _facet("A & C Enable Server Facet", "6.6.29", "A & C Enable"),
    _facet(
        "A & C Alarm Server Facet", "6.6.31",
        "A & C Alarm; A & C Discrete",
        "A & C Audible Sound; A & C Comment; A & C Discrepancy; A & C First in Group Alarm; A & C OffNormal; "
        "A & C On-Off Delay; A & C Out Of Service; A & C Re-Alarming; A & C Shelving; A & C Silencing; "
        "A & C Suppression; A & C Suppression by Operator; A & C SystemOffNormal; A & C Trip",
    ),
    _facet("A & C Acknowledgeable Alarm Server Facet", "6.6.32", "A & C Acknowledge", "A & C Confirm"),
    _facet(
        "A & C Exclusive Alarming Server Facet", "6.6.33",
        "A & C Exclusive Limit",
        "A & C Exclusive Deviation; A & C Exclusive Level; A & C Exclusive RateOfChange",
    ),
    _facet(
        "A & C Non-Exclusive Alarming Server Facet", "6.6.34",
        "A & C Non-Exclusive Limit",
        "A & C Non-Exclusive Deviation; A & C Non-Exclusive Level; A & C Non-Exclusive RateOfChange",
    ),
    _facet(
        "Historical Raw Data Server Facet", "6.6.48",
        "Attribute Historical Read; Historical Access Data Max Nodes Read Continuation Point; "
        "Historical Access Read Raw",
        "Historical Access ServerTimestamp",
    ),
    _facet(
        "Historical Aggregate Server Facet", "6.6.49",
        "Historical Access Aggregates",
        "; ".join(
            f"Aggregate – {name}"
            for name in (
                "AnnotationCount", "Average", "Count", "Custom", "Delta", "DeltaBounds", "DurationBad",
                "DurationGood", "DurationInStateNonZero", "DurationInStateZero", "End", "EndBound",
                "Interpolative", "Maximum", "Maximum2", "MaximumActualTime", "MaximumActualTime2", "Minimum",
                "Minimum2", "MinimumActualTime", "MinimumActualTime2", "NumberOfTransitions", "PercentBad",
                "PercentGood", "Range", "Range2", "StandardDeviationPopulation", "StandardDeviationSample",
                "Start", "StartBound", "TimeAverage", "TimeAverage2", "Total", "Total2", "VariancePopulation",
                "VarianceSample", "WorstQuality", "WorstQuality2",
            )
        ),
    ),
    _facet("Historical Data AtTime Server Facet", "6.6.50", "Historical Access Time Instance"),
    _facet("Historical Access Modified Data Server Facet", "6.6.51", "Historical Access Modified Values"),
    _facet(
        "Historical Data Insert, Update, Replace and Delete Server Facets", "6.6.53–6.6.56",
        "Attribute Historical Update; Historical Access Insert Value; Historical Access Update Value; "
        "Historical Access Replace Value; Historical Access Delete Value",
    ),
    _facet("Base Historical Event Server Facet", "6.6.58", "Historical Access Events"),
)  # fmt: skip
"""In the order of the profiles: each contains those above it as far as OPC 10000-7 says so."""

_NO_ARRAYS: Final = "optional; a tag is one value"
_NO_AGGREGATE: Final = "optional; the historian does not calculate it"
NOT_OFFERED: Final[dict[str, str]] = {
    "Attribute Write Index": _NO_ARRAYS,
    "Base Info Estimated Return Time": "optional; a server that is down says nothing",
    "Base Info OptionSet": "optional; there are no option sets",
    "Base Info Selection List": "optional; there are no selection lists",
    "Attribute Write StatusCode & Timestamp": "optional; quality and time are the plant's",
    "Session Change User": "optional; a session stays with who signed in",
    "Data Access Semantic Changes": "optional; ranges and units change with a restart only",
    "Base Info SemanticChange": "optional; as Data Access Semantic Changes",
    "Base Info System Status": "optional; what services do is told as SystemEventType",
    "Base Info System Status Underlying System": "optional; a lost device is an alarm",
    "Security – No Application Authentication": "optional; applications are trusted by name",
    "Data Access ArrayItemType": _NO_ARRAYS,
    "Data Access Complex Number": "optional; no tag has such a type",
    "Data Access DoubleComplex Number": "optional; no tag has such a type",
    "Base Info Device Failure": "optional; devices that fail are alarms",
    "Base Info Progress Events": "optional; no service takes that long",
    "A & C Condition Sub-Classes": "optional; a condition has one class",
    "A & C Audible Sound": "optional; screens make sounds",
    "A & C Discrepancy": "optional; a discrepancy is an alarm of its block",
    "A & C First in Group Alarm": "optional; alarms have no groups",
    "A & C Re-Alarming": "optional; an alarm that stands is told once",
    "A & C Silencing": "optional; screens make sounds",
    "A & C Trip": "optional; a trip is an alarm of its block",
    "A & C Exclusive Limit": "mandatory; its facet is not offered: limits are alarms of their own",
    "A & C Exclusive Deviation": "optional; its facet is not offered",
    "A & C Exclusive Level": "optional; its facet is not offered",
    "A & C Exclusive RateOfChange": "optional; its facet is not offered",
    "A & C Non-Exclusive Deviation": "optional; there are no such alarms",
    "A & C Non-Exclusive RateOfChange": "optional; there are no such alarms",
    "Historical Access ServerTimestamp": "optional; source times are kept",
    **{
        f"Aggregate – {name}": _NO_AGGREGATE
        for name in (
            "AnnotationCount", "Custom", "DurationBad", "MaximumActualTime", "MaximumActualTime2",
            "MinimumActualTime", "MinimumActualTime2", "PercentBad", "VariancePopulation", "VarianceSample",
            "WorstQuality", "WorstQuality2",
        )
    },
}  # fmt: skip


def units() -> dict[str, Unit]:
    """All units by name."""
    return {unit.name: unit for facet in FACETS for unit in facet.units}


def offered() -> list[str]:
    """Names of the units that the server has."""
    return [name for name in units() if name not in NOT_OFFERED]


_DISCOVERY: Final = "tests/opcua/equipment/test_discovery.py"
ELSEWHERE: Final[dict[str, tuple[str, str]]] = {
    "Discovery Register": (
        f"{_DISCOVERY}::test_a_discovery_server_of_before_knows_the_old_service",
        f"{_DISCOVERY}::test_a_discovery_server_that_refuses_or_is_not_there",
    ),
    "Discovery Register2": (
        f"{_DISCOVERY}::test_a_server_is_registered_and_says_when_it_ends",
        f"{_DISCOVERY}::test_a_discovery_server_that_nobody_trusts_is_told_nothing",
    ),
}
"""Units that no client can ask for, with the tests of what the server does and of what it refuses (file::function)."""


_UPDATE_FACETS: Final = ("Historical Data Insert, Update, Replace and Delete Server Facets",)
PROFILES: Final[dict[str, tuple[str, ...]]] = {
    "Server/StandardUA2017": tuple(
        facet.name
        for facet in FACETS[: [facet.name for facet in FACETS].index("Standard 2017 UA Server Profile") + 1]
    ),
    "Server/DataAccess": ("Data Access Server Facet",),
    "Server/StandardEventSubscription": ("Standard Event Subscription Server Facet",),
    "Server/Auditing": ("Auditing Server Facet", "Standard Event Subscription Server Facet"),
    "Server/Methods": ("Method Server Facet",),
    "Server/ACBaseCondition": ("A & C Base Condition Server Facet",),
    "Server/ACRefresh2": ("A & C Refresh2 Server Facet",),
    "Server/ACAddressSpaceInstance": ("A & C Address Space Instance Server Facet",),
    "Server/ACEnable": ("A & C Enable Server Facet",),
    "Server/ACAlarm": ("A & C Alarm Server Facet",),
    "Server/ACAckAlarm": ("A & C Acknowledgeable Alarm Server Facet",),
    "Server/ACNon-ExclusiveAlarming": ("A & C Non-Exclusive Alarming Server Facet",),
    "Server/HistoricalRawData": ("Historical Raw Data Server Facet",),
    "Server/AggregateHistorical": ("Historical Aggregate Server Facet",),
    "Server/HistoricalDataAtTime": ("Historical Data AtTime Server Facet",),
    "Server/HistoricalModifiedData": ("Historical Access Modified Data Server Facet",),
    "Server/HistoricalDataInsert": _UPDATE_FACETS,
    "Server/HistoricalDataUpdate": _UPDATE_FACETS,
    "Server/HistoricalDataReplace": _UPDATE_FACETS,
    "Server/HistoricalDataDelete": _UPDATE_FACETS,
    "Server/BaseHistoricalEvent": ("Base Historical Event Server Facet",),
    "Transport/uatcp-uasc-uabinary": ("UA-TCP UA-SC UA-Binary",),
}
"""What ServerProfileArray may name, by the end of its URI: the facets whose mandatory units it needs."""
