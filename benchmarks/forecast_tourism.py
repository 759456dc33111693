"""Reconciliation on the Australian tourism panel: 425 nodes by quarter, beside hierarchicalforecast on equal base."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from benchmarks.figures import Figure
from benchmarks.shared_data import taken_in
from crm.config import Config
from crm.reading import read_as_of
from models.reconcile import Method, reconcile, round_to_cents
from models.reconcile_choose import Origin, choose_method
from models.series_judge import draw_months

Floats: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = Callable[[Floats], float]

QUARTERS = 4
N_TEST = 8
FIRST_ORIGIN, STEP = 24, 2
# As many moments as the forecast task keeps for its test.
N_CHOSEN_ON = 6
NAMES = ("tourism_rmse", "tourism_rmse_pooled", "tourism_rmse_oracle_library", "tourism_coherence_error")
_PROTOCOL = (
    "tourism panel to 2015Q4, 425 nodes (total, 8 states, 4 purposes, states x purposes, 76 regions, 304 regions x "
    "purposes), thousand trips, test: the last 8 quarters; base: AutoETS (`ZZA`, season 4) of statsforecast on every "
    "node alone, the same for all; interval: bootstrap of blocks of two quarters"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tourism:
    """The panel: trips of every node by quarter, and which parts each node sums over.

    Attributes
    ----------
    names : tuple of tuple of str
        State, region and purpose of each node, `*` where it sums over all; the bottom last.
    S : scipy.sparse.csr_matrix, shape (n_nodes, n_bottom)
        Summing matrix.
    trips : ndarray of float64, shape (n_nodes, n_quarters)
        Thousands.
    """

    names: tuple[tuple[str, str, str], ...]
    S: Any
    trips: Floats


def measure_tourism(seed: int) -> Iterator[Figure]:
    """Errors of base, bottom-up, ours and the library's on the last eight quarters, and whether ours add up."""
    tourism = read_tourism()
    if tourism is None:
        for name in NAMES:
            yield Figure(name=f"forecast/{name}", value=None, protocol=_PROTOCOL)
        return
    trips, end = tourism.trips, tourism.trips.shape[1] - N_TEST
    said = {origin: _base(trips[:, :origin]) for origin in range(FIRST_ORIGIN, end + 1, STEP)}
    outcome, base = trips[:, end:], said[end][0]
    method, told = _choose(tourism, said, end)
    residuals = _residuals(tourism, said, end)
    ours = reconcile(base, tourism.S, method, residuals, nonnegative=True)
    plain = {"base": base, "bottom-up": reconcile(base, tourism.S, Method.BOTTOM_UP)}
    library = _library(tourism, base, trips[:, :end], said[end][1])
    print(f"tourism: {told}", file=sys.stderr)
    yield from _errors(outcome, ours, plain, library, told, seed)
    yield _coherence(tourism, ours, base)


def read_tourism() -> Tourism | None:
    """The panel, taken in through its mapping; None when the data are absent."""
    config = Config.model_validate({"company": {"time_zone": "Australia/Sydney"}})
    with taken_in("aus_tourism", config) as generation:
        if generation is None:
            return None
        rows = read_as_of(generation, "panel", generation.recorded_to, config.company.zone).to_pylist()
    series = sorted({row["unique_id"] for row in rows}, key=lambda name: name.split("/"))
    quarters = sorted({row["ds"] for row in rows})
    place = {name: number for number, name in enumerate(series)}
    column = {day: number for number, day in enumerate(quarters)}
    bottom = np.full((len(series), len(quarters)), np.nan)
    for row in rows:
        bottom[place[row["unique_id"]], column[row["ds"]]] = row["y"]
    parts = [tuple(name.split("/")) for name in series]
    names: list[tuple[str, str, str]] = []
    for kept in ((), (0,), (2,), (0, 2), (0, 1), (0, 1, 2)):
        names += sorted({_node(part, kept) for part in parts})
    matrix = np.array([[_holds(node, part) for part in names[-len(parts) :]] for node in names])
    S = sparse.csr_matrix(matrix, dtype=np.float64)
    return Tourism(names=tuple(names), S=S, trips=np.asarray(S @ bottom))


def _node(part: tuple[str, ...], kept: tuple[int, ...]) -> tuple[str, str, str]:
    state, region, purpose = (name if place in kept else "*" for place, name in enumerate(part))
    return state, region, purpose


def _base(known: Floats) -> tuple[Floats, Floats]:
    """What ETS says of the next eight quarters, and what it said of those it was fitted on."""
    from statsforecast.models import AutoETS

    found = [AutoETS(season_length=QUARTERS, model="ZZA").forecast(y=y, h=N_TEST, fitted=True) for y in known]
    return np.array([one["mean"] for one in found]), np.array([one["fitted"] for one in found])


def _residuals(tourism: Tourism, said: Mapping[int, tuple[Floats, Floats]], known_to: int) -> Floats:
    """Outcome less forecast, one to eight quarters ahead, of every earlier origin, of the quarters closed by now."""
    found = []
    for origin, (ahead, _) in said.items():
        steps = min(N_TEST, known_to - origin)
        if steps > 0:
            found.append(tourism.trips[:, origin : origin + steps] - ahead[:, :steps])
    return np.hstack(found)


