"""What goes into the registry is text of known kinds: no class of ours, no code, nothing that is unpickled."""

import ast
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.matrix import Field, Kind
from models.bundle import load_bundle, save_bundle
from models.calibrator import IDENTITY
from models.candidates import fit_base_rate
from models.card_plot import write_plot
from models.encoding import make_encoder
from models.golden import make_golden
from models.log_items import Files, items_of
from models.predictor import About, Predictor
from models.report import TrainReport

ROOT = Path(__file__).parents[2]
PACKAGES = ("crm", "features", "models", "planning", "serving")
# Words of MLflow that put code or objects beside a model, or run them again.
CODE = {"code_paths", "code_path", "python_model", "loader_module", "log_model", "save_model", "load_model"}


def words(path: Path) -> set[str]:
    """Names of arguments, attributes and imports in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword | ast.arg):
            found.add(node.arg or "")
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name)
    return found


def test_no_model_is_stored_with_code() -> None:
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert [path.relative_to(ROOT).as_posix() for path in modules if words(path) & CODE] == []


def test_a_registered_bundle_is_json_markdown_and_trees_and_names_no_module_of_ours(tmp_path: Path) -> None:
    rows = pa.table({"channel": ["web", "call"] * 40})
    encoder = make_encoder((Field(name="channel", kind=Kind.CATEGORY),), rows)
    y = np.tile([1.0, 0.0], 40)
    fitted = fit_base_rate(encoder, encoder.encode_table(rows), y, 1)
    about = About(
        task="lead_score",
        kind=fitted.kind,
        learner="base_rate",
        event="qualified",
        horizon_days=90,
        gap_days=1,
        base_rate=0.5,
        n_rows=80,
        n_positives=40,
    )
    predictor = Predictor(about=about, encoder=encoder, calibrator=IDENTITY, additive=fitted.additive)
    cards = {"en": "# Card", "zh": "# 卡片"}
    plots = {language: write_plot((), language=language) for language in cards}
    golden = make_golden(predictor)
    save_bundle(predictor, tmp_path / "bundle", cards=cards, report="{}", golden=golden, plots=plots)
    files = sorted(path.name for path in (tmp_path / "bundle").iterdir())
    assert {Path(name).suffix for name in files} <= {".json", ".md", ".svg", ".txt"}
    ours = tuple(f"{package}.{path.stem}" for package in PACKAGES for path in (ROOT / package).glob("*.py"))
    for name in files:
        text = (tmp_path / "bundle" / name).read_text(encoding="utf-8")
        assert [module for module in ours if module in text] == [], name
    assert load_bundle(tmp_path / "bundle").about == about


def test_of_a_training_the_registry_gets_plain_values_and_the_bundle(tmp_path: Path) -> None:
    report = TrainReport(
        task="lead_score",
        event="qualified",
        status="trained",
        reason="",
        n_train=3,
        n_test=1,
        n_censored=0,
        base_rate=0.5,
        seed=1,
    )
    files = [item for item in items_of(report, tmp_path) if isinstance(item, Files)]
    assert [(item.folder, item.place) for item in files] == [(tmp_path, "bundle")]
