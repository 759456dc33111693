"""Public data sets that are measured when they lie beside the repository; none of them ships."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from crm.config import Config
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Generation, Store

VARIABLE = "SALESCAST_SHARED_DATA"
MAPPINGS = Path(__file__).parents[1] / "examples" / "mappings"


def shared_data() -> Path | None:
    """The folder of the public data sets, or None when it is absent."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@contextmanager
def taken_in(name: str, config: Config) -> Iterator[Generation | None]:
    """The record of a public data set, taken in through its mapping; None when the data are absent."""
    data = shared_data()
    if data is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        ingest(store, read_mapping(MAPPINGS / f"{name}.yaml"), data / name, config=config, now=datetime.now(UTC))
        yield store.current()
