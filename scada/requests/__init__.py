"""Requests: the only way in for people and protocols, from submission to outcome.

What lives here: the request as it is sent (`message`), whose turn it is (`inbox`), whether a value may be written
to a tag (`check`), and the state machine from accepted to its outcome (`machine`).

What may not: a clock, a socket, the image. Time and what the field shows are arguments; what a request does to
blocks and commands is `scada.scan`'s.
"""

from scada.requests.inbox import Inbox
from scada.requests.machine import FINAL, Entry, Item, Ledger, Seen
from scada.requests.message import Request, RequestError, parse

__all__ = ["FINAL", "Entry", "Inbox", "Item", "Ledger", "Request", "RequestError", "Seen", "parse"]
