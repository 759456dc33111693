"""One side of one comparison of `make bench`, run by itself in a fresh process: prints CPU seconds and memory.

`python -m benchmarks.sides NAME FOLDER`; the folder was filled by `benchmarks.bench`.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.sides_forecast import FORECAST_SIDES

N_RECORDS = 500
ZONE = ZoneInfo("Asia/Shanghai")

Work = Callable[[], object]


def cpu_seconds() -> float:
    """CPU time of this process and of the children it has waited for."""
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + waited_for.ru_utime + waited_for.ru_stime


def peak_megabytes() -> float | None:
    """The most memory this process has held so far; None where the system does not say."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        return None
    return None


def _records(folder: Path) -> list[dict[str, object]]:
    held = json.loads((folder / "records.json").read_text(encoding="utf-8"))
    return [dict(record) for record in held]


def score_ours(folder: Path, *, n_reasons: int) -> Work:
    """Our predictor, one record after the other."""
    from models.bundle import load_bundle

    predictor, records = load_bundle(folder / "bundle"), _records(folder)
    predictor.predict(records[0], n_reasons=n_reasons)
    return lambda: [predictor.predict(record, n_reasons=n_reasons).probability for record in records]


def score_plain(folder: Path, *, with_reasons: bool) -> Work:
    """The same trees by `lightgbm.Booster` on a pandas frame of one row."""
    import lightgbm
    import numpy as np

    from benchmarks.plain import encode_record, read_categories

    booster = lightgbm.Booster(model_file=str(folder / "bundle" / "booster.txt"))
    categories, records = read_categories(folder / "bundle" / "model.json"), _records(folder)

    def score(record: dict[str, object]) -> float:
        frame = encode_record(record, categories)
        if with_reasons:
            parts = booster.predict(frame, pred_contrib=True, num_threads=1)
            np.argsort(-np.abs(parts[0][:-1]))[:5]
        return float(booster.predict(frame, num_threads=1)[0])

    score(records[0])
    return lambda: [score(record) for record in records]


def score_sklearn(folder: Path) -> Work:
    """A scikit-learn pipeline (impute, one-hot, LogisticRegression) on a pandas frame of one row."""
    import joblib
    import pandas as pd

    pipeline, records = joblib.load(folder / "pipeline.joblib"), _records(folder)
    names = list(records[0])

    def score(record: dict[str, object]) -> float:
        return float(pipeline.predict_proba(pd.DataFrame([record], columns=names))[0, 1])

    score(records[0])
    return lambda: [score(record) for record in records]


def features_ours(folder: Path) -> Work:
    """The group `lead_activity` by SQL over the record."""
    import pyarrow.parquet as pq

    from crm.store import Store
    from features.build import build_features

    spine = pq.read_table(folder / "spine.parquet")
    return lambda: build_features(Store(folder / "record").current(), ["lead_activity"], spine, zone=ZONE)


def features_plain(folder: Path) -> Work:
    """The same numbers by merges and groups of pandas over the record's own Parquet files."""
    import pandas as pd

    from benchmarks.plain import lead_activity
    from crm.store import Store

    spine = pd.read_parquet(folder / "spine.parquet")
    held = Store(folder / "record").current()

    def work() -> pd.DataFrame:
        activities = held.read(
            "activities",
            ["activity_id", "lead_id", "occurred_at", "recorded_at", "kind", "direction", "minutes", "outcome"],
        )
        changes = held.read("changes", ["entity", "entity_id", "field", "occurred_at", "recorded_at"])
        return lead_activity(spine, activities.to_pandas(), changes.to_pandas())

    return work


def ingest_ours(folder: Path, *, again: bool) -> Work:
    """A file of 150,000 rows through its mapping into an empty record, or into one that has it already."""
    from crm.config import Config
    from crm.ingest import ingest
    from crm.mapping import read_mapping
    from crm.store import Store

    mapping, config = read_mapping(folder / "files" / "mapping.yaml"), Config()
    store = Store(folder / "taken_in" if again else Path(tempfile.mkdtemp(dir=folder)))
    return lambda: ingest(store, mapping, folder / "files", config=config, now=datetime.now(UTC))


def ingest_floor(folder: Path) -> Work:
    """The same file by `pandas.read_csv`, every cell as text: no types, no checks, nothing stored."""
    import pandas as pd

    return lambda: pd.read_csv(folder / "files" / "activities.csv", dtype=str)


SIDES: dict[str, tuple[Callable[[Path], Work], int]] = {
    "score_ours": (lambda folder: score_ours(folder, n_reasons=0), N_RECORDS),
    "score_plain": (lambda folder: score_plain(folder, with_reasons=False), N_RECORDS),
    "score_sklearn": (score_sklearn, N_RECORDS),
    "reasons_ours": (lambda folder: score_ours(folder, n_reasons=5), N_RECORDS),
    "reasons_plain": (lambda folder: score_plain(folder, with_reasons=True), N_RECORDS),
    "features_ours": (features_ours, 1),
    "features_plain": (features_plain, 1),
    "ingest_ours": (lambda folder: ingest_ours(folder, again=False), 1),
    "ingest_again": (lambda folder: ingest_ours(folder, again=True), 1),
    "ingest_floor": (ingest_floor, 1),
    **FORECAST_SIDES,
}
"""Side to how its work is prepared (not measured) and into how many units the work divides."""


def main(name: str, folder: Path) -> int:
    """Run one side and print one JSON line."""
    prepare, n_units = SIDES[name]
    work = prepare(folder)
    before, started, cpu = peak_megabytes(), time.perf_counter(), cpu_seconds()
    work()
    spent = {"cpu": (cpu_seconds() - cpu) / n_units, "wall": (time.perf_counter() - started) / n_units}
    after = peak_megabytes()
    grown = None if before is None or after is None else after - before
    print(json.dumps(spent | {"peak": after, "grown": grown}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2])))
