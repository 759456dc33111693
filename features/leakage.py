"""Columns that know the outcome: found before training, from the data alone.

Two verdicts. *Quarantined*: the column cannot be an input. *Suspected*: nothing says when its values were written
and they behave as if it was after contact; left out until a person confirms the column in the mapping. Fields of
grade A carry their moment of writing and are never suspected. The principles and what they measured on known data
stand in docs/decisions/0006-leakage-verdicts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from features.matrix import Grade, Kind, TrainingSet
from features.screening import Fit, Floats, Screen, area, fit_small_booster, log_loss
from features.vocabulary import names_an_event

Verdict = Literal["quarantined", "suspected"]

LEAST_SUSPICIOUS_AUC = 0.85
MODEL_MARGIN = 0.02
# Share of the loss left by all other columns that one column takes away.
DOMINANT_SHARE = 0.25
OVERWHELMING_SHARE = 0.40
# A column of more values than this names who, not what: an identity may stand for all else that is known of it.
MOST_VALUES_OF_A_KIND = 50
CERTAIN_AUC = 0.95
TWIN_CORRELATION = 0.9
N_STRONGEST = 8
STRONG_WHERE_FILLED = 0.68
LEAST_MISSING = 0.05
LEAST_FILLED = 100
STRONG_FLAG = 0.75
PURE_SHARE = 0.99
LEAST_PURE_ROWS = 30
PURE_EVENTS = 0.5
MOST_COMMON_EVENT = 0.6
# Natural logarithm of the chance of so pure a filling among rows drawn at random.
PURE_LOG_CHANCE = -14.0
FALLING_FILL = 0.4
N_PARTS = 20
LEAST_SHARED_VALUES = 5
SHARED_VALUES = 0.4
EVENT_SHARE = 0.6
TELLING_AUC = 0.62
SAME_MASK = 0.98
GAP_LOSS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A column that must not be learned from.

    Parameters
    ----------
    column : str
        The column.
    verdict : str
        `quarantined` or `suspected`.
    check : str
        The check that found it first.
    evidence : str
        What was measured, with figures.
    """

    column: str
    verdict: Verdict
    check: str
    evidence: str


def find_leaks(
    training_set: TrainingSet,
    *,
    seed: int,
    fit: Fit = fit_small_booster,
    confirmed: Collection[str] = (),
    after_outcome: Collection[str] = (),
    delayed_label: Floats | None = None,
    ending: Floats | None = None,
    dated: Collection[str] = (),
    counted: Collection[str] = (),
) -> tuple[Finding, ...]:
    """The columns that know the outcome, quarantined ones first.

    Parameters
    ----------
    training_set : TrainingSet
        Rows with outcomes.
    seed : int
        Decides folds.
    fit : callable
        The learner that columns are tried with.
    confirmed : collection of str
        Columns a person vouches for: never suspected, still quarantined.
    after_outcome : collection of str
        Columns the mapping says are written after the outcome.
    delayed_label : ndarray, shape (n_rows,), or None
        The labels had the window begun 7 days later; a column that loses its skill knows what is about to happen.
    ending : ndarray, shape (n_rows,), or None
        Whether the event ever happened, NaN where that is open; None takes the labels.
    dated : collection of str
        Columns whose every state is known to have held at the moment: that they tell of the next days more than of
        later ones is no reproach.
    counted : collection of str
        Columns that a system counts as it happens: strong alone is no reproach, short of certainty.

    Returns
    -------
    tuple of Finding
        One per column.
    """
    if not training_set.fields:
        return ()
    screen = Screen(training_set, seed=seed, fit=fit, ending=ending)
    search = _Search(screen, confirmed=confirmed, counted=counted)
    for name in sorted(set(after_outcome) & set(screen.names)):
        search.add(name, "quarantined", "stated", "the mapping says it is written after the outcome")
    if 0 < screen.y.sum() < len(screen.y):
        search.run()
    if delayed_label is not None:
        search.near_the_label(training_set.without(frozenset(dated)), delayed_label, seed)
    order = {"quarantined": 0, "suspected": 1}
    return tuple(sorted(search.findings(), key=lambda finding: (order[finding.verdict], finding.column)))


