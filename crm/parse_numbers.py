"""One cell as a number, an amount or a flag: strict, exact, with words that say what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

TRUE_WORDS = ("yes", "y", "true", "t", "1", "是", "真", "有")
FALSE_WORDS = ("no", "n", "false", "f", "0", "否", "假", "无")

# Money is kept in hundredths of the currency unit, whatever the currency: yen have no coins below one and dinars have
# three decimals, but one rule leaves no reader a factor to forget (ADR 0009).
_DECIMALS = 2

_LARGEST_EXACT = 2**53
_LARGEST_INTEGER = 2**63 - 1
_WIDE = str.maketrans("０１２３４５６７８９．，－＋−（）％", "0123456789.,-+-()%")
_POINT = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:([, '’\u00a0\u202f])\d{3})(?:\1\d{3})*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:([. '’\u00a0\u202f])\d{3})(?:\1\d{3})*)(?:,\d+)?(?:[eE][+-]?\d{1,3})?")
_NO_GROUP_AFTER_COMMA = re.compile(r"\d,(?!\d{3}(?!\d))")
_SIGNS = re.compile(r"[¥￥$€£₩₹元]|(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_SCALES = {"千": 1_000, "万": 10_000, "百万": 1_000_000, "亿": 100_000_000, "k": 1_000, "K": 1_000}
_SCALED = re.compile(r"(.*\d)\s*(百万|千|万|亿|k|K)")


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
    """An amount in currency units: currency signs, brackets for negatives and 万, 亿, k are understood.

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


def to_hundredths(amount: Decimal, *, rounded: bool) -> int:
    """An amount in hundredths of its currency unit, as the record keeps it.

    Raises
    ------
    ValueError
        It has more than two decimal places and rounding was not stated, or is too large to keep.

    Examples
    --------
    >>> to_hundredths(Decimal("12.34"), rounded=False), to_hundredths(Decimal("1.235"), rounded=True)
    (1234, 124)
    """
    hundredths = amount.scaleb(_DECIMALS)
    whole = hundredths.to_integral_value(rounding=ROUND_HALF_EVEN)
    if whole != hundredths and not rounded:
        raise ValueError(f"expected at most {_DECIMALS} decimal places; state `rounded: true` to round half to even")
    if abs(whole) > _LARGEST_INTEGER:
        raise ValueError("expected an amount below 9.2e16")
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
