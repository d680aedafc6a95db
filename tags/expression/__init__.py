"""Conditions and calculations in YAML: `tank1/LT-101 > 0.8 m and not tank1/draining`.

Grammar, loosest first; names are tag paths with at least one `/`, so minus and division need spaces around them::

    implies | or | and | not | < <= > >= == != | + - | * / | unary - |
    12.5 m, tank1/LT-101, true, false, (…), min(a, b…), max(a, b…), abs(a), sqrt(a), if(condition, a, b)

An expression is parsed and checked once, then bound to positions in the scan's arrays and compiled, so that the
scan pays for one Python function call. Nothing from the text reaches the Python compiler but numbers.

What lives here: `syntax` (text and tree), `kinds` (units of operations), `checking` and `binding`. What may not: clocks,
I/O, the scan itself.
"""

from tags.expression.binding import Bound, bind
from tags.expression.checking import check, problems, type_of, unit_of
from tags.expression.kinds import Kind
from tags.expression.syntax import Expression, ExpressionError, Node, parse

__all__ = [
    "Bound",
    "Expression",
    "ExpressionError",
    "Kind",
    "Node",
    "bind",
    "check",
    "parse",
    "problems",
    "type_of",
    "unit_of",
]
