"""Plant tests: an owner's YAML tests of a site, run by the real scan on simulated time, and the search of invariants.

What lives here: the devices around the program (`world`, `follow`, `simulated`), a program in them (`rig`), what is
expected and what was (`judge`, `texts`), one test (`run`), the search for a sequence that breaks an invariant
(`cone`, `candidates`, `search`), and what is written about it (`report`, `keep`).

What may not: a clock, a network, a running plant. The same site, tests and seed give the same result.
"""

from scada.planttest.run import Failure, Result, run_test
from scada.planttest.search import Found, search

__all__ = ["Failure", "Found", "Result", "run_test", "search"]
