"""LightGBM's own library through its C interface: load text, predict, attribute.

The Python package brings pandas and scikit-learn into the process; a scoring worker needs neither, so the
shared library that the package ships is opened directly. Training uses the package itself.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Spinning OpenMP threads make two trainings on two cores twenty times slower; must be set before the library loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_FLOAT64 = 1
_RAW_SCORE = 1
_CONTRIBUTIONS = 3
_PARAMETERS = b"num_threads=1 verbosity=-1"
_PLACES = ("lib/lib_lightgbm.so", "lib/lib_lightgbm.dylib", "bin/lib_lightgbm.dll", "lib/lib_lightgbm.dll")


class BadBooster(Exception):
    """The text is no booster that LightGBM can read."""


@cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("lightgbm")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for place in _PLACES:
            path = Path(folder) / place
            if path.exists():
                library = ctypes.CDLL(str(path))
                library.LGBM_GetLastError.restype = ctypes.c_char_p
                return library
    raise BadBooster("LightGBM's shared library is missing; install the package lightgbm")


def _check(code: int) -> None:
    if code != 0:
        raise BadBooster(f"LightGBM: {_library().LGBM_GetLastError().decode(errors='replace')}")


class Booster:
    """A read-only booster; safe to share between threads, since every call uses the same parameters.

    Parameters
    ----------
    text : str
        LightGBM's text format. Verify its digest first: the library crashes on corrupted text.

    Raises
    ------
    BadBooster
        LightGBM refuses the text.
    """

    def __init__(self, text: str) -> None:
        library = _library()
        self._handle = ctypes.c_void_p()
        iterations = ctypes.c_int(0)
        _check(
            library.LGBM_BoosterLoadModelFromString(
                ctypes.c_char_p(text.encode()), ctypes.byref(iterations), ctypes.byref(self._handle)
            )
        )
        width = ctypes.c_int(0)
        _check(library.LGBM_BoosterGetNumFeature(self._handle, ctypes.byref(width)))
        self.n_fields = width.value
        classes = ctypes.c_int(0)
        _check(library.LGBM_BoosterGetNumClasses(self._handle, ctypes.byref(classes)))
        self.n_classes = classes.value
        self.n_trees = iterations.value

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library().LGBM_BoosterFree(self._handle)

    def log_odds(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Raw scores of encoded rows, shape (n_rows,)."""
        return self.scores(rows)[:, 0]

    def scores(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Raw scores of encoded rows for every class, shape (n_rows, n_classes); one class in a yes-or-no model."""
        return self._predict(rows, _RAW_SCORE, self.n_classes)

    def contributions(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """TreeSHAP contributions, shape (n_rows, n_classes * (n_fields + 1)); last of each: the expected raw score."""
        return self._predict(rows, _CONTRIBUTIONS, self.n_classes * (self.n_fields + 1))

    def _predict(self, rows: npt.NDArray[np.float64], what: int, width: int) -> npt.NDArray[np.float64]:
        data = np.ascontiguousarray(rows, dtype=np.float64)
        if data.ndim != 2 or data.shape[1] != self.n_fields:
            raise ValueError(f"expected rows of shape (n_rows, {self.n_fields}), got {data.shape}")
        result = np.empty((len(data), width), dtype=np.float64)
        if len(data) == 0:
            return result
        written = ctypes.c_int64(0)
        _check(
            _library().LGBM_BoosterPredictForMat(
                self._handle,
                data.ctypes.data_as(ctypes.c_void_p),
                _FLOAT64,
                ctypes.c_int32(len(data)),
                ctypes.c_int32(data.shape[1]),
                1,
                what,
                0,
                -1,
                ctypes.c_char_p(_PARAMETERS),
                ctypes.byref(written),
                result.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            )
        )
        if written.value != result.size:
            raise BadBooster(f"LightGBM wrote {written.value} numbers, expected {result.size}")
        return result
