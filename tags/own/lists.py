"""The lists of what an own block may use, and what is said of the rest."""

from __future__ import annotations
import __future__

import ast
import math
import types
from collections.abc import Mapping
from typing import Final

SIZE_MAX: Final = 64 * 1024
BASE: Final = "OwnBlock"
KINDS: Final = {"Input": "input", "Output": "output", "Setting": "setting", "State": "state"}
API: Final = frozenset({"good", "fresh", "applied", "tracking"})
ON_BAD: Final = ("hold", "run")
EXPONENT_MAX: Final = 64

# math of CPython 3.11, without what later versions compute otherwise: a recording replays on each of them.
MATH: Final = frozenset(
    {
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh",
        "degrees", "e", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "frexp", "fsum", "gcd", "hypot",
        "inf", "isclose", "isfinite", "isinf", "isnan", "isqrt", "lcm", "ldexp", "log", "log10", "log1p", "log2", "modf",
        "nan", "nextafter", "pi", "pow", "prod", "radians", "remainder", "sin", "sinh", "sqrt", "tan", "tanh", "tau", "trunc",
        "ulp",
    }
) & frozenset(dir(math))  # fmt: skip
IMPORTS: Final[Mapping[str, frozenset[str]]] = {
    "__future__": frozenset({"annotations"}),
    "dataclasses": frozenset({"dataclass", "replace"}),
    "math": MATH,
    "scada.blocks.own": frozenset({BASE, *KINDS}),
    "typing": frozenset({"ClassVar", "Final", "Literal"}),
}
SAFE: Final = frozenset(
    {
        "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "filter", "float", "int", "isinstance", "len", "list",
        "map", "max", "min", "range", "reversed", "round", "sorted", "str", "sum", "tuple", "zip", "ArithmeticError",
        "IndexError", "KeyError", "OverflowError", "ValueError", "ZeroDivisionError",
    }
)  # fmt: skip
# What the interpreter's own objects are reached by: no field may make such a name usable.
INNER: Final = frozenset(
    name
    for kind in (
        types.GeneratorType, types.FrameType, types.CodeType, types.TracebackType, types.FunctionType, types.MethodType,
        types.ModuleType, type,
    )
    for name in dir(kind)
)  # fmt: skip
DECLARING: Final = frozenset({BASE, *KINDS, *IMPORTS["typing"], "dataclass"})
METHODS: Final = frozenset(
    {
        "append", "clear", "copy", "count", "endswith", "extend", "get", "index", "insert", "is_integer", "items", "join",
        "keys", "lower", "pop", "remove", "reverse", "sort", "split", "startswith", "strip", "update", "upper", "values",
    }
)  # fmt: skip
STATEMENTS: Final = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.If, ast.For, ast.Return, ast.Pass, ast.Break, ast.Continue,
    ast.Raise, ast.Try,
)  # fmt: skip
EXPRESSIONS: Final = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.IfExp, ast.Call, ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
    ast.FormattedValue, ast.Starred, ast.Lambda, ast.NamedExpr,
)  # fmt: skip
# Annotations are never evaluated: `from __future__ import annotations` for every source.
FLAGS: Final = __future__.annotations.compiler_flag
TYPES: Final = (ast.Name, ast.Subscript, ast.Tuple, ast.Constant, ast.BinOp)
CONSTANTS: Final = (ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.Name, ast.Attribute)
INSTEAD: Final[Mapping[type[ast.AST], str]] = {
    ast.While: "while may never end. Write for … in range(…)",
    ast.Global: "global changes what other blocks see. Declare a State",
    ast.Nonlocal: "nonlocal is hidden state. Declare a State",
    ast.With: "with is for resources, and a block has none. Leave it out",
    ast.Delete: "del is not used in a block. Leave it out",
    ast.Import: "an import stands at the top of the file. Move it",
    ast.ImportFrom: "an import stands at the top of the file. Move it",
    ast.FunctionDef: "a function in a function is not used in a block. Move it to the class or the file",
    ast.ClassDef: "a class stands at the top of the file. Move it",
    ast.Set: "a set has no fixed order. Write a tuple or a dict",
    ast.SetComp: "a set has no fixed order. Write a list or a dict",
    ast.Yield: "a generator keeps hidden state. Return a list",
    ast.YieldFrom: "a generator keeps hidden state. Return a list",
    ast.Await: "a block waits for nothing. Leave it out",
}
WHY: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("open", "input", "print"), "a block reads its inputs and writes its outputs, nothing else"
    ),
    **dict.fromkeys(("exec", "eval", "compile", "__import__"), "a block makes no code"),
    **dict.fromkeys(("set", "frozenset"), "a set has no fixed order: write a tuple or a dict"),
    **dict.fromkeys(("hash", "id"), "it differs from run to run"),
}
