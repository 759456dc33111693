"""Names and phones planted in a company's file: none may leave the record for a log, a run, a model or an error."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from starlette.testclient import TestClient

from crm.config import read_config
from crm.store import Store
from serving.app import create_app
from serving.cli import main

CANARY = "Zanarix"
PHONE = "1390077"
MAPPING = """
company: {time_zone: UTC}
sources:
  - name: past
    file: past.csv
    observations:
      task: lead_score
      entity_id: Lead
      label: {from: Won, positive: "yes"}
      order: row_number
"""
# Where a company's rows belong: the record itself, and the rows that could not be taken in.
KEEPS_ROWS = ("record", "rejects")


def phone(number: int) -> str:
    return f"+86 {PHONE}{number:04d}"


def write_past(folder: Path) -> None:
    with (folder / "past.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Lead", "Visits", "Channel", "Contact", "Phone", "Won"])
        for n in range(400):
            visits = n * 7 % 20
            won = n * 13 % 12 < (8 if visits > 9 else 3)
            contact = f"{CANARY} {n} Smith" if n % 3 else f"{CANARY}女士{n}"
            writer.writerow([f"{n:04d}", visits, ["web", "fair"][n % 2], contact, phone(n), "yes" if won else "no"])
        writer.writerow(["", 3, "web", f"{CANARY} without id", phone(9000), "yes"])
        writer.writerow(["0401", 3, "web", f"{CANARY} of no outcome", phone(9001), f"{CANARY}?"])


def holds_canary(content: bytes) -> bool:
    return CANARY.encode() in content or PHONE.encode() in content


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.mark.slow
def test_no_name_and_no_phone_leaves_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_past(tmp_path)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "salescast.yaml").write_text("store: {folder: var}\n")
    said: list[str] = []

    def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["salescast", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert ended.value.code in (0, None), err
        said.append(err)
        return out

    report = json.loads(run("ingest", "--mapping", "mapping.yaml", "--json"))
    assert report["sources"][0]["rejected"] >= 1
    said.append(run("train", "lead_score", "--json"))
    said.append(run("promote", "lead_score", "--force"))
    said.append(run("refresh"))
    key = run("keys", "create", "boss", "--role", "director").strip()
    said += ask_well_and_badly(key)
    out, err = capsys.readouterr()
    said += [out, err]
    assert not [text[:200] for text in said if holds_canary(text.encode())]
    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    assert any("mlflow" in path.as_posix() for path in files)
    kept = [path.relative_to(tmp_path / "var") for path in files if holds_canary(path.read_bytes())]
    assert holds_canary((tmp_path / "past.csv").read_bytes())
    rows = Store(read_config().record_folder).current().read("observations").to_pylist()
    assert sum(holds_canary(str(row).encode()) for row in rows) >= 400
    assert [path.as_posix() for path in kept if path.parts[0] not in KEEPS_ROWS] == []


def ask_well_and_badly(key: str) -> list[str]:
    """What the service answers to good and bad requests that are full of canaries."""
    config = read_config()
    row = {"Lead": "N1", "Visits": "3", "Channel": "web", "Contact": f"{CANARY} new", "Phone": phone(9002)}
    bodies: list[bytes | object] = [
        {"records": [row]},
        {"records": [{**row, "Visits": f"{CANARY} visits"}, {**row, f"{CANARY} column": 1}, f"{CANARY} text"]},
        {"ids": ["0001", "0002"]},
        {"ids": [{"name": CANARY}]},
        {"records": [row], CANARY: PHONE},
        {"records": [row], "as_of": f"{CANARY} yesterday"},
        json.dumps({"records": [row]}, ensure_ascii=False).encode()[:-3],
        b'{"records":[{"Contact":"' + CANARY.encode() + b'","Contact":"b"}]}',
    ]
    found = []
    with TestClient(create_app(config, watch=False), raise_server_exceptions=False) as client:
        for body in bodies:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            answer = client.post("/v1/leads/score", content=content, headers=headers)
            assert answer.status_code < 500
            found.append(answer.text)
        for path in (f"/v1/models/{CANARY}", f"/v1/predictions/{PHONE}", f"/{CANARY}", f"/v1/models?q={CANARY}"):
            found.append(client.get(path, headers={"Authorization": f"Bearer {key}"}).text)
        found.append(client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).text)
        found.append(client.get("/v1/models", headers={"Authorization": f"Bearer {CANARY}"}).text)
    return found
