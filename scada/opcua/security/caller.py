"""Who calls: the name, the role and the channel of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from asyncua.crypto.permission_rules import User

ANONYMOUS: Final = "anonymous"
PASSWORD: Final = "password"  # noqa: S105 - how somebody signed in, no secret
CERTIFICATE: Final = "certificate"
ANONYMOUS_ROLE: Final = "viewer"


@dataclass
class Caller(User):
    """asyncua's user with what our access rules and the audit know of him.

    Attributes:
        site_role: One of `scada.access.ROLES`.
        mark: `Users.mark` at sign-in; "" for an anonymous caller.
        certificate: SHA-256 of the certificate that he signed in with; "" for none.
        auth: How he signed in: `anonymous`, `password` or `certificate`.
        address: Of his socket, without the port.
        mode: MessageSecurityMode of his channel (OPC 10000-4 §7.20): 1 None, 2 Sign, 3 SignAndEncrypt.
        application: ApplicationUri of his client.
    """

    site_role: str = ANONYMOUS_ROLE
    mark: str = ""
    certificate: str = ""
    auth: str = ANONYMOUS
    address: str = ""
    mode: int = 1
    application: str = ""

    @property
    def anonymous(self) -> bool:
        """He has no name: he may read at most."""
        return self.name is None
