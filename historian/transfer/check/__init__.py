"""`check`: looks into every block of a history, and names each that is not what was written.

Lives here: reading of damaged files, one module for each kind of file. Only reads; the plant may run, and a backup's
`history` folder is a history, too.
"""

from __future__ import annotations

from historian.transfer.check.check import Progress, check
from historian.transfer.check.found import UNCOVERED, Damage, Report

__all__ = ["UNCOVERED", "Damage", "Progress", "Report", "check"]
