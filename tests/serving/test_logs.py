"""Logs: JSON lines with the request id, and nothing that a caller sent or a person is called."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CANARY = "CanaryValue7731"


@pytest.mark.slow
def test_logs_are_json_lines_without_values(own_house) -> None:
    program = f"""
import logging, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from datetime import UTC, datetime
from crm.config import Config, DatabaseSection, StoreSection
from serving.app import create_app
from serving.logs import configure_logs
from starlette.testclient import TestClient
configure_logs("debug")
folder = Path({str(own_house.config.store.folder)!r})
config = Config(store=StoreSection(folder=folder), database=DatabaseSection(url=f"sqlite:///{{folder}}/app.db"))
app = create_app(config, clock=lambda: datetime(2026, 4, 1, 3, tzinfo=UTC), watch=False)
with TestClient(app, raise_server_exceptions=False) as client:
    headers = {{"Authorization": "Bearer {own_house.keys["director"]}"}}
    client.post("/v1/leads/score", json={{"records": [{{"channel": "{CANARY}", "{CANARY}": 1}}]}}, headers=headers)
    client.post("/v1/leads/score", json={{"ids": ["{CANARY}"]}}, headers=headers)
    client.get("/v1/models/{CANARY.lower()}?x={CANARY}", headers={{"Authorization": "Bearer {CANARY}"}})
    log = app.state.service.predictions
    def fail(*_):
        raise RuntimeError("{CANARY}")
    log.keep = fail
    answer = client.post("/v1/leads/score", json={{"ids": ["L0"]}}, headers=headers)
    assert answer.status_code == 500 and "{CANARY}" not in answer.text
    logging.getLogger("library").warning("value %s", "{CANARY}")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert CANARY not in ended.stderr + ended.stdout
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    answered = [line for line in lines if line["event"] == "answered"]
    assert [line["status"] for line in answered] == [200, 200, 401, 500]
    assert len({line["request_id"] for line in answered}) == 4
    failed = next(line for line in lines if line["event"] == "request failed")
    assert failed["request_id"] == answered[-1]["request_id"]
    assert (failed["error"], failed["place"].split(":")[0]) == ("RuntimeError", "__main__")
    assert own_house.keys["director"].split("_")[2] not in ended.stderr
