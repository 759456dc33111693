"""Columns of amounts with tax, without it and in another currency, each rounded once and half up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Amounts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

# Products below this fit into 64 bits with room for the doubling that rounding needs.
_SAFE = 2**61


def add_taxes(net: Amounts, rates: Floats) -> Amounts:
    """Net amounts with their tax, hundredths; the column form of `crm.chain.add_tax`.

    Parameters
    ----------
    net : ndarray of int64, shape (n,)
        Hundredths of the currency unit.
    rates : ndarray of float64, shape (n,)
        Tax rates as shares; NaN is no tax.

    Examples
    --------
    >>> add_taxes(np.array([100_05, 10**15]), np.array([0.13, np.nan])).tolist()
    [11306, 1000000000000000]
    """
    up, down = _ratios(np.nan_to_num(rates), plus=1)
    return _scaled(net, up, down)


def take_taxes(gross: Amounts, rates: Floats) -> Amounts:
    """Gross amounts without their tax, hundredths; the column form of `crm.chain.take_tax`.

    Parameters
    ----------
    gross : ndarray of int64, shape (n,)
        Hundredths of the currency unit; negative for credit notes.
    rates : ndarray of float64, shape (n,)
        Tax rates as shares; NaN is no tax.

    Examples
    --------
    >>> take_taxes(np.array([113_00, -113_00]), np.array([0.13, 0.13])).tolist()
    [10000, -10000]
    """
    up, down = _ratios(np.nan_to_num(rates), plus=1)
    return _scaled(gross, down, up)


def convert(amounts: Amounts, rates: Floats) -> Amounts:
    """Amounts times exchange rates, exact in the decimal digits of the rate.

    Parameters
    ----------
    amounts : ndarray of int64, shape (n,)
        Hundredths of the foreign unit.
    rates : ndarray of float64, shape (n,)
        Reporting currency for one unit.

    Examples
    --------
    >>> convert(np.array([101, 10**14]), np.array([7.0, 7.123456789])).tolist()
    [707, 712345678900000]
    """
    up, down = _ratios(rates, plus=0)
    return _scaled(amounts, up, down)


def _ratios(rates: Floats, *, plus: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Rates as fractions of whole numbers, as written in decimal digits."""
    found, place = np.unique(rates, return_inverse=True)
    pairs = [(Decimal(str(rate)) + plus).as_integer_ratio() for rate in found.tolist()]
    up, down = (np.array([pair[side] for pair in pairs], dtype=object) for side in (0, 1))
    return up[place], down[place]


def _scaled(amounts: Amounts, up: npt.NDArray[Any], down: npt.NDArray[Any]) -> Amounts:
    """`amounts * up / down`, halves away from zero, without a rounding in between."""
    if len(amounts) == 0:
        return amounts
    # Whole numbers of Python where 64 bits would overflow.
    if int(np.abs(amounts).max()) * int(up.max()) < _SAFE and int(down.max()) < _SAFE:
        up, down = up.astype(np.int64), down.astype(np.int64)
        size = np.abs(amounts)
    else:
        size = np.abs(amounts).astype(object)
    rounded = (2 * size * up + down) // (2 * down)
    return np.asarray(np.sign(amounts) * rounded.astype(np.int64))
