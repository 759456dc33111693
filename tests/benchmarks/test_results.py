"""`make results ONLY=group` is read by programs: standard output holds figures, one strict JSON line each."""

import json
import sys
from pathlib import Path
from subprocess import run

ROOT = Path(__file__).parents[2]
STUB = """
import math, os, sys
from benchmarks import results
from benchmarks.figures import Figure

def measure(seed):
    print("a library that talks")
    os.write(1, b"a library in C that talks\\n")
    yield Figure(name="stub/one", value=0.5, low=math.nan, goal=1.0, protocol="never shown here")
    yield Figure(name="stub/two", value="passed")
    yield Figure(name="stub/three", value=None if {absent} else 3.0)

results.groups = lambda: {{"stub": measure}}
sys.argv = ["results", "{only}"]
raise SystemExit(results.main())
"""


def call(only: str, *, absent: bool = False) -> tuple[int, list[str], str]:
    code = STUB.format(only=only, absent=absent)
    ended = run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return ended.returncode, ended.stdout.splitlines(), ended.stderr


def test_standard_output_holds_figures_alone() -> None:
    code, lines, told = call("stub")
    figures = [json.loads(line) for line in lines]
    assert code == 0
    assert [figure["name"] for figure in figures] == ["stub/one", "stub/two", "stub/three"]
    assert all(list(figure) == ["name", "value", "low", "high", "baseline", "goal"] for figure in figures)
    assert figures[0]["low"] is None
    assert "a library that talks" in told
    assert "a library in C that talks" in told


def test_a_figure_that_could_not_be_measured_is_null_and_fails_the_run() -> None:
    code, lines, told = call("stub", absent=True)
    assert (code, json.loads(lines[-1])["value"]) == (1, None)
    assert "stub/three" in told


def test_an_unknown_group_is_refused_with_the_names_of_those_there_are() -> None:
    code, lines, told = call("other")
    assert (code, lines) == (2, [])
    assert "there are stub" in told
