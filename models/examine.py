"""The one look at the test window: figures beside baselines, intervals, segments, replay, champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.matrix import TrainingSet
from models import judge
from models.calibrate import Calibration
from models.calibrator import sigmoid
from models.candidates import BASELINES
from models.learn import Choice, fit_model
from models.metrics import auc, log_loss, make_blocks, paired_interval
from models.ranking import judge_ranking
from models.report import FoldFigures, RandomSplitGap, TrainReport, Versus
from models.scorer import Scorer
from models.splits import Plan, random_split
from models.value import replay_value

Floats: TypeAlias = npt.NDArray[np.float64]

N_DRAWS = 400
# Intervals of large windows are steady with fewer draws, and each draw costs a sort.
LEAST_DRAWS = 100
ROWS_FOR_ALL_DRAWS = 15_000
MIN_UNSEEN = 200
# The event rate is said to move when the windows differ by this factor and chance would not do it once in 1,000.
MOVING_LEVEL = 1.5
CHANCE_OF_MOVING = 0.001


def examine(
    report: TrainReport,
    usable: TrainingSet,
    plan: Plan,
    choice: Choice,
    calibration: Calibration,
    *,
    champion: tuple[str, Scorer] | None,
    seed: int,
) -> TrainReport:
    """The report with everything the test window says.

    Parameters
    ----------
    report : TrainReport
        What is known before.
    usable : TrainingSet
        Rows with known outcomes, without columns that leak.
    plan : Plan
        Splits.
    choice, calibration : Choice, Calibration
        Made on the origins before the test window.
    champion : (digest, Scorer) or None
        What answers now.
    seed : int
        Random state of fits and draws.
    """
    fit, rows = plan.test.fit, plan.test.judge
    model = fit_model(usable, fit, choice.learner, seed=seed)
    p = sigmoid(calibration.calibrator(model.log_odds(usable, rows)))
    found = judge_test(report, usable, plan, choice, p, calibrator=calibration.calibrator.method, seed=seed).report

    def answers_of(other: Scorer) -> Floats:
        return other.predict_table(usable.rows.take(rows))

    def refitted(other: Scorer) -> Floats:
        names = {field.name for field in other.encoder.fields}
        seen = usable.without({field.name for field in usable.fields} - names)
        return sigmoid(other.calibrator(fit_model(seen, fit, other.about.learner, seed=seed).log_odds(seen, rows)))

    return replace(
        found,
        calibrators=calibration.losses,
        random_split_gap=_random_gap(usable, plan, choice.learner, auc(usable.label[rows], p), seed=seed),
        versus_champion=compare_champion(
            usable, rows, p, champion, answers_of=answers_of, refitted=refitted, seed=seed
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedTest:
    """The report with what the test window says, and the opponent's probabilities there."""

    report: TrainReport
    baseline_p: Floats


