"""How many examples the expensive properties are tried with."""

from __future__ import annotations

import os

from hypothesis import settings


def examples(quick: int, thorough: int = 500) -> settings:
    """Few examples in `make test`, many in the thorough profile of `make test-all` (its folders are in the Makefile).

    Args:
        quick: In the quick profile.
        thorough: In the thorough one.
    """
    return settings(max_examples=thorough if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else quick)
