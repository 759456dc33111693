"""`make bench`: our way and the plain way side by side in one run; rewrites `docs/benchmarks.md`.

Every side runs in a process of its own, the sides of a comparison in turn, at least three rounds; what is compared is
the median of CPU time. Where both sides claim the same numbers, those are checked before anything is timed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.parquet as pq
import yaml

from benchmarks.plain import encode_record, first_difference, read_categories
from benchmarks.sides import N_RECORDS, SIDES, ZONE
from benchmarks.sides_forecast import N_EQUAL, N_NODES, N_SERIES
from crm.config import Config
from crm.demo.company import make_company
from crm.demo.export import export_company
from crm.demo.write import write_company
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store
from features.matrix import Kind, TrainingSet
from features.spine import build_spine
from features.training_set import build_training_set
from models.bundle import About, Predictor, load_bundle, save_bundle
from models.calibrator import Calibrator
from models.golden import make_golden
from models.learn import fit_model
from models.tasks.lead_score import TASK

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
LIBRARIES = ("lightgbm", "scikit-learn", "pandas", "numpy", "pyarrow", "duckdb")
N_ROWS = 150_000
SEED = 20260101


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides of `benchmarks.sides` that do the same work, and how that work is told."""

    what: str
    ours: str
    plain: str
    plain_is: str


COMPARISONS = (
    Comparison(
        what="one record to a probability by trees",
        ours="score_ours",
        plain="score_plain",
        plain_is="pandas frame of one row, `lightgbm.Booster.predict` (same trees, equal probability)",
    ),
    Comparison(
        what="one record to a probability",
        ours="score_ours",
        plain="score_sklearn",
        plain_is="pandas frame of one row, scikit-learn pipeline: impute, one-hot, LogisticRegression",
    ),
    Comparison(
        what="one record to a probability with five reasons in two languages",
        ours="reasons_ours",
        plain="reasons_plain",
        plain_is="the same with `pred_contrib=True`, five numbers and no sentence",
    ),
    Comparison(
        what="25 features of every row a training needs, small demo company",
        ours="features_ours",
        plain="features_plain",
        plain_is="pandas: merge, filter on both clocks, group (equal numbers)",
    ),
    Comparison(
        what=f"{N_ROWS:,} rows of CSV taken in: typed, checked, stored",
        ours="ingest_ours",
        plain="ingest_floor",
        plain_is="the floor: `pandas.read_csv(dtype=str)`, nothing typed, checked or stored",
    ),
    Comparison(
        what="the same file again: nothing has changed",
        ours="ingest_again",
        plain="ingest_floor",
        plain_is="the floor, as above",
    ),
    Comparison(
        what=f"MinT-shrink of {N_NODES:,} nodes, 18 months",
        ours="reconcile_ours",
        plain="reconcile_library",
        plain_is=f"hierarchicalforecast `MinTrace` (equal to 1e-8 at {N_EQUAL:,} nodes)",
    ),
    Comparison(
        what=f"{N_SERIES:,} series x 60 months by one booster, 18 months ahead",
        ours="boosting_ours",
        plain="boosting_library",
        plain_is="mlforecast with the same trees and features on a frame made ready beforehand (equal forecasts)",
    ),
)


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def prepare(folder: Path) -> None:
    """Everything that the sides read: record, spine, bundle, pipeline, records and files."""
    store = Store(folder / "record")
    company = make_company("small", SEED)
    write_company(company, store)
    rows = build_training_set(store.current(), TASK.question, config=Config())
    known = rows.take(np.isfinite(rows.label))
    _tell(f"small demo company: {len(known.label):,} rows to learn from")
    _write_models(known, folder)
    spine = build_spine(store.current(), TASK.question, zone=ZONE, seed=SEED)
    pq.write_table(spine, folder / "spine.parquet")
    _write_files(export_company(company, folder / "exports"), folder / "files")
    mapping = read_mapping(folder / "files" / "mapping.yaml")
    taken = ingest(Store(folder / "taken_in"), mapping, folder / "files", config=Config(), now=datetime.now(UTC))
    (source,) = taken.sources
    _tell(f"activities.csv: {source.read:,} rows, {source.inserted:,} inserted, {source.rejected:,} rejected")


def _write_models(known: TrainingSet, folder: Path) -> None:
    """The booster as a bundle, and a scikit-learn pipeline on the same rows."""
    import joblib
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    model = fit_model(known, np.arange(len(known.label)), "booster_small", seed=SEED)
    ends = np.array([-35.0, 35.0])
    predictor = Predictor(
        about=About(
            task=TASK.name,
            kind="booster",
            learner="booster_small",
            event=known.event,
            horizon_days=known.horizon_days,
            gap_days=known.gap_days,
            base_rate=float(known.label.mean()),
            n_rows=len(known.label),
            n_positives=int(known.label.sum()),
        ),
        encoder=model.encoder,
        calibrator=Calibrator(method="identity", x=ends, y=ends),
        booster_text=model.fitted.booster_text,
    )
    save_bundle(predictor, folder / "bundle", cards={}, report="{}", golden=make_golden(predictor))
    texts = [field.name for field in known.fields if field.kind is Kind.CATEGORY]
    numbers = [field.name for field in known.fields if field.kind is not Kind.CATEGORY]
    frame = known.rows.to_pandas()
    pipeline = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", min_frequency=20), texts),
            (make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()), numbers),
        ),
        LogisticRegression(max_iter=2000),
    )
    pipeline.fit(frame, known.label)
    joblib.dump(pipeline, folder / "pipeline.joblib")
    drawn = np.random.default_rng(SEED).choice(len(known.label), N_RECORDS, replace=False)
    records = [
        {name: None if value != value else value for name, value in record.items()}
        for record in known.rows.take(drawn).to_pylist()
    ]
    (folder / "records.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")


