"""The bridge and the words of deals from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from serving.cli import app
from serving.cli_errors import NotPossible


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    write_company(make_company("tiny", 7, months=30), Store(folder / "var" / "record"))
    path = folder / "salescast.yaml"
    path.write_text(f"store:\n  folder: {folder / 'var'}\n", encoding="utf-8")
    return path


def run(settings: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(settings), *words])


def test_the_bridge_is_told_as_rows_and_as_json(settings: Path) -> None:
    days = ("--since", "2026-04-10", "--until", "2026-06-20", "--month", "2026-04")
    rows, told = run(settings, "bridge", *days), json.loads(run(settings, "bridge", *days, "--json").stdout)
    assert "Deals created since" in rows.stdout
    assert sum(bar["amount"] for bar in told["bars"]) == pytest.approx(told["after"] - told["before"], abs=0.001)


def test_the_bridge_is_drawn_in_chinese(settings: Path, tmp_path: Path) -> None:
    days = ("--since", "2026-04-10", "--until", "2026-06-20", "--month", "2026-04")
    answer = run(settings, "plot", "bridge", *days, "--lang", "zh", "--out", str(tmp_path / "bridge.svg"))
    assert answer.exit_code == 0
    drawn = (tmp_path / "bridge.svg").read_text(encoding="utf-8")
    assert "期间新建商机" in drawn
    assert "2026-04 起的季度；分别按 2026-04-10 与 2026-06-20 所知" in drawn


def test_the_words_of_deals_are_told_as_rows_and_as_json(settings: Path) -> None:
    rows, told = run(settings, "hygiene"), json.loads(run(settings, "hygiene", "--json").stdout)
    assert "together" in rows.stdout
    assert sum(rep["corrected"] for rep in told["reps"]) == pytest.approx(told["total"]["corrected"])


@pytest.mark.parametrize(
    "words",
    [
        ("bridge", "--since", "then"),
        ("bridge", "--since", "2026-06-20", "--until", "2026-04-10"),
        ("bridge", "--node", "region:nowhere"),
        ("bridge", "--period", "decade"),
        ("plot", "bridge", "--node", "region:nowhere", "--out", "bridge.svg"),
        ("hygiene", "--month", "soon"),
        ("hygiene", "--month", "0001-01"),
    ],
)
def test_what_cannot_be_answered_says_what_would_help(settings: Path, words: tuple[str, ...]) -> None:
    answer = run(settings, *words)
    assert isinstance(answer.exception, NotPossible)
    assert "Traceback" not in answer.output
