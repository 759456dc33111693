"""Ingest, training and serving at the same time: every answer is whole, and each of the three comes to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient

from crm.ingest import ingest
from crm.mapping import parse_mapping
from crm.store import Store
from serving.app import create_app

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
FEWEST_INGESTS = 8
KEEP = 40
MAPPING = """
company: {time_zone: UTC}
sources:
  - name: crm
    file: leads.csv
    table: leads
    custom: none
    columns: {lead_id: id, created_at: created, converted_at: converted, channel: channel}
"""


def _take_in(folder: Path, store: Store, config, turn: int) -> None:
    """Some leads convert and one more comes in each turn."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    lines = ["id,created,converted,channel"]
    for number in range(60 + turn):
        created = start + timedelta(days=number % 60, hours=number % 9)
        converted = f"{created + timedelta(days=9):%Y-%m-%d %H:%M:%S}" if number % 3 == 0 else ""
        lines.append(f"N{number},{created:%Y-%m-%d %H:%M:%S},{converted},channel {turn}")
    (folder / "leads.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ingest(store, parse_mapping(MAPPING), folder, config=config, now=datetime.now(UTC))


@pytest.mark.slow
def test_ingest_training_and_serving_at_the_same_time_work(own_house, tmp_path: Path) -> None:
    settings = {
        "store": {"folder": str(own_house.config.store.folder), "keep_generations": KEEP},
        "database": {"url": own_house.config.database.url},
        "mlflow": {"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db", "artifacts": str(tmp_path / "artifacts")},
        "company": {"time_zone": "UTC"},
        "tasks": {"lead_score": {"event": "qualified", "horizon_days": 20, "gap_days": 0}},
    }
    (tmp_path / "salescast.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    config = own_house.config.model_copy(
        update={"store": own_house.config.store.model_copy(update={"keep_generations": KEEP})}
    )
    store = Store(config.record_folder)
    _take_in(tmp_path, store, config, 0)
    first = store.current_number()
    command = [sys.executable, "-m", "serving.cli", "--config", str(tmp_path / "salescast.yaml")]
    training = subprocess.Popen(
        [*command, "train", "lead_score", "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_WAIT_POLICY": "passive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    turn, answers, until = 0, 0, time.monotonic() + PATIENCE_SECONDS
    try:
        with TestClient(create_app(config, clock=own_house.clock), raise_server_exceptions=False) as client:
            while (training.poll() is None or turn < FEWEST_INGESTS) and time.monotonic() < until:
                if turn < KEEP // 2:
                    turn += 1
                    _take_in(tmp_path, store, config, turn)
                for body in ({"ids": ["L0", "L7", "nobody"]}, {"records": [{"channel": "web"}] * 3}):
                    answer = client.post("/v1/leads/score", json=body, headers=own_house.headers())
                    assert answer.status_code == 200, answer.text
                    rows = answer.json()["rows"]
                    assert len(rows) == 3
                    assert all(row["status"] in {"scored", "not_found", "abstained", "base_rate"} for row in rows)
                    answers += 1
        said, complaints = training.communicate(timeout=PATIENCE_SECONDS)
    finally:
        training.kill()
        training.wait()
    assert training.returncode == 0, complaints
    assert json.loads(said)["status"] in {"trained", "fallback"}
    assert turn >= FEWEST_INGESTS
    assert answers >= 2 * FEWEST_INGESTS
    assert store.current_number() == first + turn
    assert set(store.current().read("leads", ["lead_id"]).column("lead_id").to_pylist()) >= {f"N{60 + turn - 1}", "L0"}