def _write_files(exported: Path, folder: Path) -> None:
    """The demo company's activities, repeated under new identifiers up to `N_ROWS` rows, with their mapping."""
    import pandas as pd

    mapping = yaml.safe_load(exported.read_text(encoding="utf-8"))
    (source,) = [one for one in mapping["sources"] if one["name"] == "activities"]
    read = pd.read_csv(
        exported.parent / source["file"], dtype=str, keep_default_na=False, encoding=source.get("encoding", "utf-8")
    )
    key = source["columns"]["activity_id"]
    turns = -(-N_ROWS // len(read))
    rows = pd.concat([read.assign(**{key: read[key] + f"-{turn}"}) for turn in range(turns)])[:N_ROWS]
    folder.mkdir()
    rows.to_csv(folder / "activities.csv", index=False)
    source = {name: value for name, value in source.items() if name != "encoding"} | {"file": "activities.csv"}
    text = yaml.safe_dump(mapping | {"sources": [source]}, allow_unicode=True, sort_keys=False)
    (folder / "mapping.yaml").write_text(text, encoding="utf-8")


def require_equal(folder: Path) -> None:
    """Stop when the two sides of a comparison that claims the same numbers do not give them."""
    import lightgbm

    from benchmarks.forecast_speed import require_equal_boosters, require_equal_reconciliation

    predictor = load_bundle(folder / "bundle")
    categories = read_categories(folder / "bundle" / "model.json")
    booster = lightgbm.Booster(model_file=str(folder / "bundle" / "booster.txt"))
    for record in json.loads((folder / "records.json").read_text(encoding="utf-8")):
        plain = float(booster.predict(encode_record(record, categories), num_threads=1)[0])
        if abs(plain - predictor.predict(record).probability) > 1e-9:
            raise SystemExit("the plain way and ours give different probabilities; nothing was timed")
    ours = SIDES["features_ours"][0](folder)()
    plain_features = SIDES["features_plain"][0](folder)()
    column = first_difference(ours.to_pandas(), plain_features)
    if column:
        raise SystemExit(f"the plain way and ours differ in {column}; nothing was timed")
    require_equal_reconciliation()
    require_equal_boosters()
    told = f"{N_RECORDS} probabilities, {ours.num_columns} features of {ours.num_rows:,} rows, forecasts"
    _tell(f"equal: {told}")


def measure(folder: Path, n_rounds: int) -> dict[str, list[dict[str, float | None]]]:
    """What each side took in each round; the sides take turns."""
    taken: dict[str, list[dict[str, float | None]]] = {name: [] for name in SIDES}
    for turn in range(n_rounds):
        _tell(f"round {turn + 1} of {n_rounds}")
        for name in SIDES:
            taken[name].append(run_side(name, folder))
    return taken


def run_side(name: str, folder: Path) -> dict[str, float | None]:
    """What one side takes in a process of its own: CPU and wall seconds, peak memory."""
    command = [sys.executable, "-m", "benchmarks.sides", name, str(folder)]
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{name} failed:\n{ended.stderr[-3000:]}")
    return dict(json.loads(ended.stdout.splitlines()[-1]))


def _middle(taken: list[dict[str, float | None]], what: str) -> float | None:
    values = [one[what] for one in taken]
    return None if None in values else median(value for value in values if value is not None)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def _memory(megabytes: float | None) -> str:
    return "-" if megabytes is None else f"{megabytes:,.0f} MB"


def render(taken: dict[str, list[dict[str, float | None]]], n_rounds: int) -> str:
    """The Markdown of `docs/benchmarks.md`."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; nothing here is written by hand. Both sides ran in the same run on the same machine, "
        f"each in a process of its own, in turn, {n_rounds} rounds; times are medians of CPU time (children included), "
        "memory the median of the most a process held, libraries included. The ratio is plain / ours of the "
        "CPU time: above 1 ours is faster; in brackets the least and the greatest of the rounds. Where both sides "
        "give the same numbers, that was checked before anything was timed. No test asserts a time.",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; {versions}.",
        "",
        "| what | ours | plain | ratio | memory ours / plain | the plain way |",
        "|---|---|---|---|---|---|",
    ]
    for one in COMPARISONS:
        ours, plain = taken[one.ours], taken[one.plain]
        ratios = [float(b["cpu"] or 0.0) / max(float(a["cpu"] or 0.0), 1e-9) for a, b in zip(ours, plain, strict=True)]
        lines.append(
            f"| {one.what} | {_time(_middle(ours, 'cpu'))} | {_time(_middle(plain, 'cpu'))} "
            f"| {_ratio(median(ratios))} ({_ratio(min(ratios))} to {_ratio(max(ratios))}) "
            f"| {_memory(_middle(ours, 'peak'))} / {_memory(_middle(plain, 'peak'))} | {one.plain_is} |"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Prepare, check, measure, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs, at least 3")
    n_rounds = max(3, parser.parse_args().rounds)
    with tempfile.TemporaryDirectory(prefix="salescast-bench-") as made:
        folder = Path(made)
        prepare(folder)
        require_equal(folder)
        taken = measure(folder, n_rounds)
    PAGE.write_text(render(taken, n_rounds), encoding="utf-8")
    _tell(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
