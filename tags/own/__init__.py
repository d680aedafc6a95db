"""What a user's own block in Python may be: its declarations, and the rules that keep it pure; nothing is executed here.

A source is read as a syntax tree. What is not on the lists (`lists`) is refused: they name everything that a function of
its inputs, settings and state needs, and nothing that leads out of it (time, randomness, files, network, other modules, the
interpreter itself, state that is not declared). `reading` looks at a file and its classes, `functions` at what is in them. The
same rules are checked again before a source is executed (`scada.blocks.own_load`).

What lives here: reading and rules. What may not: executing anything.
"""

from tags.own.declared import Member, Own, OwnError, fits
from tags.own.lists import FLAGS, IMPORTS, MATH, SAFE
from tags.own.reading import read

__all__ = ["FLAGS", "IMPORTS", "MATH", "SAFE", "Member", "Own", "OwnError", "fits", "read"]
