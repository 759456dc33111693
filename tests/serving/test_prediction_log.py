"""No answered prediction is lost: not when the database is away, not when the process is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from crm.app_database import PredictionRow, open_database
from serving.errors import NotReady
from serving.prediction_log import Kept, PredictionLog

NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def kept(number: int) -> Kept:
    return Kept(
        prediction_id=f"{number:032x}",
        task="lead_score",
        entity_id=f"L{number}",
        as_of=NOW,
        model_version="1",
        digest="d" * 64,
        asked_by="u",
        request_id="r",
        created_at=NOW,
        answer={"entity_id": f"L{number}"},
    )


@pytest.fixture
def engine(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path}/app.db")
    yield engine
    engine.dispose()


def stored(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return sorted(session.scalars(select(PredictionRow.entity_id)))


def test_rows_are_in_the_database_when_keep_returns(engine: Engine, tmp_path: Path) -> None:
    log = PredictionLog(engine, tmp_path / "spool")
    log.start()

    async def run() -> list[str]:
        await asyncio.gather(*(log.keep([kept(2 * n), kept(2 * n + 1)]) for n in range(50)))
        return stored(engine)

    assert len(asyncio.run(run())) == 100
    log.stop()
    assert not (tmp_path / "spool").exists()


def test_rows_wait_in_the_spool_while_the_database_is_away(engine: Engine, tmp_path: Path) -> None:
    log = PredictionLog(engine, tmp_path / "spool")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE predictions RENAME TO away"))
    log.start()
    asyncio.run(log.keep([kept(1), kept(2)]))
    assert list((tmp_path / "spool").glob("*.jsonl"))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO predictions"))
    log.stop()
    following = PredictionLog(engine, tmp_path / "spool")
    following.start()
    following.stop()
    assert stored(engine) == ["L1", "L2"]
    assert not list((tmp_path / "spool").glob("*.jsonl"))


def test_a_spool_that_was_half_read_back_doubles_nothing(engine: Engine, tmp_path: Path) -> None:
    log = PredictionLog(engine, tmp_path / "spool")
    log._spool([kept(1), kept(2)])
    log._insert([{name: getattr(kept(1), name) for name in Kept.__slots__}])
    log.start()
    log.stop()
    assert stored(engine) == ["L1", "L2"]


def test_nothing_is_answered_when_nothing_can_be_kept(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    log = PredictionLog(engine, tmp_path / "spool")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE predictions"))
    log.start()
    with pytest.raises(NotReady):
        asyncio.run(log.keep([kept(1)]))
    log.stop()


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_it_had_kept(engine: Engine, tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from crm.app_database import open_database
from serving.prediction_log import PredictionLog
from test_prediction_log import kept
log = PredictionLog(open_database("sqlite:///{tmp_path}/app.db"), Path({str(tmp_path)!r}) / "spool")
log.start()
async def run():
    n = 0
    while True:
        await log.keep([kept(n)])
        print(n, flush=True)
        n += 1
asyncio.run(run())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.readlines()
    answered = [int(line) for line in said if line.endswith("\n")]
    found = set(stored(engine))
    assert {f"L{n}" for n in answered} <= found
