"""What answers now: swapped whole, kept when the next is damaged, refreshed when something changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from crm.config import TaskSection
from crm.schema import DType
from crm.store import NoRecord, Store
from models.champions import NoChampion
from models.tasks.lead_score import TASK
from serving.app import create_app
from serving.live import Live
from serving.refresh import refresh_scores
from serving.score_table import BadScores, read_scores

ROOT = Path(__file__).parents[2]


def ask(client, house, ids=("L0",), query: str = "") -> list[dict]:
    answer = client.post(f"/v1/leads/score{query}", json={"ids": list(ids)}, headers=house.headers())
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_ready_says_which_part_is_missing(tmp_path: Path, own_house) -> None:
    empty = own_house.config.model_copy(
        update={"store": own_house.config.store.model_copy(update={"folder": tmp_path / "empty"})}
    )
    with own_house.client(empty) as client:
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        parts = answer.json()["parts"]
        assert parts["record"].startswith("nothing was taken in yet")
        assert parts["lead_score.champion"].startswith("no model was promoted yet")
        assert parts["database"] == "ready"
        assert client.get("/health/live").status_code == 200
        assert ask(client, own_house)[0]["status"] == "not_found"


def test_ready_says_of_every_task_what_it_has_and_waits_for_none_that_is_not_possible(client) -> None:
    answer = client.get("/health/ready")
    # It has opportunities, and no model of them yet.
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    parts = answer.json()["parts"]
    assert (parts["lead_score.champion"], parts["lead_score.scores"]) == ("ready", "ready")
    assert parts["win_probability.champion"].startswith("no model was promoted yet")
    assert parts["churn_risk"] == "not possible: the record has no orders"
    assert "churn_risk.champion" not in parts


def test_without_a_champion_rows_say_so(own_house) -> None:
    (own_house.config.champions_folder / TASK.name / "current.json").unlink()
    with own_house.client() as client:
        assert client.get("/health/ready").status_code == 503
        rows = ask(client, own_house, ["L0", "nobody"])
        assert [row["status"] for row in rows] == ["insufficient_data", "not_found"]
        assert (rows[0]["event"], rows[0]["horizon_days"], rows[0]["score"]) == ("lead qualified", 90, None)
        records = client.post("/v1/leads/score", json={"records": [{}]}, headers=own_house.headers())
        assert records.json()["rows"][0]["status"] == "insufficient_data"
        card = client.get("/v1/models/lead_score", headers=own_house.headers()).json()
        assert card["model"]["model_version"] is None


def test_without_a_champion_the_probability_is_the_share_that_had_the_event(own_house) -> None:
    (own_house.config.champions_folder / TASK.name / "current.json").unlink()
    tasks = {TASK.name: TaskSection(event="qualified", horizon_days=20, gap_days=0)}
    config = own_house.config.model_copy(update={"tasks": tasks})
    store = Store(config.record_folder)
    leads = store.current().read("leads")
    custom = {"budget": DType.MONEY, "hot": DType.FLAG}
    rows = leads.to_pylist()
    for row in rows[:30]:
        row["converted_at"] = row["created_at"] + timedelta(days=10)
    with store.writing() as writer:
        writer.replace("leads", pa.Table.from_pylist(rows, schema=leads.schema), custom)
    with own_house.client(config) as client:
        (row,) = ask(client, own_house, ["L60"])
        assert row["event"] == "lead qualified"
        # All leads were created 20 days or more before the watermark.
        assert row["probability"] == pytest.approx(30 / 80)


def test_a_promotion_is_followed_and_each_row_names_its_model(own_house) -> None:
    with own_house.client() as client:
        service = client.app.state.service
        assert ask(client, own_house)[0]["model_version"] == "1"
        own_house.promote("2", learner="base_rate")
        service.reload()
        record = client.post("/v1/leads/score", json={"records": [{}]}, headers=own_house.headers()).json()["rows"][0]
        assert (record["model_version"], record["status"]) == ("2", "base_rate")
        row = ask(client, own_house)[0]
        assert (row["model_version"], row["status"], row["evidence"]) == ("1", "scored", None)
        assert own_house.refresh()
        service.reload()
        row = ask(client, own_house)[0]
        assert (row["model_version"], row["status"], row["percentile"]) == ("2", "base_rate", None)


def test_a_damaged_champion_leaves_the_one_before_in_place(own_house) -> None:
    with own_house.client() as client:
        service = client.app.state.service
        before = ask(client, own_house)[0]["probability"]
        own_house.promote("2", learner="base_rate")
        pointer = own_house.config.champions_folder / TASK.name / "current.json"
        digest = json.loads(pointer.read_text())["current"]
        (pointer.parent / digest / "model.json").write_text("{}")
        service.reload()
        row = ask(client, own_house)[0]
        assert (row["probability"], row["model_version"]) == (before, "1")
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert "BadBundle" in ready.json()["parts"]["lead_score.champion"]


def test_what_cannot_be_prepared_leaves_the_answers_before_in_place(own_house, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a canary that no one may read")

    with own_house.client() as client:
        own_house.promote("2", learner="base_rate")
        monkeypatch.setattr("serving.scoring.make_inputs", fail)
        client.app.state.service.reload()
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["parts"]["lead_score.answers"] == "cannot be prepared (RuntimeError)"
        assert ask(client, own_house)[0]["model_version"] == "1"
    with own_house.client() as client:
        assert client.get("/health/ready").status_code == 503


def test_a_damaged_score_file_leaves_the_scores_before_in_place(own_house) -> None:
    with own_house.client() as client:
        home = own_house.config.scores_folder / TASK.name
        (home / "broken.parquet").write_bytes(b"PAR1")
        (home / "current").write_text("broken.parquet")
        client.app.state.service.reload()
        assert ask(client, own_house)[0]["status"] == "scored"
    for pointer in (b"broken.parquet", b"\xff\xfe", b"gone.parquet"):
        (home / "current").write_bytes(pointer)
        with pytest.raises(BadScores, match="refresh them"):
            read_scores(own_house.config.scores_folder, TASK.name)


def test_a_new_generation_moves_owners_before_its_refresh(own_house) -> None:
    store = Store(own_house.config.record_folder)
    leads = store.current().read("leads").to_pylist()
    with own_house.client() as client:
        rep = own_house.headers("rep")

        def status() -> str:
            return client.post("/v1/leads/score", json={"ids": ["L0"]}, headers=rep).json()["rows"][0]["status"]

        assert status() == "scored"
        custom = {"budget": DType.MONEY, "hot": DType.FLAG}
        with store.writing() as writer:
            schema = store.current().read("leads").schema
            moved = [{**row, "rep_id": "R3" if row["lead_id"] == "L0" else row["rep_id"]} for row in leads]
            writer.replace("leads", pa.Table.from_pylist(moved, schema=schema), custom)
        client.app.state.service.reload()
        assert status() == "not_found"
        assert own_house.refresh()
        client.app.state.service.reload()
        assert status() == "not_found"


def test_a_second_refresh_finds_nothing_to_do(own_house) -> None:
    report = refresh_scores(own_house.config, TASK)
    assert not report.changed
    assert report.n_scored == 76
    assert report.as_of == datetime(2026, 3, 30, tzinfo=UTC)


def test_a_refresh_needs_a_record_and_a_champion(own_house, tmp_path: Path) -> None:
    empty = own_house.config.model_copy(
        update={"store": own_house.config.store.model_copy(update={"folder": tmp_path / "empty"})}
    )
    with pytest.raises(NoRecord):
        refresh_scores(empty, TASK)
    (own_house.config.champions_folder / TASK.name / "current.json").unlink()
    with pytest.raises(NoChampion):
        refresh_scores(own_house.config, TASK)


def test_nothing_is_loaded_again_while_nothing_changed(own_house) -> None:
    live = Live(own_house.config, [TASK.name])
    live.reload()
    before = live.states[TASK.name]
    live.reload()
    assert live.states[TASK.name].record is before.record
    assert live.states[TASK.name].champion is before.champion
    assert live.states[TASK.name].scores is before.scores


def test_the_application_does_not_load_pandas() -> None:
    code = (
        "import sys, serving.app, serving.refresh, serving.scoring, serving.inputs;"
        "print(*[n for n in ('pandas', 'sklearn', 'mlflow', 'scipy') if n in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


@pytest.mark.slow
def test_answering_works_without_pandas(own_house) -> None:
    # Arrow imports pandas by itself where it finds it, so the proof is an interpreter that has none.
    program = f"""
