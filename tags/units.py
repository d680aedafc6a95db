"""Units of measurement: symbols, conversion, and their OPC UA identity; quantities and durations as text.

Units come from UNECE Recommendation 20, as OPC 10000-8 §5.6.3 asks: the OPC UA `unitId` is the common code's
bytes read as a big-endian number. The canonical symbol is the one for screens (`°C`, `m³/h`); every unit can
also be typed in ASCII (`degC`, `m3/h`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NAMESPACE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit; a value in the dimension's base unit is `value * factor + offset`.

    Attributes:
        symbol: For screens, for example `m³/h`.
        code: UNECE common code of 2 or 3 characters, or "" when UNECE has none.
        description: UNECE name.
        dimension: Units of one dimension convert into each other.
        factor: Base units per unit.
        offset: Base value at 0; only temperatures have one.
        aliases: Other spellings.
    """

    symbol: str
    code: str
    description: str
    dimension: str
    factor: float = 1.0
    offset: float = 0.0
    aliases: tuple[str, ...] = ()

    @property
    def unit_id(self) -> int:
        """The `unitId` of OPC UA's EUInformation; -1 when UNECE has no code."""
        return int.from_bytes(self.code.encode(), "big") if self.code else -1


_TABLE: Final = (
    Unit("%", "P1", "percent", "ratio", 0.01),
    Unit("%RH", "P1", "percent", "humidity", 0.01),
    Unit("‰", "NX", "part per thousand", "ratio", 0.001, aliases=("permille",)),
    Unit("ppm", "59", "part per million", "ratio", 1e-6),
    Unit("1", "C62", "one", "ratio", 1.0),
    Unit("K", "KEL", "kelvin", "temperature"),
    Unit("°C", "CEL", "degree Celsius", "temperature", 1.0, 273.15, ("degC",)),
    Unit("°F", "FAH", "degree Fahrenheit", "temperature", 5 / 9, 459.67 * 5 / 9, ("degF",)),
    Unit("m", "MTR", "metre", "length"),
    Unit("km", "KMT", "kilometre", "length", 1e3),
    Unit("cm", "CMT", "centimetre", "length", 1e-2),
    Unit("mm", "MMT", "millimetre", "length", 1e-3),
    Unit("µm", "4H", "micrometre (micron)", "length", 1e-6, aliases=("um", "μm")),
    Unit("in", "INH", "inch", "length", 0.0254),
    Unit("ft", "FOT", "foot", "length", 0.3048),
    Unit("m²", "MTK", "square metre", "area", aliases=("m2",)),
    Unit("cm²", "CMK", "square centimetre", "area", 1e-4, aliases=("cm2",)),
    Unit("mm²", "MMK", "square millimetre", "area", 1e-6, aliases=("mm2",)),
    Unit("m³", "MTQ", "cubic metre", "volume", aliases=("m3",)),
    Unit("l", "LTR", "litre", "volume", 1e-3, aliases=("L",)),
    Unit("hl", "HLT", "hectolitre", "volume", 0.1, aliases=("hL",)),
    Unit("ml", "MLT", "millilitre", "volume", 1e-6, aliases=("mL",)),
    Unit("s", "SEC", "second [unit of time]", "time"),
    Unit("ms", "C26", "millisecond", "time", 1e-3),
    Unit("µs", "B98", "microsecond", "time", 1e-6, aliases=("us", "μs")),
    Unit("ns", "C47", "nanosecond", "time", 1e-9),
    Unit("min", "MIN", "minute [unit of time]", "time", 60.0),
    Unit("h", "HUR", "hour", "time", 3600.0),
    Unit("d", "DAY", "day", "time", 86400.0),
    Unit("Pa", "PAL", "pascal", "pressure"),
    Unit("hPa", "A97", "hectopascal", "pressure", 1e2),
    Unit("kPa", "KPA", "kilopascal", "pressure", 1e3),
    Unit("MPa", "MPA", "megapascal", "pressure", 1e6),
    Unit("mbar", "MBR", "millibar", "pressure", 1e2),
    Unit("bar", "BAR", "bar [unit of pressure]", "pressure", 1e5),
    Unit("psi", "PS", "pound-force per square inch", "pressure", 6894.757293168),
    Unit("m/s", "MTS", "metre per second", "speed"),
    Unit("m/min", "2X", "metre per minute", "speed", 1 / 60),
    Unit("mm/s", "C16", "millimetre per second", "speed", 1e-3),
    Unit("cm/s", "2M", "centimetre per second", "speed", 1e-2),
    Unit("m/h", "M60", "metre per hour", "speed", 1 / 3600),
    Unit("km/h", "KMH", "kilometre per hour", "speed", 1 / 3.6),
    Unit("kn", "KNT", "knot", "speed", 1852 / 3600),
    Unit("m³/s", "MQS", "cubic metre per second", "flow", aliases=("m3/s",)),
    Unit("m³/min", "G53", "cubic metre per minute", "flow", 1 / 60, aliases=("m3/min",)),
    Unit("m³/h", "MQH", "cubic metre per hour", "flow", 1 / 3600, aliases=("m3/h",)),
    Unit("m³/d", "G52", "cubic metre per day", "flow", 1 / 86400, aliases=("m3/d",)),
    Unit("l/s", "G51", "litre per second", "flow", 1e-3, aliases=("L/s",)),
    Unit("l/min", "L2", "litre per minute", "flow", 1e-3 / 60, aliases=("L/min",)),
    Unit("l/h", "E32", "litre per hour", "flow", 1e-3 / 3600, aliases=("L/h",)),
    Unit("kg", "KGM", "kilogram", "mass"),
    Unit("g", "GRM", "gram", "mass", 1e-3),
    Unit("mg", "MGM", "milligram", "mass", 1e-6),
    Unit("t", "TNE", "tonne (metric ton)", "mass", 1e3),
    Unit("lb", "LBR", "pound", "mass", 0.45359237),
    Unit("kg/s", "KGS", "kilogram per second", "mass flow"),
    Unit("kg/min", "F31", "kilogram per minute", "mass flow", 1 / 60),
    Unit("kg/h", "E93", "kilogram per hour", "mass flow", 1 / 3600),
    Unit("t/h", "E18", "tonne per hour", "mass flow", 1 / 3.6),
    Unit("V", "VLT", "volt", "voltage"),
    Unit("mV", "2Z", "millivolt", "voltage", 1e-3),
    Unit("kV", "KVT", "kilovolt", "voltage", 1e3),
    Unit("A", "AMP", "ampere", "current"),
    Unit("mA", "4K", "milliampere", "current", 1e-3),
    Unit("µA", "B84", "microampere", "current", 1e-6, aliases=("uA", "μA")),
    Unit("kA", "B22", "kiloampere", "current", 1e3),
    Unit("W", "WTT", "watt", "power"),
    Unit("kW", "KWT", "kilowatt", "power", 1e3),
    Unit("MW", "MAW", "megawatt", "power", 1e6),
    Unit("VA", "D46", "volt - ampere", "apparent power"),
    Unit("kVA", "KVA", "kilovolt - ampere", "apparent power", 1e3),
    Unit("MVA", "MVA", "megavolt - ampere", "apparent power", 1e6),
    Unit("var", "D44", "var", "reactive power"),
    Unit("kvar", "KVR", "kilovar", "reactive power", 1e3),
    Unit("J", "JOU", "joule", "energy"),
    Unit("kJ", "KJO", "kilojoule", "energy", 1e3),
    Unit("MJ", "3B", "megajoule", "energy", 1e6),
    Unit("Wh", "WHR", "watt hour", "energy", 3600.0),
    Unit("kWh", "KWH", "kilowatt hour", "energy", 3.6e6),
    Unit("MWh", "MWH", "megawatt hour (1000 kW.h)", "energy", 3.6e9),
    Unit("GWh", "GWH", "gigawatt hour", "energy", 3.6e12),
    Unit("W/m²", "D54", "watt per square metre", "irradiance", aliases=("W/m2",)),
    Unit("Hz", "HTZ", "hertz", "frequency"),
    Unit("kHz", "KHZ", "kilohertz", "frequency", 1e3),
    Unit("rpm", "RPM", "revolutions per minute", "rotation", 1 / 60, aliases=("r/min", "1/min")),
    Unit("Ω", "OHM", "ohm", "resistance", aliases=("ohm", "Ω")),
    Unit("kΩ", "B49", "kiloohm", "resistance", 1e3, aliases=("kohm", "kΩ")),
    Unit("°", "DD", "degree [unit of angle]", "angle", 0.017453292519943295, aliases=("deg",)),
    Unit("rad", "C81", "radian", "angle"),
    Unit("N", "NEW", "newton", "force"),
    Unit("kN", "B47", "kilonewton", "force", 1e3),
    Unit("N·m", "NU", "newton metre", "torque", aliases=("Nm",)),
    Unit("pH", "Q30", "pH (potential of Hydrogen)", "pH"),
    Unit("µg/l", "H29", "microgram per litre", "density", 1e-6, aliases=("ug/l", "μg/l")),
    Unit("mg/l", "M1", "milligram per litre", "density", 1e-3, aliases=("mg/L",)),
    Unit("g/l", "GL", "gram per litre", "density", aliases=("g/L",)),
    Unit("kg/m³", "KMQ", "kilogram per cubic metre", "density", aliases=("kg/m3",)),
    Unit("µS/cm", "G42", "microsiemens per centimetre", "conductivity", 1e-4, aliases=("uS/cm", "μS/cm")),
    Unit("mS/cm", "H61", "millisiemens per centimetre", "conductivity", 0.1),
    Unit("S/m", "D10", "siemens per metre", "conductivity"),
    Unit("lx", "LUX", "lux", "illuminance"),
    Unit("dB", "2N", "decibel", "level"),
)

