"""A calibrator as knots: from a model's log-odds to honest log-odds, without any library.

Between knots the curve is a straight line in log-odds; beyond the ends it runs on with slope one. It therefore
never ties two different scores, unlike the step functions that some methods give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

MAX_LOG_ODDS = 35.0
"""Beyond this a float64 probability is 0 or 1 to the last bit but one."""


def sigmoid(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Probabilities of log-odds.

    Examples
    --------
    >>> sigmoid(np.array([0.0])).tolist()
    [0.5]
    """
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS))))


def logit(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Log-odds of probabilities; 0 and 1 give the largest log-odds kept, not infinity."""
    tiny = np.exp(-MAX_LOG_ODDS)
    clipped = np.clip(probability, tiny, 1.0 - 1e-15)
    return np.asarray(np.log(clipped / (1.0 - clipped)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrator:
    """A rising curve in log-odds.

    Parameters
    ----------
    method : str
        How it was found: `identity`, `beta`, `venn_abers`, `isotonic`.
    x, y : ndarray of float64
        Knots, `x` strictly rising, `y` never falling.
    shift : float
        Added to the result: correction of a base rate that has moved.
    n : int
        Number of outcomes it was learned from.
    """

    method: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    shift: float = 0.0
    n: int = 0

    def __call__(self, log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calibrated log-odds, shape as given."""
        inside = np.clip(log_odds, self.x[0], self.x[-1])
        return np.asarray(np.interp(inside, self.x, self.y) + (log_odds - inside) + self.shift)

    def mirrored(self) -> Calibrator:
        """The same curve for the chance that the event stays away.

        Examples
        --------
        >>> curve = Calibrator(method="beta", x=np.array([-1.0, 2.0]), y=np.array([0.0, 1.0]), shift=0.5)
        >>> bool(np.isclose(curve.mirrored()(np.array([-1.5])), -curve(np.array([1.5])))[0])
        True
        """
        return replace(self, x=-self.x[::-1], y=-self.y[::-1], shift=-self.shift)


IDENTITY = Calibrator(method="identity", x=np.array([-1.0, 1.0]), y=np.array([-1.0, 1.0]))


def calibrator_to_json(calibrator: Calibrator) -> dict[str, object]:
    """A calibrator as plain JSON values."""
    return {
        "method": calibrator.method,
        "x": calibrator.x.tolist(),
        "y": calibrator.y.tolist(),
        "shift": calibrator.shift,
        "n": calibrator.n,
    }


def calibrator_from_json(content: Mapping[str, object]) -> Calibrator:
    """The calibrator written by `calibrator_to_json`.

    Raises
    ------
    ValueError
        The knots do not rise.
    """
    x = np.asarray(content["x"], dtype=np.float64)
    y = np.asarray(content["y"], dtype=np.float64)
    if len(x) < 2 or len(x) != len(y) or not (np.diff(x) > 0).all() or not (np.diff(y) >= 0).all():
        raise ValueError("calibrator: expected two or more rising knots")
    return Calibrator(
        method=str(content["method"]), x=x, y=y, shift=float(str(content["shift"])), n=int(str(content["n"]))
    )
