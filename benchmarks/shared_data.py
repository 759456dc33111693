"""Public data sets that are measured when they lie beside the repository; none of them ships."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SALESCAST_SHARED_DATA"


def shared_data() -> Path | None:
    """The folder of the public data sets, or None when it is absent."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None
