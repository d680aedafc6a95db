"""What every driver must do, as tests that its author runs: derive from `DriverContract`, give it a device, run pytest.

What lives here: `peer`, what a test must be able to do with a device; `rig`, a session in the hands of a test; and the
tests, by what they are about: `declared`, `working` and `failing`. What may not: anything that knows one protocol. The
running plant never imports this package; it needs pytest.

```python
from scada.field.contract import DriverContract, Peer, Point

class TestAcme(DriverContract):
    driver = Acme
    points = (Point("temperature", "float64", (20.5, -3.0)), Point("valve", "float64", (0.0, 75.5), writable=True))
    bad_addresses = (("no such thing!", "float64"),)

    def peer(self) -> Peer:
        return AcmeOnThisMachine()
```
"""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in ("declared", "working", "failing")))

from scada.field.contract.declared import Declared  # noqa: E402 - pytest rewrites asserts on import
from scada.field.contract.failing import Failing  # noqa: E402
from scada.field.contract.peer import Peer, Point  # noqa: E402
from scada.field.contract.working import Working  # noqa: E402

__all__ = ["DriverContract", "Peer", "Point"]


class DriverContract(Declared, Working, Failing):
    """All tests of the contract. See `Given` for what a driver's author sets."""
