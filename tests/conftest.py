"""For all tests: Hypothesis counts no milliseconds (the machine may be busy) and prints how to repeat a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")
