"""Figures beside the search for leaks: what chance gives, what a random split would have claimed, who dates back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from crm.store import Generation
from crm.tables import table
from features.labels import event_of, read_events
from features.matrix import Field, Grade, Kind, TrainingSet
from features.question import Question
from features.screening import N_FOLDS, Fit, Floats, Screen, area, fit_small_booster, log_loss

N_PERMUTATIONS = 5
# Two-sided 1 in 1,000 of a normal distribution.
CHANCE_ERRORS = 3.3
NEWEST_SHARE = 0.25
REVIEW_GAP = 0.05
REVIEW_BACK_DATED = 0.02
LEAST_ENTITIES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Parameters
    ----------
    name : str
        For instance `permuted_labels_auc`.
    value : float
        What was measured; NaN when there was nothing to measure.
    low, high : float or None
        Within these it is as it should be.
    verdict : str
        `ok`, `fails` (training must not go on) or `review` (to be shown to a person).
    text, text_zh : str
        One sentence for people, in English and in Chinese.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    verdict: Literal["ok", "fails", "review"]
    text: str
    text_zh: str


def measure_leakage(training_set: TrainingSet, *, seed: int, fit: Fit = fit_small_booster) -> tuple[Figure, ...]:
    """Every figure of a training set; one that `fails` forbids to train.

    Nothing can be measured of rows without a field or with outcomes all alike: then there is no figure.
    """
    known = training_set.label[np.isfinite(training_set.label)]
    if not training_set.fields or len(set(known.tolist())) < 2:
        return ()
    return (
        permuted_labels(training_set, seed=seed, fit=fit),
        noise_column(training_set, seed=seed, fit=fit),
        random_against_time(training_set, seed=seed, fit=fit),
        shared_groups(training_set, seed=seed),
    )


def permuted_labels(training_set: TrainingSet, *, seed: int, fit: Fit = fit_small_booster) -> Figure:
    """Mean AUC of models of shuffled labels: anything but .5 means that the judging itself leaks.

    Notes
    -----
    The standard error of one AUC under chance is sqrt((n + 1) / (12 n1 n0)); that of the mean of k permutations is
    smaller by sqrt(k). The figure fails beyond 3.3 of them.
    """
    screen = Screen(training_set, seed=seed, fit=fit)
    rng = np.random.default_rng(seed)
    truth, areas = screen.y, []
    for _ in range(N_PERMUTATIONS):
        screen.y = rng.permutation(truth)
        score = screen.predict(screen.names)
        parts = [screen.fold == fold for fold in range(N_FOLDS)]
        areas.append(float(np.mean([area(screen.y[part], score[part]) for part in parts])))
    n_events = float(truth.sum())
    n_rest = len(truth) - n_events
    error = np.sqrt((len(truth) + 1) / (12 * n_events * n_rest) / N_PERMUTATIONS) if n_events and n_rest else np.inf
    mean, reach = float(np.mean(areas)), CHANCE_ERRORS * float(error)
    return Figure(
        name="permuted_labels_auc",
        value=mean,
        low=0.5 - reach,
        high=0.5 + reach,
        verdict="ok" if abs(mean - 0.5) <= reach else "fails",
        text=f"models of shuffled labels have AUC {mean:.3f}; chance allows {0.5 - reach:.3f} to {0.5 + reach:.3f}",
        text_zh=f"标签打乱后模型的 AUC 为 {mean:.3f}；纯属偶然的范围是 {0.5 - reach:.3f} 至 {0.5 + reach:.3f}",
    )


def noise_column(training_set: TrainingSet, *, seed: int, fit: Fit = fit_small_booster) -> Figure:
    """The negative control: the share of the log loss that a column of pure noise seems to take away."""
    rng = np.random.default_rng(seed)
    field = Field(name="__noise__", kind=Kind.NUMBER, grade=Grade.B)
    noise = pa.array(rng.normal(size=len(training_set.label)))
    widened = replace(
        training_set,
        fields=(*training_set.fields, field),
        rows=training_set.rows.append_column(field.name, noise),
    )
    screen = Screen(widened, seed=seed, fit=fit)
    without = log_loss(screen.y, screen.predict([name for name in screen.names if name != field.name]))
    share = (without - log_loss(screen.y, screen.predict(screen.names))) / without
    alone = screen.single(field.name).value_auc
    return Figure(
        name="noise_column_share",
        value=float(share),
        low=None,
        high=REVIEW_GAP,
        verdict="ok" if share <= REVIEW_GAP else "review",
        text=f"a column of noise seems to take away {share:.1%} of the log loss, alone it has AUC {alone:.3f}",
        text_zh=f"加入一列纯噪声后对数损失似乎减少 {share:.1%}，该列单独的 AUC 为 {alone:.3f}",
    )


def random_against_time(training_set: TrainingSet, *, seed: int, fit: Fit = fit_small_booster) -> Figure:
    """What a random split would claim beyond a split by time: AUC of the first less that of the second."""
    if not training_set.has_time:
        text = "no time: the result is optimistic, and nobody can say by how much"
        return _unmeasured("random_split_gap", text, "数据没有时间顺序：结果偏乐观，偏多少无法得知")
    screen = Screen(training_set, seed=seed, fit=fit)
    claimed = area(screen.y, screen.predict(screen.names))
    newest = _newest(screen)
    if newest.all() or len(set(screen.y[newest])) < 2 or len(set(screen.y[~newest])) < 2:
        text = "the oldest or the newest rows all end alike"
        return _unmeasured("random_split_gap", text, "最早或最新的行结果全部相同")
    categories = [at for at, field in enumerate(screen.fields) if field.kind is Kind.CATEGORY]
    model = fit(screen.codes[~newest], screen.y[~newest], categories, seed)
    honest = area(screen.y[newest], model(screen.codes[newest]))
    gap = claimed - honest
    return Figure(
        name="random_split_gap",
        value=gap,
        low=None,
        high=REVIEW_GAP,
        verdict="review" if gap > REVIEW_GAP else "ok",
        text=f"by a small model, entities kept apart: a random split shows AUC {claimed:.3f}, in time {honest:.3f}",
        text_zh=f"用小模型、同一对象不跨两侧：随机划分的 AUC 为 {claimed:.3f}，按时间划分为 {honest:.3f}",
    )


def shared_groups(training_set: TrainingSet, *, seed: int) -> Figure:
    """The share of the newest rows whose account (or entity) is among the older rows as well."""
    if not training_set.has_time:
        text = "no time: old and new rows cannot be told apart"
        return _unmeasured("shared_accounts", text, "数据没有时间顺序：无法区分新旧")
    screen = Screen(training_set, seed=seed, fit=fit_small_booster)
    newest = _newest(screen)
    older = set(screen.rows.group[~newest].tolist())
    share = float(np.mean([name in older for name in screen.rows.group[newest].tolist()])) if newest.any() else 0.0
    return Figure(
        name="shared_accounts",
        value=share,
        low=None,
        high=None,
        verdict="ok",
        text=f"{share:.0%} of the newest rows belong to accounts or entities that older rows know",
        text_zh=f"最新的行中有 {share:.0%} 属于较早的行里已经出现的客户或对象",
    )


def back_dated(generation: Generation, question: Question) -> Figure:
    """The share of events at or before the entity's creation, and the owner with the largest share of them."""
    stated = table(question.entity)
    key, began = stated.key[0], stated.clock
    if not generation.has(question.entity):
        return _unmeasured("back_dated_share", "no event yet", "还没有事件")
    # An invoice has no owner of its own.
    owner_id = "e.rep_id" if stated.has("rep_id") else "CAST(NULL AS VARCHAR)"
    with generation.engine() as engine:
        events = read_events(engine, event_of(question))
        engine.register("events", events)
        rows = engine.query(
            f"SELECT {owner_id} AS rep_id, COUNT(*) AS n, "
            f"COUNT(*) FILTER (WHERE v.happened_at <= e.{began}) AS n_back "
            f"FROM {question.entity} AS e JOIN events AS v ON v.entity_id = e.{key} GROUP BY {owner_id}"
        ).to_pylist()
    n_events, n_back = (sum(row[name] for row in rows) for name in ("n", "n_back"))
    if n_events == 0:
        return _unmeasured("back_dated_share", "no event yet", "还没有事件")
    share = n_back / n_events
    judged = [row for row in rows if row["n"] >= LEAST_ENTITIES]
    worst = max(judged, key=lambda row: row["n_back"] / row["n"], default=None)
    owner = owner_zh = ""
    if worst and worst["n_back"] and worst["rep_id"] is not None:
        most = worst["n_back"] / worst["n"]
        owner = f"; most of owner {worst['rep_id']}: {most:.1%}"
        owner_zh = f"；占比最高的负责人为 {worst['rep_id']}：{most:.1%}"
    return Figure(
        name="back_dated_share",
        value=share,
        low=None,
        high=REVIEW_BACK_DATED,
        verdict="review" if share > REVIEW_BACK_DATED else "ok",
        text=f"{share:.1%} of {n_events:,} events lie at or before the creation of their entity{owner}",
        text_zh=f"{n_events:,} 个事件中有 {share:.1%} 的时间不晚于对象的创建时间（倒填日期）{owner_zh}",
    )


def _newest(screen: Screen) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    position: Floats = screen.rows.position
    return np.asarray(position > np.quantile(position, 1 - NEWEST_SHARE), dtype=bool)


def _unmeasured(name: str, text: str, text_zh: str) -> Figure:
    return Figure(name=name, value=float("nan"), low=None, high=None, verdict="review", text=text, text_zh=text_zh)