class _Search:
    """One run of the checks; a column keeps its gravest verdict and all evidence."""

    def __init__(self, screen: Screen, *, confirmed: Collection[str], counted: Collection[str]) -> None:
        self._screen = screen
        self._confirmed, self._counted = frozenset(confirmed), frozenset(counted)
        self._found: dict[str, list[tuple[Verdict, str, str]]] = {}

    def findings(self) -> Iterator[Finding]:
        for column, found in self._found.items():
            verdict: Verdict = "quarantined" if any(v == "quarantined" for v, _, _ in found) else "suspected"
            check = next(check for v, check, _ in found if v == verdict)
            yield Finding(column=column, verdict=verdict, check=check, evidence="; ".join(text for _, _, text in found))

    def add(self, column: str, verdict: Verdict, check: str, evidence: str) -> None:
        if verdict == "suspected" and column in self._confirmed:
            return
        self._found.setdefault(column, []).append((verdict, check, evidence))

    def run(self) -> None:
        checks: tuple[Callable[[], None], ...] = (
            self.strong_alone,
            self.filled_after_the_outcome,
            self.holds_pure_values,
            self.filled_in_batches,
            self.strong_where_filled,
            self.names_events,
            self.mirrors,
            self.dominates,
            self.companions,
        )
        for check in checks:
            check()

    def _undated(self) -> list[str]:
        """The columns that nothing is known about as to when they were written."""
        return [f.name for f in self._screen.fields if f.grade is not Grade.A and f.name not in self._confirmed]

    def strong_alone(self) -> None:
        """One column does what the whole model does; the model is that of the columns which are not so strong.

        Were the strong ones in it, two leaks would hide each other.
        """
        screen = self._screen
        weak = [name for name in screen.names if max(self._both(name)) <= LEAST_SUSPICIOUS_AUC]
        if len(weak) == len(screen.names):
            return
        model = area(screen.y, screen.predict(weak))
        limit = max(LEAST_SUSPICIOUS_AUC, model - MODEL_MARGIN)
        for name in screen.names:
            single = screen.single(name)
            least = max(limit, CERTAIN_AUC) if name in self._counted or self._names_who(name) else limit
            if single.n_filled >= LEAST_FILLED and single.value_auc > least:
                text = f"alone it ranks its {single.n_filled:,} filled rows with AUC {single.value_auc:.3f}"
                self.add(name, "quarantined", "strong_alone", f"{text}, above {limit:.3f} (the others {model:.3f})")
            if single.flag_auc > limit:
                text = f"whether it is filled ranks the rows with AUC {single.flag_auc:.3f}, above {limit:.3f}"
                self.add(name, "quarantined", "strong_alone", text)

    def _both(self, name: str) -> tuple[float, float]:
        single = self._screen.single(name)
        value = single.value_auc if single.n_filled >= LEAST_FILLED else 0.0
        return value, single.flag_auc

    def filled_after_the_outcome(self) -> None:
        """A column that is filled for one outcome only, beyond chance."""
        y, judged = self._screen.ending, np.isfinite(self._screen.ending)
        for name in self._screen.names:
            filled = self._screen.filled[:, self._screen.place[name]] & judged
            n_filled = int(filled.sum())
            if n_filled < LEAST_PURE_ROWS or n_filled > 0.99 * judged.sum():
                continue
            events = float(y[filled].mean())
            mean = float(y[judged].mean())
            pure, base = (events, mean) if events > mean else (1 - events, 1 - mean)
            if pure >= PURE_SHARE and n_filled * np.log(base) < PURE_LOG_CHANCE:
                text = f"{pure:.1%} of the {n_filled:,} rows where it is filled end alike, {base:.1%} of all rows"
                self.add(name, "quarantined", "filled_after_the_outcome", text)

    def holds_pure_values(self) -> None:
        """Most events stand in values of which every row ends so."""
        y, judged = self._screen.ending, np.isfinite(self._screen.ending)
        mean = float(y[judged].mean())
        if not 0 < mean < MOST_COMMON_EVENT:
            return
        for field in self._screen.fields:
            if field.kind is not Kind.CATEGORY:
                continue
            codes = self._screen.codes[:, self._screen.place[field.name]]
            rows = judged & np.isfinite(codes)
            known = codes[rows].astype(np.intp)
            count, events = np.bincount(known), np.bincount(known, weights=y[rows])
            pure = (events >= PURE_SHARE * count) & (count * np.log(mean) < PURE_LOG_CHANCE)
            share = float(events[pure].sum() / y[judged].sum())
            if share >= PURE_EVENTS:
                text = f"{share:.0%} of all events have one of {int(pure.sum())} values whose rows all end so"
                self.add(field.name, "quarantined", "holds_pure_values", f"{text}, against {mean:.0%} of all rows")

    def filled_in_batches(self) -> None:
        """Filled for older rows and not for newer ones: written late, or by a run that came and went."""
        for name in self._undated():
            fill = self._screen.fill_by_time(name, N_PARTS)
            if len(fill) == 0:
                continue
            fall = float((np.maximum.accumulate(fill) - fill).max())
            if fall >= FALLING_FILL:
                low = int((np.maximum.accumulate(fill) - fill).argmax())
                text = f"filled in {fill[:low].max():.0%} of a part of the rows and in {fill[low]:.0%} of a later one"
                self.add(name, "suspected", "filled_in_batches", f"{text}: not written when the row was")

    def strong_where_filled(self) -> None:
        """Filled for some rows only, and telling there: somebody wrote it who had looked."""
        for name in self._undated():
            single = self._screen.single(name)
            if single.share_filled > 1 - LEAST_MISSING or single.n_filled < LEAST_FILLED:
                continue
            if single.value_auc >= STRONG_WHERE_FILLED:
                text = f"filled in {single.share_filled:.0%} of the rows, where it alone has AUC {single.value_auc:.3f}"
                self.add(name, "suspected", "strong_where_filled", text)
            elif single.flag_auc >= STRONG_FLAG:
                text = f"whether it is filled has AUC {single.flag_auc:.3f}: filling depends on the outcome"
                self.add(name, "suspected", "strong_where_filled", text)

    def names_events(self) -> None:
        """Values that name what was done or came back after a contact."""
        for name, values in self._categories():
            single = self._screen.single(name)
            share = sum(count for value, count in values.items() if names_an_event(value)) / sum(values.values())
            if share >= EVENT_SHARE and single.value_auc >= TELLING_AUC:
                some = ", ".join(sorted((v for v in values if names_an_event(v)), key=lambda v: -values[v])[:3])
                text = f"{share:.0%} of its values name what follows a contact ({some}); AUC {single.value_auc:.3f}"
                self.add(name, "suspected", "names_events", text)

    def mirrors(self) -> None:
        """Two columns that draw on one list of values: readings of a running state at two moments, neither dated."""
        columns = dict(self._categories())
        for one, values in columns.items():
            if self._screen.single(one).value_auc < TELLING_AUC:
                continue
            for other, others in columns.items():
                shared = set(values) & set(others)
                if other == one or len(shared) < max(
                    LEAST_SHARED_VALUES, SHARED_VALUES * len(set(values) | set(others))
                ):
                    continue
                if self._screen.single(other).value_auc >= TELLING_AUC:
                    text = f"shares {len(shared)} values with {other!r}: a running state, read at an unknown moment"
                    self.add(one, "suspected", "mirrors", f"{text}; AUC {self._screen.single(one).value_auc:.3f}")

    def _categories(self) -> Iterator[tuple[str, dict[str, int]]]:
        for field in self._screen.fields:
            if field.kind is Kind.CATEGORY and field.grade is not Grade.A and field.name not in self._confirmed:
                counts = self._screen.rows.rows.column(field.name).drop_null().value_counts().to_pylist()
                values = {str(entry["values"]): int(entry["counts"]) for entry in counts}
                if values:
                    yield field.name, values

    def dominates(self) -> None:
        """A column, with its twins, takes away a large share of the loss that all others leave."""
        screen = self._screen
        while True:
            left = [name for name in screen.names if name not in self._found]
            telling = [name for name in left if screen.single(name).value_auc >= TELLING_AUC]
            tried = [name for name in self._undated() if name in telling and not self._names_who(name)]
            strongest = sorted(tried, key=lambda name: -screen.single(name).value_auc)[:N_STRONGEST]
            if not strongest:
                return
            whole = log_loss(screen.y, screen.predict(left))
            found = False
            for name in strongest:
                twins = self._twins(name, left)
                rest = log_loss(screen.y, screen.predict([k for k in left if k not in twins]))
                share = (rest - whole) / rest
                if share >= DOMINANT_SHARE:
                    verdict: Verdict = "quarantined" if share >= OVERWHELMING_SHARE else "suspected"
                    beside = f" (with {', '.join(sorted(twins - {name}))})" if len(twins) > 1 else ""
                    text = f"takes away {share:.0%} of the log loss {rest:.3f} that all others leave{beside}"
                    self.add(name, verdict, "dominates", text)
                    found = True
            if not found:
                return

    def _names_who(self, name: str) -> bool:
        field = self._screen.fields[self._screen.place[name]]
        codes = self._screen.codes[:, self._screen.place[name]]
        return field.kind is Kind.CATEGORY and float(np.nanmax(codes, initial=0)) >= MOST_VALUES_OF_A_KIND

    def _twins(self, name: str, among: Collection[str]) -> set[str]:
        own = self._screen.single(name).signal
        if own.std() == 0:
            return {name}
        twins = {name}
        for other in among:
            signal = self._screen.single(other).signal
            if signal.std() > 0 and abs(np.corrcoef(own, signal)[0, 1]) >= TWIN_CORRELATION:
                twins.add(other)
        return twins

    def companions(self) -> None:
        """Empty in the very rows in which a found column is: written by the same hand."""
        filled = self._screen.filled
        for found in list(self._found):
            mask = filled[:, self._screen.place[found]]
            if not LEAST_MISSING <= 1 - mask.mean() <= 1 - LEAST_MISSING:
                continue
            for name in self._undated():
                if name in self._found or (filled[:, self._screen.place[name]] == mask).mean() < SAME_MASK:
                    continue
                self.add(name, "suspected", "companions", f"filled in the same rows as {found!r}")

    def near_the_label(self, training_set: TrainingSet, delayed_label: Floats, seed: int) -> None:
        """A column whose skill is gone when the window begins 7 days later."""
        both = np.isfinite(training_set.label) & np.isfinite(delayed_label)
        now = training_set.take(both)
        later = Screen(replace(now, label=delayed_label[both]), seed=seed, fit=fit_small_booster)
        screen = Screen(now, seed=seed, fit=fit_small_booster)
        for name in screen.names:
            before, after = screen.single(name).value_auc, later.single(name).value_auc
            if before - after > GAP_LOSS and before >= TELLING_AUC:
                text = f"AUC falls from {before:.3f} to {after:.3f} when the window begins 7 days later"
                self.add(name, "quarantined", "near_the_label", text)
