"""Who may do what: roles and the one rule that HMI, OPC UA, CLI and control itself ask.

Pure: no files, no clock. Users and their passwords are in `scada.users`.
"""

from scada.access.roles import OPERATIONS, ROLES, at_least, refusal

__all__ = ["OPERATIONS", "ROLES", "at_least", "refusal"]
