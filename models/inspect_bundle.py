"""Try a bundle in a process of its own before anybody serves it.

`python -m models.inspect_bundle FOLDER` loads the bundle, reproduces its golden rows and says so; a bundle that
kills the reader kills only that process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from models.bundle import verify_bundle
from models.golden import require_golden
from models.load import kind_of, load_scorer
from models.predictor import BadBundle
from models.series_bundle import SERIES, load_series, require_series_golden

TIMEOUT_SECONDS = 60
_REFUSED = 3


def inspect_bundle(folder: Path, *, timeout: float = TIMEOUT_SECONDS) -> str:
    """The digest of a bundle that a child process loaded and that reproduced its golden rows.

    Raises
    ------
    BadBundle
        It is damaged, answers differently, crashes the reader or takes too long.
    """
    digest = verify_bundle(folder)
    root = Path(__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    command = [sys.executable, "-m", "models.inspect_bundle", str(folder.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise BadBundle(f"{folder.name}: not loaded within {timeout:g} seconds") from None
    if done.returncode == 0:
        return digest
    said = done.stderr.strip().splitlines()
    if done.returncode == _REFUSED and said:
        raise BadBundle(said[-1])
    raise BadBundle(f"{folder.name}: the reader ended with code {done.returncode}")


def main(arguments: list[str]) -> int:
    """Exit code: 0 sound, 3 refused with the reason on standard error."""
    folder = Path(arguments[0])
    try:
        if kind_of(folder) == SERIES:
            require_series_golden(load_series(folder), folder)
        else:
            require_golden(load_scorer(folder), folder)
    except BadBundle as error:
        sys.stderr.write(f"{error}\n")
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