def judge_test(
    report: TrainReport, usable: TrainingSet, plan: Plan, choice: Choice, p: Floats, *, calibrator: str, seed: int
) -> JudgedTest:
    """Figures, intervals, segments, calibration and replay of probabilities of the test window.

    Parameters
    ----------
    report : TrainReport
        What is known before.
    usable : TrainingSet
        The rows; those of the plan have known outcomes.
    plan : Plan
        The test window, and what baselines may learn from.
    choice : Choice
        The learner on earlier windows.
    p : ndarray of float64, shape (n_test,)
        Calibrated probabilities of the test rows, in the order of the plan.
    calibrator : str
        Name of the calibrator's method.
    seed : int
        Random state.
    """
    fit, rows = plan.test.fit, plan.test.judge
    test = usable.take(rows)
    y = test.label
    constant = np.full(len(y), usable.label[fit].mean() if len(fit) else np.nan)
    n_draws = draws_for(len(rows))
    folds = _folds(usable, choice)
    blocks = make_blocks(test.group, n_draws=n_draws, seed=seed)
    before = usable.label[fit]
    if 0 < y.sum() < len(y) and 0 < before.sum() < len(before):
        name, baseline = _baseline(usable, plan, seed=seed)
    else:
        name, baseline = "constant", constant
    intervals = judge.intervals(y, p, baseline, blocks)
    ranked, spreads = judge_ranking(test, p, seed=seed, n_draws=n_draws)
    first, last = when(usable, rows, last=False), when(usable, rows, last=True)
    found = replace(
        report,
        n_train=len(fit),
        n_test=len(rows),
        base_rate=float(before.mean()) if len(fit) else report.base_rate,
        train_from=when(usable, fit, last=False),
        test_from=first,
        test_to=last,
        learner=choice.learner,
        baseline_learner=name,
        calibrator=calibrator,
        metrics={
            **ranked,
            "test": judge.figures(y, p) | ranked.get("test", {}),
            "baseline": judge.figures(y, baseline),
            "constant": judge.figures(y, constant),
        },
        intervals=intervals | spreads,
        limits=(*report.limits, *_limits(plan, folds, intervals)),
        segments=judge.segments(test, p, seed=seed, n_draws=n_draws // 4),
        folds=folds,
        candidates=choice.table,
        calibration=judge.calibration_bins(y, p, blocks),
        value_replay=replay_value(y, p, test.value, blocks, from_position=first, to_position=last),
    )
    return JudgedTest(report=found, baseline_p=baseline)


def _baseline(usable: TrainingSet, plan: Plan, *, seed: int) -> tuple[str, Floats]:
    """The better of the untuned learners on the test window itself: a generous opponent."""
    rows = plan.test.judge
    found = {
        name: sigmoid(fit_model(usable, plan.test.fit, name, seed=seed).log_odds(usable, rows)) for name in BASELINES
    }
    best = max(found, key=lambda name: auc(usable.label[rows], found[name]))
    return best, found[best]


def _folds(usable: TrainingSet, choice: Choice) -> tuple[FoldFigures, ...]:
    return tuple(
        FoldFigures(
            origin=when(usable, part.rows, last=False),
            n_fit=part.n_fit,
            n_judged=len(part.rows),
            base_rate=float(part.y.mean()),
            auc=auc(part.y, part.log_odds),
            log_loss=log_loss(part.y, sigmoid(part.log_odds)),
        )
        for part in choice.judged
    )


def _limits(plan: Plan, folds: Sequence[FoldFigures], intervals: Mapping[str, tuple[float, float]]) -> list[str]:
    """What the figures themselves warn of, in words that `models.card_reasons` knows in Chinese."""
    found = []
    if plan.has_time and _level_moves(folds):
        rates = [fold.base_rate for fold in folds]
        found.append(
            f"the level moves: the event rate of earlier windows went from {min(rates):.1%} to {max(rates):.1%}; "
            "trust the order before the level"
        )
    low, high = intervals["log_loss_minus_baseline"]
    if low > 0:
        found.append(
            f"on the test window the untuned baseline has the smaller log loss (by {low:.3f} to {high:.3f}); "
            "the learner was chosen on earlier windows alone"
        )
    return found


def _level_moves(folds: Sequence[FoldFigures]) -> bool:
    from scipy.stats import chi2_contingency

    counts = np.array([[fold.base_rate * fold.n_judged, (1 - fold.base_rate) * fold.n_judged] for fold in folds])
    rates = [fold.base_rate for fold in folds]
    if len(folds) < 2 or (counts.sum(axis=0) == 0).any() or max(rates) < MOVING_LEVEL * min(rates):
        return False
    return bool(chi2_contingency(counts).pvalue < CHANCE_OF_MOVING)


def _random_gap(usable: TrainingSet, plan: Plan, learner: str, in_time: float, *, seed: int) -> RandomSplitGap | None:
    if not plan.has_time:
        return None
    split = random_split(usable, test_share=len(plan.test.judge) / len(usable.label), seed=seed)
    if usable.label[split.fit].min() == usable.label[split.fit].max():
        return None
    found = fit_model(usable, split.fit, learner, seed=seed).log_odds(usable, split.judge)
    value = auc(usable.label[split.judge], found)
    return RandomSplitGap(auc_random=value, auc_in_time=in_time, gap=value - in_time)


def when(usable: TrainingSet, rows: npt.NDArray[np.intp], *, last: bool) -> str:
    """The moment of the first or last row: a day when the rows have one, else the source's own order."""
    if len(rows) == 0 or not usable.has_time:
        return ""
    place = rows[np.argmax(usable.position[rows]) if last else np.argmin(usable.position[rows])]
    moment = usable.as_of[place]
    return f"row order {usable.position[place]:g}" if np.isnat(moment) else str(moment.astype("datetime64[D]"))


def draws_for(n_rows: int) -> int:
    """How many bootstrap draws a window of that size gets.

    Examples
    --------
    >>> draws_for(2_310), draws_for(30_000), draws_for(1_000_000)
    (400, 200, 100)
    """
    return int(np.clip(N_DRAWS * ROWS_FOR_ALL_DRAWS / max(n_rows, 1), LEAST_DRAWS, N_DRAWS))


def compare_champion(
    usable: TrainingSet,
    rows: npt.NDArray[np.intp],
    p: Floats,
    champion: tuple[str, Scorer] | None,
    *,
    answers_of: Callable[[Scorer], Floats],
    refitted: Callable[[Scorer], Floats],
    seed: int,
) -> Versus | None:
    """The challenger against the champion: on test rows it has not seen, else recipe against recipe.

    Parameters
    ----------
    usable : TrainingSet
        All rows.
    rows : ndarray of intp, shape (n_test,)
        The test window.
    p : ndarray of float64, shape (n_test,)
        The challenger's probabilities there.
    champion : (digest, Scorer) or None
        What answers now.
    answers_of, refitted : callable
        A champion's own probabilities of the test window, and those of its recipe fitted on what was known before.
    seed : int
        Random state of the draws.
    """
    if champion is None:
        return None
    digest, scorer = champion
    until = scorer.about.fitted_until_position
    unseen = usable.position[rows] > (np.inf if until is None else until)
    y = usable.label[rows]
    # Probabilities of another event are no answers to this question; the recipe can still be fitted to it.
    asks_the_same = (scorer.about.event, scorer.about.horizon_days) == (usable.event, usable.horizon_days)
    if asks_the_same and unseen.sum() >= MIN_UNSEEN and 0 < y[unseen].sum() < unseen.sum():
        basis, kept, other = "rows the champion has not seen", unseen, answers_of(scorer)
    else:
        basis, kept = "both recipes fitted on the same rows", np.ones(len(rows), dtype=bool)
        other = refitted(scorer)
    blocks = make_blocks(usable.group[rows][kept], n_draws=draws_for(len(rows)), seed=seed)
    last = float(usable.position.max()) if usable.has_time else None
    return Versus(
        champion=digest,
        basis=basis,
        n=int(kept.sum()),
        is_newer=not asks_the_same or (until is not None and last is not None and last > until),
        log_loss=paired_interval(log_loss, y[kept], p[kept], other[kept], blocks),
        auc=paired_interval(auc, y[kept], p[kept], other[kept], blocks),
    )
