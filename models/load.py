"""One loader for every kind of bundle: the manifest says which reader knows it."""

from __future__ import annotations

import json
from pathlib import Path

from models.bundle import MANIFEST, load_bundle
from models.hazard_bundle import KIND, load_hazard
from models.predictor import BadBundle
from models.scorer import Scorer


def load_scorer(folder: Path, digest: str | None = None) -> Scorer:
    """The model of a verified folder, whatever its kind.

    Parameters
    ----------
    folder : Path
        The bundle.
    digest : str or None
        What it must be; None takes any unchanged bundle.

    Raises
    ------
    BadBundle
        The folder is damaged or not what it claims to be.
    """
    return load_hazard(folder, digest) if kind_of(folder) == KIND else load_bundle(folder, digest)


def kind_of(folder: Path) -> str:
    """The kind that the manifest of a bundle states.

    Raises
    ------
    BadBundle
        There is no manifest that can be read.
    """
    # Read before the manifest is verified: a wrong kind leads to a reader that refuses, never to a wrong answer.
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["kind"])
    except FileNotFoundError:
        raise BadBundle(f"{folder.name}: no {MANIFEST}") from None
    except (ValueError, KeyError, TypeError):
        raise BadBundle(f"{folder.name}: the manifest cannot be read") from None
