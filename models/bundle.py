"""A trained model as text: a folder of JSON and LightGBM's own format, with a digest of every file.

Nothing in a bundle is code and nothing is unpickled. The digests are verified before anything is parsed, since
LightGBM's reader crashes the process on corrupted text. The digest of the manifest names the bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from models.additive import additive_from_json, additive_to_json
from models.calibrator import calibrator_from_json, calibrator_to_json
from models.encoding import Encoder, coding_from_json, coding_to_json
from models.predictor import About, BadBundle, Predictor

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model.json"
BOOSTER = "booster.txt"
GOLDEN = "golden.json"
REPORT = "report.json"
CARD = {"en": "card.en.md", "zh": "card.zh.md"}
PLOT = {"en": "calibration.en.svg", "zh": "calibration.zh.svg"}


def save_bundle(
    predictor: Predictor,
    folder: Path,
    *,
    cards: Mapping[str, str],
    report: str,
    golden: str,
    plots: Mapping[str, str] | None = None,
) -> str:
    """Write a bundle into a new folder and return its digest.

    Parameters
    ----------
    predictor : Predictor
        The model.
    folder : Path
        Must not exist yet.
    cards : mapping
        Model card by language, `en` and `zh`.
    report : str
        The training report as JSON.
    golden : str
        Synthetic rows with their probabilities as JSON, from `models.golden`.
    plots : mapping or None
        Calibration plot as SVG by language, beside the cards.
    """
    files = {MODEL: _model_json(predictor), REPORT: report, GOLDEN: golden}
    files |= {CARD[language]: text for language, text in cards.items()}
    files |= {PLOT[language]: text for language, text in (plots or {}).items()}
    if predictor.booster_text is not None:
        files[BOOSTER] = predictor.booster_text
    return seal_folder(folder, files, task=predictor.about.task, kind=predictor.about.kind)


def seal_folder(folder: Path, files: Mapping[str, str], *, task: str, kind: str) -> str:
    """Write texts and a manifest of their digests into a new folder; returns the digest of the manifest.

    Parameters
    ----------
    folder : Path
        Must not exist yet.
    files : mapping
        Text by file name.
    task, kind : str
        What the manifest says it is.
    """
    folder.mkdir(parents=True)
    for name, text in files.items():
        _write(folder / name, text.encode())
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())}
    manifest = dump({"format": FORMAT, "task": task, "kind": kind, "files": digests})
    _write(folder / MANIFEST, manifest.encode())
    return hashlib.sha256(manifest.encode()).hexdigest()


def _model_json(predictor: Predictor) -> str:
    about = predictor.about
    return dump(
        {
            "about": {name: getattr(about, name) for name in About.__slots__},
            "fields": [coding_to_json(coding) for coding in predictor.encoder.codings],
            "calibrator": calibrator_to_json(predictor.calibrator),
            "additive": None if predictor.additive is None else additive_to_json(predictor.additive),
            "weight": predictor.weight,
        }
    )


def verify_bundle(folder: Path, digest: str | None = None) -> str:
    """The bundle's digest, after every file was found unchanged; nothing but the manifest is parsed.

    Raises
    ------
    BadBundle
        A file is missing, changed, added or a link, or the digest is another one than expected.
    """
    if not (folder / MANIFEST).is_file():
        raise BadBundle(f"{folder.name}: no {MANIFEST}")
    content = (folder / MANIFEST).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise BadBundle(f"{folder.name}: expected digest {digest[:12]}, found {found[:12]}")
    try:
        manifest = json.loads(content)
        stated, version = dict(manifest["files"]), manifest["format"]
    except (ValueError, KeyError, TypeError):
        raise BadBundle(f"{folder.name}: the manifest cannot be read") from None
    if version != FORMAT:
        raise BadBundle(f"{folder.name}: expected format {FORMAT}, found {version}")
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    if present != set(stated):
        odd = sorted(present ^ set(stated))[:3]
        raise BadBundle(f"{folder.name}: files and manifest differ: {', '.join(odd)}")
    for name, expected in stated.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise BadBundle(f"{folder.name}: {name} is no plain file")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise BadBundle(f"{folder.name}: {name} was changed after training")
    return found


def load_bundle(folder: Path, digest: str | None = None) -> Predictor:
    """The model of a verified folder.

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
    verify_bundle(folder, digest)
    try:
        content = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        additive = content["additive"]
        booster = folder / BOOSTER
        return Predictor(
            about=About(**content["about"]),
            encoder=Encoder([coding_from_json(entry) for entry in content["fields"]]),
            calibrator=calibrator_from_json(content["calibrator"]),
            additive=None if additive is None else additive_from_json(additive),
            booster_text=booster.read_text(encoding="utf-8") if booster.exists() else None,
            weight=float(content["weight"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{folder.name}: {MODEL} cannot be read: {type(error).__name__}") from None


def read_card(folder: Path, language: str) -> str:
    """The model card in `en` or `zh`."""
    return (folder / CARD[language]).read_text("utf-8")


def read_report(folder: Path) -> dict[str, object]:
    """The training report kept in the bundle."""
    content = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    return dict(content)


def dump(content: Mapping[str, object]) -> str:
    """Strict JSON with sorted keys, so that equal content gives equal digests."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=1)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