UNITS: Final[dict[str, Unit]] = {
    spelling: unit for unit in _TABLE for spelling in (unit.symbol, *unit.aliases)
}  # every spelling; canonical ones too

TIME_NS: Final[dict[str, int]] = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}

NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({NUMBER})\s*(\S.*?)?\s*")
_LONGEST_NS: Final = 2**62
_COMPARED_MAX: Final = 2000


class UnitError(ValueError):
    """A unit, quantity or duration that cannot be understood; the message says what to write."""


def find(symbol: str) -> Unit:
    """The unit of a symbol or alias.

    Raises:
        UnitError: Unknown; says the nearest spelling.
    """
    unit = UNITS.get(symbol)
    if unit is None:
        raise UnitError(f"unknown unit {symbol!r}{did_you_mean(symbol, UNITS)}")
    return unit


def did_you_mean(word: str, known: Iterable[object], limit: int = 1) -> str:
    """`; did you mean 'x'?` for the nearest known word, else an empty text.

    Args:
        word: What was written.
        known: What there is. Of very many paths only those with the same parent or the same last part are compared.
        limit: Offer at most this many.
    """
    by_fold = {str(item).casefold(): str(item) for item in known}
    wanted = word.casefold()
    near: Iterable[str] = by_fold
    if len(by_fold) > _COMPARED_MAX:
        parent, _, last = wanted.rpartition("/")
        near = [fold for fold in by_fold if fold.startswith(f"{parent}/") or fold.endswith(f"/{last}")]
        near = near[:_COMPARED_MAX]
    close = difflib.get_close_matches(wanted, near, limit, 0.6)
    return "; did you mean " + " or ".join(repr(by_fold[match]) for match in close) + "?" if close else ""


