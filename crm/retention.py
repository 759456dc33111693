"""What the store may forget: generations beyond those kept, files that none names, leftovers of a dead ingest."""

from __future__ import annotations

import json
from pathlib import Path


def sweep(folder: Path, current: int, *, keep: int | None = None) -> None:
    """Remove from a store what no reader needs; the caller holds the ingest lock.

    Parameters
    ----------
    folder : Path
        The store.
    current : int
        Number of the current generation; whatever is newer was never published.
    keep : int or None
        How many of the newest generations stay, the current one among them. None keeps all.
    """
    oldest = 1 if keep is None else current - max(keep, 1) + 1
    named: set[str] = set()
    for path in (folder / "generations").glob("*.json"):
        if not oldest <= int(path.stem) <= current:
            path.unlink()
            continue
        stated = json.loads(path.read_text(encoding="utf-8"))
        named.update(digest for entry in stated["tables"].values() for digest in entry["files"])
    for path in (folder / "objects").glob("*"):
        if path.suffix == ".tmp" or path.stem not in named:
            path.unlink()
    for path in (*folder.glob("*.tmp"), *(folder / "generations").glob("*.tmp")):
        path.unlink()