import sys
import time
class Without:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "sklearn", "mlflow"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from datetime import UTC, datetime, timedelta
from crm.config import Config, DatabaseSection, StoreSection
from serving.app import create_app
from starlette.testclient import TestClient
folder = Path({str(own_house.config.store.folder)!r})
config = Config(store=StoreSection(folder=folder), database=DatabaseSection(url=f"sqlite:///{{folder}}/app.db"))
with TestClient(create_app(config, clock=lambda: datetime(2026, 4, 1, 3, tzinfo=UTC), watch=False)) as client:
    headers = {{"Authorization": "Bearer {own_house.keys["director"]}"}}
    record = {{"channel": "web", "rep_id": "R1"}}
    rows = client.post("/v1/leads/score", json={{"records": [record]}}, headers=headers).json()["rows"]
    rows += client.post("/v1/leads/score", json={{"ids": ["L0"]}}, headers=headers).json()["rows"]
    assert [row["status"] for row in rows] == ["scored", "scored"], rows
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.slow
def test_a_running_service_refreshes_by_itself(own_house) -> None:
    with TestClient(create_app(own_house.config, clock=own_house.clock)) as client:
        own_house.promote("2", learner="base_rate")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            row = ask(client, own_house)[0]
            if row["model_version"] == "2":
                break
            time.sleep(0.2)
        assert (row["status"], row["percentile"]) == ("base_rate", None)