def compatible(a: str | None, b: str | None) -> bool:
    """True when values of the two units convert into each other; None (no unit) only fits None.

    Raises:
        UnitError: One of them is unknown.
    """
    if a is None or b is None:
        return a is b
    return find(a).dimension == find(b).dimension


def linear(source: str, target: str) -> tuple[float, float]:
    """Conversion as `target_value = source_value * gain + offset`.

    Returns:
        Gain and offset; exactly (1.0, 0.0) for equal units.

    Raises:
        UnitError: Unknown, or of different dimensions.
    """
    a, b = find(source), find(target)
    if a is b:
        return 1.0, 0.0
    if a.dimension != b.dimension:
        raise UnitError(f"{a.symbol} is a {a.dimension} and {b.symbol} is a {b.dimension}")
    return a.factor / b.factor, (a.offset - b.offset) / b.factor


def convert(value: float, source: str | None, target: str | None) -> float:
    """A value in another unit of the same dimension; None (a bare number) is taken as it is.

    Raises:
        UnitError: Unknown, or of different dimensions.
    """
    if source is None or target is None:
        return value
    gain, offset = linear(source, target)
    return value * gain + offset


def convert_difference(value: float, source: str | None, target: str | None) -> float:
    """A difference (dead band, span, rate) in another unit: like `convert` without the zero point.

    Raises:
        UnitError: Unknown, or of different dimensions.
    """
    if source is None or target is None:
        return value
    return value * linear(source, target)[0]