def _choose(tourism: Tourism, said: Mapping[int, tuple[Floats, Floats]], end: int) -> tuple[Method, str]:
    """The method by the newest origins whose eight quarters had all come before the test begins."""
    chosen_on = [origin for origin in said if origin + N_TEST <= end][-N_CHOSEN_ON:]
    origins = [
        Origin(
            base=said[origin][0],
            outcome=tourism.trips[:, origin : origin + N_TEST],
            residuals=_residuals(tourism, said, origin),
        )
        for origin in chosen_on
    ]
    choice = choose_method(tourism.S, origins, nonnegative=True)
    errors = ", ".join(f"{name} {value:.3f}" for name, value in choice.errors.items())
    return (
        choice.method,
        f"{choice.method.value} chosen on {len(origins)} origins before the test (over base: {errors})",
    )


def _library(tourism: Tourism, base: Floats, known: Floats, fitted: Floats) -> dict[str, Floats]:
    """What the methods of hierarchicalforecast make of the same base, on the residuals of the fit as it takes them."""
    from hierarchicalforecast.methods import ERM, BottomUp, MinTrace

    full = np.asarray(tourism.S.toarray())
    found = {"BottomUp": BottomUp().fit_predict(S=full, y_hat=base)["mean"]}
    makers = {name: MinTrace(method=name) for name in ("ols", "wls_struct", "wls_var", "mint_shrink")}
    makers |= {f"{name} nonnegative": MinTrace(method=name, nonnegative=True) for name in ("ols", "mint_shrink")}
    for name, maker in makers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = maker.fit_predict(S=full, y_hat=base, y_insample=known, y_hat_insample=fitted)["mean"]
    found["ERM closed"] = ERM(method="closed").fit_predict(S=full, y_hat=base, y_insample=known, y_hat_insample=fitted)[
        "mean"
    ]
    return {name: np.asarray(values) for name, values in found.items()}


def _node_mean(squared: Floats) -> float:
    return float(np.sqrt(squared.mean(axis=1)).mean())


def _pooled(squared: Floats) -> float:
    return float(np.sqrt(squared.mean()))


def _errors(
    outcome: Floats, ours: Floats, plain: Mapping[str, Floats], library: Mapping[str, Floats], told: str, seed: int
) -> Iterator[Figure]:
    """Our error by both measures, and that of the library's best method."""
    squared = {name: (said - outcome) ** 2 for name, said in ({"ours": ours} | dict(plain) | dict(library)).items()}
    draws = draw_months(outcome.shape[1], seed)
    for name, score, kind in (("tourism_rmse", _node_mean, "node-mean"), ("tourism_rmse_pooled", _pooled, "pooled")):
        found = {method: score(values) for method, values in squared.items()}
        nearest = min(plain, key=found.__getitem__)
        best = min(library, key=found.__getitem__)
        low, high = _interval(score, squared["ours"], draws)
        gain = _interval(score, squared["ours"], draws, squared[nearest])
        versus = _interval(score, squared["ours"], draws, squared[best])
        others = ", ".join(f"{method} {value:.2f}" for method, value in found.items() if method != "ours")
        yield Figure(
            name=f"forecast/{name}",
            value=found["ours"],
            low=low,
            high=high,
            baseline=found[nearest],
            goal=min(found[nearest], found[best]),
            protocol=f"{kind} RMSE; {_PROTOCOL}; {told}; residuals: errors one to eight quarters ahead of all origins "
            f"since {FIRST_ORIGIN} quarters of history, every {STEP} quarters, as known then; baseline: the better of "
            f"base and bottom-up ({nearest}), difference {gain[0]:+.2f} to {gain[1]:+.2f}; to the library's best by "
            f"hindsight ({best}) {versus[0]:+.2f} to {versus[1]:+.2f}; {others}",
        )
    best = min(library, key=lambda method: _node_mean(squared[method]))
    low, high = _interval(_node_mean, squared[best], draws)
    yield Figure(
        name="forecast/tourism_rmse_oracle_library",
        value=_node_mean(squared[best]),
        low=low,
        high=high,
        baseline=min(_node_mean(squared[name]) for name in plain),
        protocol=f"hierarchicalforecast's best method by hindsight ({best}, pooled {_pooled(squared[best]):.2f}) of "
        f"{', '.join(library)}, on the same base and the residuals of its fit; node-mean RMSE; {_PROTOCOL}",
    )


def _interval(
    score: Score, squared: Floats, draws: npt.NDArray[np.intp], other: Floats | None = None
) -> tuple[float, float]:
    """95 % of the draws of a score, or of its difference to another on the same quarters."""
    drawn = [score(squared[:, quarters]) - (0.0 if other is None else score(other[:, quarters])) for quarters in draws]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _coherence(tourism: Tourism, ours: Floats, base: Floats) -> Figure:
    """The greatest difference between a node and the sum of the parts that its name says, in whole hundredths."""
    n_bottom = tourism.S.shape[1]
    cents = round_to_cents(ours[-n_bottom:], tourism.S)

    def gap(values: npt.NDArray[Any]) -> float:
        parts = list(zip(tourism.names[-n_bottom:], values[-n_bottom:], strict=True))
        return max(
            float(np.abs(values[place] - sum(row for part, row in parts if _holds(node, part))).max())
            for place, node in enumerate(tourism.names)
        )

    return Figure(
        name="forecast/tourism_coherence_error",
        value=gap(cents),
        baseline=gap(base),
        goal=0.0,
        protocol="greatest difference of any node and quarter to the sum of its parts, added up by name; "
        f"after rounding to hundredths, exact; before it {gap(ours):.1e} by the order of adding; baseline: the base "
        "forecasts",
    )


def _holds(node: tuple[str, str, str], part: tuple[str, str, str]) -> bool:
    return all(a in ("*", b) for a, b in zip(node, part, strict=True))
