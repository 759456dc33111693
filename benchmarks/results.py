"""`make results`: re-measure the figures, print them as JSON lines, rewrite `docs/results.md`.

Figures go to standard output, one JSON line each; everything else goes to standard error.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from benchmarks.figures import Figure, Measure, render_page

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
LIBRARIES = ("lightgbm", "scikit-learn", "numpy", "duckdb", "mlflow", "statsforecast", "hierarchicalforecast")


def groups() -> dict[str, Measure]:
    """The groups of figures by name."""
    from benchmarks.families import measure_families
    from benchmarks.forecast import measure_forecast
    from benchmarks.scoring import measure_scoring

    return {"scoring": measure_scoring, "families": measure_families, "forecast": measure_forecast}


@contextmanager
def figures_alone() -> Iterator[TextIO]:
    """Standard output for the figures alone: whatever libraries print meanwhile, from C too, goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as figures:
            yield figures
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def main() -> int:
    """Measure the chosen groups; exit code 0 when every figure could be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="one group; none measures all and rewrites the page")
    parser.add_argument("--seed", type=int, default=20260101)
    chosen = parser.parse_args()
    known = groups()
    if chosen.only and chosen.only not in known:
        print(f"no group {chosen.only!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    measured: dict[str, list[Figure]] = {}
    with figures_alone() as figures:
        for name, measure in known.items():
            if chosen.only in ("", name):
                measured[name] = []
                started = time.monotonic()
                for figure in measure(chosen.seed):
                    print(figure.as_json(), file=figures, flush=True)
                    measured[name].append(figure)
                print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    if not chosen.only:
        versions = ", ".join(f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES)
        PAGE.write_text(render_page(measured, versions), encoding="utf-8")
        print(f"wrote {PAGE.name}", file=sys.stderr)
    missing = [figure.name for figures in measured.values() for figure in figures if figure.value is None]
    if missing:
        print(f"not measured (data absent): {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