def quantity(text: str | float) -> tuple[float, str | None]:
    """Number and canonical unit symbol of `4.6 m`, `30 %`, `21.5 degC` or a bare number.

    Returns:
        Value, and the unit's symbol or None.

    Raises:
        UnitError: Not a number, not finite, or the unit is unknown.
    """
    if type(text) is int or type(text) is float:
        if text - text != 0:
            raise UnitError(f"{text!r} is not a finite number")
        return float(text), None
    if isinstance(text, bool):
        raise UnitError(f"{text!r} is not a number")
    match = _QUANTITY.fullmatch(str(text)) if isinstance(text, str | int | float) else None
    if match is None:
        raise UnitError(f"{text!r} is not a number with a unit, such as 4.6 m")
    value = float(match[1])
    if value in (float("inf"), float("-inf")):
        raise UnitError(f"{text!r} is too large")
    return value, find(match[2]).symbol if match[2] else None


def duration_ns(text: str | float) -> int:
    """Nanoseconds of `500 ms`, `1.5 h` and so on.

    Raises:
        UnitError: No unit (a bare number is refused), an unknown one, negative or absurdly long.
    """
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] is None:
        number = isinstance(text, int | float) and not isinstance(text, bool)
        if number or match is not None:
            raise UnitError(f"a duration needs a unit: write {str(text).strip()} s or {str(text).strip()} ms")
        raise UnitError(f"{text!r} is not a duration such as 500 ms, 30 s or 10 min")
    factor = TIME_NS.get(match[2])
    if factor is None:
        hint = did_you_mean(match[2], TIME_NS)
        raise UnitError(f"{match[2]!r} is not a unit of time (ms, s, min, h, d){hint}")
    number_ns = float(match[1]) * factor
    if not 0 <= number_ns < _LONGEST_NS:
        raise UnitError(f"{text!r} is not between 0 and 146 years")
    return round(number_ns)


def rate(text: str) -> tuple[float, str | None]:
    """Units per second of `0.1 m/min`, `5 %/s`.

    Returns:
        Value per second, and the symbol of the unit that changes (or None for `2 /s`).

    Raises:
        UnitError: Not a rate, or its units are unknown.
    """
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    above, slash, below = (match[2] or "").rpartition("/") if match else ("", "", "")
    if match is None or not slash:
        raise UnitError(f"{text!r} is not a rate such as 0.1 m/min or 5 %/s")
    if below.strip() not in TIME_NS:
        raise UnitError(f"{below.strip()!r} is not a unit of time (ms, s, min, h, d)")
    symbol = find(above.strip()).symbol if above.strip() else None
    return float(match[1]) / (TIME_NS[below.strip()] / 1e9), symbol
