"""Quality is the OPC UA StatusCode, 32 bits, from the wire to the screen (OPC 10000-4 §7.39, OPC 10000-8 §6).

The two top bits say good, uncertain or bad; the rest says why.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

GOOD: Final = 0x0000_0000
GOOD_LOCAL_OVERRIDE: Final = 0x0096_0000  # forced by hand
UNCERTAIN: Final = 0x4000_0000
UNCERTAIN_LAST_USABLE: Final = 0x4090_0000  # restored or stale: was good once
UNCERTAIN_SUBSTITUTE: Final = 0x4091_0000
UNCERTAIN_INITIAL: Final = 0x4092_0000  # never written since start
UNCERTAIN_EU_EXCEEDED: Final = 0x4094_0000
BAD: Final = 0x8000_0000
BAD_NO_COMMUNICATION: Final = 0x8031_0000
BAD_WAITING_FOR_INITIAL_DATA: Final = 0x8032_0000
BAD_NOT_CONNECTED: Final = 0x808A_0000
BAD_DEVICE_FAILURE: Final = 0x808B_0000
BAD_SENSOR_FAILURE: Final = 0x808C_0000
BAD_OUT_OF_SERVICE: Final = 0x808D_0000
BAD_CONFIGURATION_ERROR: Final = 0x8089_0000
BAD_OUT_OF_RANGE: Final = 0x803C_0000
BAD_INTERNAL_ERROR: Final = 0x8002_0000
UNCERTAIN_DATA_SUB_NORMAL: Final = 0x40A4_0000  # in history: calculated from less than all Good
BAD_NO_DATA: Final = 0x809B_0000  # in history: nothing is known
BAD_DATA_LOST: Final = 0x809D_0000  # in history: samples are missing from here on
BAD_BOUND_NOT_FOUND: Final = 0x80D7_0000

NAMES: Final[dict[int, str]] = {
    GOOD: "Good",
    GOOD_LOCAL_OVERRIDE: "GoodLocalOverride",
    UNCERTAIN: "Uncertain",
    UNCERTAIN_LAST_USABLE: "UncertainLastUsableValue",
    UNCERTAIN_SUBSTITUTE: "UncertainSubstituteValue",
    UNCERTAIN_INITIAL: "UncertainInitialValue",
    UNCERTAIN_EU_EXCEEDED: "UncertainEngineeringUnitsExceeded",
    BAD: "Bad",
    BAD_NO_COMMUNICATION: "BadNoCommunication",
    BAD_WAITING_FOR_INITIAL_DATA: "BadWaitingForInitialData",
    BAD_NOT_CONNECTED: "BadNotConnected",
    BAD_DEVICE_FAILURE: "BadDeviceFailure",
    BAD_SENSOR_FAILURE: "BadSensorFailure",
    BAD_OUT_OF_SERVICE: "BadOutOfService",
    BAD_CONFIGURATION_ERROR: "BadConfigurationError",
    BAD_OUT_OF_RANGE: "BadOutOfRange",
    BAD_INTERNAL_ERROR: "BadInternalError",
    UNCERTAIN_DATA_SUB_NORMAL: "UncertainDataSubNormal",
    BAD_NO_DATA: "BadNoData",
    BAD_DATA_LOST: "BadDataLost",
    BAD_BOUND_NOT_FOUND: "BadBoundNotFound",
}


def is_good(status: int) -> bool:
    """True when the severity bits (31..30) are 00."""
    return status >> 30 == 0


def is_bad(status: int) -> bool:
    """True when the severity bits (31..30) are 10 or 11."""
    return status >> 30 >= 2


def name(status: int) -> str:
    """The symbolic name of a status code, its limit and overflow bits ignored; else its hex digits."""
    return NAMES.get(status & 0xFFFF_0000, f"0x{status:08X}")


def good_mask(status: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Element-wise `is_good` of an array of status codes."""
    mask: npt.NDArray[np.bool_] = (status >> np.uint32(30)) == 0
    return mask


def worst(*statuses: int) -> int:
    """The worst status by severity (bad, uncertain, good); the first of equals. Good when none is given."""
    return max(statuses, key=lambda s: s >> 30, default=GOOD)
