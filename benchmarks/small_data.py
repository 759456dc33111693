"""Log loss of the small-data fallback against the base rate, on few closed leads.

`python -m benchmarks.small_data [--leads FILE.csv.gz] [--draws 200]` draws 20, 40, 80 and 160 closed leads at a
time, fits what a training of that size would publish, and scores leads that come later. It prints one JSON line a
size: the mean difference in log loss to the base rate of the same draw (negative is better) with the interval over
the draws. Without `--leads` the leads are those of the demo company.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from crm.config import Config
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.matrix import Field, Kind, TrainingSet
from features.training_set import build_training_set
from models.calibrator import sigmoid
from models.learn import fit_model
from models.metrics import auc, log_loss
from models.tasks.lead_score import TASK

SIZES = (20, 40, 80, 160)
LEARNER = "shrunk"
N_LATER = 2000
SEED = 20261121


def demo_leads(seed: int) -> TrainingSet:
    """One row a lead of the demo company: a firm with few closed leads has no more."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        write_company(make_company("small", seed), store)
        training_set = build_training_set(store.current(), TASK.question, config=Config())
    known = training_set.take(np.isfinite(training_set.label))
    _, first = np.unique(known.entity_id, return_index=True)
    return known.take(first[np.argsort(known.position[first], kind="stable")])


def file_leads(path: Path, *, label: str, order: str, leave: frozenset[str]) -> TrainingSet:
    """A flat file of leads, oldest first."""
    with gzip.open(path) as file:
        options = csv.ConvertOptions(null_values=["", "Select"], strings_can_be_null=True)
        table = csv.read_csv(file, convert_options=options).sort_by(order)
    names = [name for name in table.column_names if name and name not in leave | {label, order}]
    names = [name for name in names if not pa.types.is_null(table.column(name).type)]
    kinds = {name: Kind.CATEGORY if pa.types.is_string(table.column(name).type) else Kind.NUMBER for name in names}
    n_rows = table.num_rows
    entity = np.arange(n_rows).astype(str)
    return TrainingSet(
        fields=tuple(Field(name=name, kind=kind) for name, kind in kinds.items()),
        rows=table.select(names),
        entity_id=entity,
        as_of=np.full(n_rows, np.datetime64("NaT", "us")),
        position=np.arange(n_rows, dtype=np.float64),
        label=table.column(label).to_numpy().astype(np.float64),
        group=entity,
        value=np.full(n_rows, np.nan),
        event=label,
        horizon_days=None,
        gap_days=None,
    )


def measure(leads: TrainingSet, n_closed: int, n_draws: int) -> dict[str, float | int]:
    """Mean log loss difference to the base rate over draws of `n_closed` leads, judged on later leads."""
    random = np.random.default_rng([SEED, n_closed])
    past = len(leads.label) - N_LATER
    later = np.arange(past, len(leads.label))
    gains, areas, n_models = [], [], 0
    for draw in range(n_draws):
        rows = np.sort(random.choice(past, n_closed, replace=False))
        y = leads.label[rows]
        # Through the log-odds like the model, so that a model that says the base rate differs by nothing at all.
        rate = (y.sum() + 0.5) / (n_closed + 1.0)
        base = log_loss(leads.label[later], sigmoid(np.full(N_LATER, np.log(rate / (1 - rate)))))
        model = fit_model(leads, rows, LEARNER, seed=draw)
        p = sigmoid(model.log_odds(leads, later))
        n_models += model.fitted.kind == "linear"
        gains.append(log_loss(leads.label[later], p) - base)
        areas.append(auc(leads.label[later], p))
    drawn = np.array(gains)
    error = drawn.std(ddof=1) / np.sqrt(n_draws)
    return {
        "n_closed": n_closed,
        "n_draws": n_draws,
        "log_loss_minus_base_rate": float(drawn.mean()),
        "low": float(drawn.mean() - 1.96 * error),
        "high": float(drawn.mean() + 1.96 * error),
        "worst_draw": float(drawn.max()),
        "mean_auc": float(np.mean(areas)),
        "share_with_model": n_models / n_draws,
    }


def main() -> int:
    """Print one JSON line a size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=Path, help="flat file of leads instead of the demo company")
    parser.add_argument("--label", default="Converted")
    parser.add_argument("--order", default="Lead Number")
    parser.add_argument("--leave", nargs="*", default=[], help="columns written after the outcome")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    if asked.leads is None:
        leads = demo_leads(asked.seed)
    else:
        leads = file_leads(asked.leads, label=asked.label, order=asked.order, leave=frozenset(asked.leave))
    for n_closed in SIZES:
        print(json.dumps(measure(leads, n_closed, asked.draws)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
