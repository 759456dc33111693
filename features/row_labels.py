"""Names of rows, each stored once: what amounts are grouped by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Places: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """One name a row, stored once each.

    Attributes
    ----------
    names : tuple of str
        Every name that occurs, in the order of their text.
    codes : ndarray of intp, shape (n,)
        Place of each row's name in `names`; -1 where the record does not say.

    Examples
    --------
    >>> found = Labels.of(pa.array(["West", None, "East", "West"]))
    >>> found.names, found.codes.tolist()
    (('East', 'West'), [1, -1, 0, 1])
    """

    names: tuple[str, ...]
    codes: Places

    @classmethod
    def of(cls, cells: pa.Array) -> Labels:
        """The labels of a column of text."""
        coded = cells.dictionary_encode()
        said = coded.dictionary.to_pylist()
        names = tuple(sorted(said))
        place = {name: number for number, name in enumerate(names)}
        moved = np.array([*(place[name] for name in said), -1], dtype=np.intp)
        return cls(names=names, codes=moved[pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)])

    def take(self, rows: Places) -> Labels:
        """The labels of some rows, by place."""
        return Labels(names=self.names, codes=self.codes[rows])
