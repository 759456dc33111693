"""One cell as a number, an amount or a flag: strict, exact, with words that say what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

TRUE_WORDS = ("yes", "y", "true", "t", "1", "是", "真", "有")
FALSE_WORDS = ("no", "n", "false", "f", "0", "否", "假", "无")

# ISO 4217 currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}

_LARGEST_EXACT = 2**53
_LARGEST_INTEGER = 2**63 - 1
_WIDE = str.maketrans("０１２３４５６７８９．，－＋−（）％", "0123456789.,-+-()%")
_POINT = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:([, '’\u00a0\u202f])\d{3})(?:\1\d{3})*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:([. '’\u00a0\u202f])\d{3})(?:\1\d{3})*)(?:,\d+)?(?:[eE][+-]?\d{1,3})?")
_NO_GROUP_AFTER_COMMA = re.compile(r"\d,(?!\d{3}(?!\d))")
_SIGNS = re.compile(r"[¥￥$€£₩₹元]|(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_SCALES = {"千": 1_000, "万": 10_000, "百万": 1_000_000, "亿": 100_000_000, "k": 1_000, "K": 1_000}
_SCALED = re.compile(r"(.*\d)\s*(百万|千|万|亿|k|K)")


def exponent_of(currency: str) -> int:
    """Decimal places of a currency's minor unit.

    Examples
    --------
    >>> exponent_of("JPY"), exponent_of("CNY"), exponent_of("KWD")
    (0, 2, 3)
    """
    return _EXPONENTS.get(currency, 2)


def has_foreign_comma(values: Iterable[str]) -> bool:
    """Whether some value has a comma that separates no thousands, so that no comma of the column may.

    Examples
    --------
    >>> has_foreign_comma(["1,500", "2,75"])
    True
    """
    return any(_NO_GROUP_AFTER_COMMA.search(value.translate(_WIDE)) for value in values)


def parse_decimal(value: str, *, decimal_comma: bool = False, commas: bool = True) -> Decimal:
    """A number as written; thousands separators count only in whole groups of three.

    Raises
    ------
    ValueError
        It is no number; the message says what was expected.

    Examples
    --------
    >>> parse_decimal("1,234.50"), parse_decimal("1.234,50", decimal_comma=True), parse_decimal("１２")
    (Decimal('1234.50'), Decimal('1234.50'), Decimal('12'))
    """
    text = value.translate(_WIDE)
    matched = (_COMMA if decimal_comma else _POINT).fullmatch(text)
    if matched is None or (not commas and not decimal_comma and "," in text):
        hint = "; state `decimal_comma: true` when the comma is the decimal sign" if "," in text else ""
        raise ValueError(f"expected a number such as {'1234,5' if decimal_comma else '1234.5'}{hint}")
    separator = matched.group(1)
    if separator:
        text = text.replace(separator, "")
    return Decimal(text.replace(",", ".") if decimal_comma else text)


def parse_number(value: str, *, decimal_comma: bool, commas: bool, percent: bool) -> float:
    """A finite number; with `percent`, `12 %` is 0.12.

    Examples
    --------
    >>> parse_number("12 %", decimal_comma=False, commas=True, percent=True)
    0.12
    """
    text = value.translate(_WIDE)
    if percent:
        return float(parse_decimal(text.removesuffix("%").rstrip(), decimal_comma=decimal_comma, commas=commas) / 100)
    if text.endswith("%"):
        raise ValueError("expected a number without %; state `parse: percent` when it is one")
    number = float(parse_decimal(text, decimal_comma=decimal_comma, commas=commas))
    if number in (float("inf"), float("-inf")):
        raise ValueError("expected a number below 1e308")
    return number


def parse_integer(value: str, *, decimal_comma: bool, commas: bool) -> int:
    """A whole number; `3.0` is one, `3.5` is not."""
    number = parse_decimal(value, decimal_comma=decimal_comma, commas=commas)
    if number != number.to_integral_value():
        raise ValueError("expected a whole number")
    if abs(number) > _LARGEST_INTEGER:
        raise ValueError("expected a whole number below 2^63")
    return int(number)


def parse_amount(value: str, *, decimal_comma: bool = False, commas: bool = True) -> Decimal:
    """An amount in major units: currency signs, brackets for negatives and 万, 亿, k are understood.

    Examples
    --------
    >>> parse_amount("(¥1,234.50)"), parse_amount("3.5万")
    (Decimal('-1234.50'), Decimal('35000.0'))
    """
    text = value.translate(_WIDE)
    if "%" in text:
        raise ValueError("expected an amount, not a percentage")
    text, negative = _without_sign(_SIGNS.sub("", text, count=1).strip())
    text = _SIGNS.sub("", text, count=1).strip()
    scaled = _SCALED.fullmatch(text)
    scale = 1
    if scaled is not None:
        text, scale = scaled.group(1).strip(), _SCALES[scaled.group(2)]
    if re.search("[eE]", text):
        raise ValueError("expected an amount in plain digits, not in powers of ten: the source has lost digits")
    try:
        amount = parse_decimal(text, decimal_comma=decimal_comma, commas=commas) * scale
    except ValueError as error:
        raise ValueError(str(error).replace("a number such as", "an amount such as")) from None
    return -amount if negative else amount


def to_minor_units(amount: Decimal, *, exponent: int, rounded: bool) -> int:
    """An amount in integer minor units.

    Raises
    ------
    ValueError
        It is finer than the currency's minor unit and rounding was not stated, or too large to keep.

    Examples
    --------
    >>> to_minor_units(Decimal("12.34"), exponent=2, rounded=False)
    1234
    """
    minor = amount.scaleb(exponent)
    whole = minor.to_integral_value(rounding=ROUND_HALF_EVEN)
    if whole != minor and not rounded:
        raise ValueError(f"expected at most {exponent} decimal places; state `rounded: true` to round half to even")
    if abs(whole) > _LARGEST_INTEGER:
        raise ValueError("expected an amount below 9.2e18 minor units")
    return int(whole)


def parse_flag(value: str, *, true: tuple[str, ...], false: tuple[str, ...]) -> bool:
    """Yes or no, by the words given, without regard to case."""
    word = value.casefold()
    if word in true:
        return True
    if word in false:
        return False
    raise ValueError(f"expected one of {', '.join((*true, *false)[:16])}; state `true:` and `false:` for other words")


def plain_number(value: str) -> float | None:
    """The number when the text is nothing but one and loses nothing as one; None otherwise.

    Examples
    --------
    >>> plain_number("0007") is None, plain_number("1E5") is None, plain_number("-3.50")
    (True, True, -3.5)
    """
    if re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", value, flags=re.ASCII) is None:
        return None
    number = float(value)
    return number if abs(number) < _LARGEST_EXACT else None


def _without_sign(text: str) -> tuple[str, bool]:
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True
    if text.endswith("-"):
        return text[:-1].strip(), True
    return text, False
