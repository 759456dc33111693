import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.matrix import Field, Kind
from models import champions
from models.bundle import BOOSTER, MANIFEST, MODEL, load_bundle, save_bundle, verify_bundle
from models.calibrator import Calibrator
from models.candidates import LEARNERS
from models.encoding import BadValue, make_encoder
from models.golden import make_golden, make_synthetic_rows
from models.inspect_bundle import inspect_bundle
from models.predictor import About, BadBundle, Predictor

FIELDS = (
    Field(name="visits", kind=Kind.NUMBER, phrase_en="Visits", phrase_zh="访问次数", null_meaning="no visit yet"),
    Field(name="n_emails_30d", kind=Kind.NUMBER, group="activity"),
    Field(name="n_calls_30d", kind=Kind.NUMBER, group="activity"),
    Field(name="channel", kind=Kind.CATEGORY),
    Field(name="is_student", kind=Kind.FLAG),
)


def make_rows(n: int = 1200) -> tuple[pa.Table, np.ndarray]:
    random = np.random.default_rng(3)
    visits = random.poisson(4, n).astype(float)
    visits[random.random(n) < 0.1] = np.nan
    channel = random.choice(["web", "fair", "partner", "call"], n).astype(object)
    channel[random.random(n) < 0.05] = None
    emails = random.poisson(2, n).astype(float)
    student = random.integers(0, 2, n).astype(float)
    log_odds = -1.5 + 0.3 * np.nan_to_num(visits, nan=1) - student + 1.2 * (channel == "partner")
    y = (random.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    columns = {
        "visits": pa.array(visits, from_pandas=True),
        "n_emails_30d": emails,
        "n_calls_30d": random.poisson(1, n).astype(float),
        "channel": pa.array(channel, pa.string()),
        "is_student": student,
    }
    return pa.table(columns), y


def make_predictor(learner: str) -> tuple[Predictor, pa.Table]:
    rows, y = make_rows()
    encoder = make_encoder(FIELDS, rows)
    fitted = LEARNERS[learner](encoder, encoder.encode_table(rows), y, 1)
    about = About(
        task="lead_score",
        kind=fitted.kind,
        learner=learner,
        event="won",
        horizon_days=90,
        gap_days=1,
        base_rate=float(y.mean()),
        n_rows=len(y),
        n_positives=int(y.sum()),
    )
    calibrator = Calibrator(method="beta", x=np.array([-2.0, 0.0, 3.0]), y=np.array([-1.5, 0.1, 2.0]), shift=0.05)
    predictor = Predictor(
        about=about,
        encoder=encoder,
        calibrator=calibrator,
        additive=fitted.additive,
        booster_text=fitted.booster_text,
        weight=fitted.weight,
    )
    return predictor, rows


def save(predictor: Predictor, folder: Path) -> str:
    return save_bundle(
        predictor, folder, cards={"en": "# Card", "zh": "# 卡"}, report="{}", golden=make_golden(predictor)
    )


@pytest.mark.parametrize("learner", sorted(LEARNERS))
def test_loaded_bundle_answers_with_equal_bits_one_by_one_and_as_a_table(learner: str, tmp_path: Path) -> None:
    predictor, rows = make_predictor(learner)
    digest = save(predictor, tmp_path / "b")
    loaded = load_bundle(tmp_path / "b", digest)
    table = loaded.predict_table(rows)
    assert table.tolist() == predictor.predict_table(rows).tolist()
    assert table[:200].tolist() == [loaded.predict(row).probability for row in rows.slice(0, 200).to_pylist()]
    assert len(set(table.tolist())) > 1
    assert loaded.about == predictor.about


@pytest.mark.parametrize("learner", ["booster_small", "curves", "blend"])
def test_contributions_add_up_to_the_log_odds(learner: str) -> None:
    predictor, rows = make_predictor(learner)
    encoded = predictor.encoder.encode_table(rows)
    parts = predictor.contributions(encoded).sum(axis=1)
    np.testing.assert_allclose(predictor.calibrator(parts), np.log(1 / (1 / predictor.predict_rows(encoded) - 1)))


def test_unknown_missing_and_extra_values_have_defined_answers() -> None:
    predictor, _ = make_predictor("blend")
    empty = predictor.predict({}).probability
    assert 0 < empty < 1
    assert predictor.predict({"visits": None, "channel": None, "colour": "red"}).probability == empty
    assert predictor.predict({"visits": float("nan")}).probability == empty
    never_seen = predictor.predict({"channel": "pigeon"}).probability
    assert never_seen == predictor.predict({"channel": "another pigeon"}).probability
    assert predictor.predict({"is_student": True}).probability == predictor.predict({"is_student": 1.0}).probability


@pytest.mark.parametrize("values", [{"visits": "13900001111"}, {"channel": 13900001111.0}, {"visits": float("inf")}])
def test_wrong_value_is_refused_by_field_name_without_echoing_it(values: dict[str, float | str]) -> None:
    predictor, _ = make_predictor("curves")
    with pytest.raises(BadValue, match=r"visits|channel") as caught:
        predictor.predict(values)
    assert "13900001111" not in str(caught.value)


def test_reasons_sum_groups_name_the_leading_field_and_speak_two_languages() -> None:
    predictor, rows = make_predictor("blend")
    values = rows.slice(0, 1).to_pylist()[0] | {"visits": 12.0, "channel": "partner"}
    reasons = predictor.predict(values, n_reasons=3).reasons
    assert reasons[0].feature == "visits"
    assert reasons[0].effect > 5
    assert reasons[0].text_en.startswith("Visits: 12 (+")
    assert reasons[0].text_zh.startswith("访问次数：12（+")
    assert len({reason.feature for reason in reasons} & {"n_emails_30d", "n_calls_30d"}) <= 1
    assert "no visit yet" in " ".join(r.text_en for r in predictor.predict({"channel": "web"}, n_reasons=5).reasons)
    whole = predictor.explain_table(rows.slice(0, 5), n_reasons=3)
    assert whole[1] == predictor.predict(rows.slice(1, 1).to_pylist()[0], n_reasons=3).reasons


@pytest.mark.parametrize("name", [MODEL, BOOSTER, MANIFEST, "golden.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "link"])
def test_damaged_bundle_is_refused_before_it_is_parsed(name: str, damage: str, tmp_path: Path) -> None:
    predictor, _ = make_predictor("blend")
    folder = tmp_path / "b"
    digest = save(predictor, folder)
    path = folder / name
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    else:
        path.unlink()
        if damage == "link":
            (tmp_path / "outside").write_bytes(content)
            path.symlink_to(tmp_path / "outside")
    if name == MANIFEST and damage == "link":
        # The digest of a linked manifest is still the right one: what it names is verified all the same.
        assert verify_bundle(folder, digest) == digest
        return
    with pytest.raises(BadBundle):
        load_bundle(folder, digest)


def test_added_file_is_refused(tmp_path: Path) -> None:
    predictor, _ = make_predictor("base_rate")
    save(predictor, tmp_path / "b")
    (tmp_path / "b" / "code.py").write_text("raise SystemExit")
    with pytest.raises(BadBundle, match=r"code\.py"):
        load_bundle(tmp_path / "b")


def test_golden_rows_come_from_the_schema_and_hold_no_training_row(tmp_path: Path) -> None:
    predictor, _ = make_predictor("curves")
    rows = make_synthetic_rows(predictor.encoder, n_rows=50, seed=1)
    assert {row["channel"] for row in rows} <= {"web", "fair", "partner", "call", None, "a category never seen"}
    assert any(row["visits"] is None for row in rows)


def test_loading_and_answering_needs_no_pandas_and_no_scikit_learn(tmp_path: Path) -> None:
    predictor, _ = make_predictor("blend")
    save(predictor, tmp_path / "b")
    code = (
        "import sys, pathlib; from models.bundle import load_bundle;"
        "load_bundle(pathlib.Path(sys.argv[1])).predict({'visits': 3.0}, n_reasons=3);"
        "print(*[n for n in ('pandas', 'sklearn', 'lightgbm', 'mlflow', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "b")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_child_process_refuses_a_bundle_whose_answers_differ(tmp_path: Path) -> None:
    predictor, _ = make_predictor("curves")
    golden = json.loads(make_golden(predictor))
    golden["probabilities"][0] += 1e-12
    save_bundle(predictor, tmp_path / "b", cards={"en": "", "zh": ""}, report="{}", golden=json.dumps(golden))
    with pytest.raises(BadBundle, match="golden row 0"):
        inspect_bundle(tmp_path / "b")


def test_publish_rollback_and_history(tmp_path: Path) -> None:
    folder = tmp_path / "champions"
    first, _ = make_predictor("curves")
    second, _ = make_predictor("base_rate")
    digests = [save(first, tmp_path / "1"), save(second, tmp_path / "2")]
    assert champions.load_champion(folder, "lead_score") is None
    champions.publish(folder, "lead_score", tmp_path / "1", version="1", by="a data scientist")
    champions.publish(folder, "lead_score", tmp_path / "2", version="2")
    found = champions.load_champion(folder, "lead_score")
    assert found is not None
    assert found[0].digest == digests[1]
    assert champions.rollback(folder, "lead_score").digest == digests[0]
    assert [entry.action for entry in champions.history(folder, "lead_score")] == ["promote", "promote", "rollback"]
    with pytest.raises(champions.NoChampion):
        champions.rollback(folder, "lead_score")
    found = champions.load_champion(folder, "lead_score")
    assert found is not None
    assert found[1].predict({}).probability == first.predict({}).probability


def test_refused_bundle_leaves_the_champion_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "champions"
    predictor, _ = make_predictor("booster_small")
    digest = save(predictor, tmp_path / "1")
    champions.publish(folder, "lead_score", tmp_path / "1")
    other, _ = make_predictor("blend")
    save(other, tmp_path / "2")
    text = (tmp_path / "2" / BOOSTER).read_bytes()
    (tmp_path / "2" / BOOSTER).write_bytes(text[: len(text) // 2])
    with pytest.raises(BadBundle):
        champions.publish(folder, "lead_score", tmp_path / "2")
    now = champions.current(folder, "lead_score")
    assert now is not None
    assert now.digest == digest
    assert not list((folder / "lead_score").glob(".copy-*"))
