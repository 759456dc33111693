"""How large a demo company is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The dimensions of one demo company.

    Parameters
    ----------
    name : str
        The word that asks for it.
    reps : int
        People who sell; presales, success and collectors come on top.
    months : int
        Length of the record.
    leads : int
        Leads over the whole record.
    contacts : float
        Factor on all contact rates; sets the number of activities.
    """

    name: str
    reps: int
    months: int
    leads: int
    contacts: float


class UnknownSize(ValueError):
    """No demo company of that size; the message lists those that exist."""


SIZES: dict[str, Size] = {
    size.name: size
    for size in (
        Size(name="tiny", reps=8, months=18, leads=600, contacts=1.0),
        Size(name="small", reps=20, months=48, leads=6_000, contacts=1.0),
        Size(name="medium", reps=150, months=96, leads=120_000, contacts=1.15),
        Size(name="large", reps=2_000, months=96, leads=3_000_000, contacts=1.35),
    )
}


def size_of(name: str) -> Size:
    """The size of that name.

    Raises
    ------
    UnknownSize
        There is no such size; the message lists those that exist.

    Examples
    --------
    >>> size_of("small").leads
    6000
    """
    if name not in SIZES:
        raise UnknownSize(f"no demo company of size {name!r}; there are {', '.join(SIZES)}")
    return SIZES[name]
