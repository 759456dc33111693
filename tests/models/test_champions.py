"""Promotion and rollback cut short at every step: the old or the new champion answers, whole."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from features.matrix import TrainingSet
from models import champions
from models.bundle import save_bundle, verify_bundle
from models.golden import make_golden
from models.predictor import BadBundle
from models.tasks.lead_score import TASK
from models.train import fit_task

Make = Callable[..., TrainingSet]


class Cut(BaseException):
    """The process dies here: nothing of ours may catch it."""


@pytest.fixture(scope="module")
def bundles(make_training_set: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for name, learner in (("1", "base_rate"), ("2", "logistic")):
        trained = fit_task(replace(TASK, candidates=(learner,)), make_training_set(600), seed=1)
        assert trained.predictor is not None
        golden = make_golden(trained.predictor)
        save_bundle(trained.predictor, folder / name, cards={"en": "", "zh": ""}, report="{}", golden=golden)
    return folder / "1", folder / "2"


@contextmanager
def dying_at(step: int, error: type[BaseException]) -> Iterator[list[int]]:
    """Every call that changes the disk counts; the one with the given number fails before it acts."""
    count = [0]

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def act(*arguments: object, **named: object) -> object:
            count[0] += 1
            if count[0] == step:
                raise error
            return original(*arguments, **named)

        return act

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(champions, "inspect_bundle", verify_bundle)
        patch.setattr(shutil, "copyfile", counted(shutil.copyfile))
        patch.setattr(os, "fsync", counted(os.fsync))
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(Path, "replace", counted(Path.replace))
        yield count


@pytest.mark.parametrize("error", [Cut, OSError])
def test_publication_cut_at_any_step_leaves_the_old_or_the_new_champion(
    error: type[BaseException], bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    digests = [verify_bundle(bundle) for bundle in bundles]
    step, seen, n_cut = 0, set(), 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        with dying_at(0, error):
            champions.publish(folder, "lead_score", bundles[0])
        with dying_at(step, error) as count:
            try:
                champions.publish(folder, "lead_score", bundles[1])
            except error:
                n_cut += 1
            done = count[0] < step
        found = champions.load_champion(folder, "lead_score")
        assert found is not None
        assert found[0].digest in digests
        seen.add(found[0].digest)
        with dying_at(0, error):
            # Whatever was left lying about is no obstacle to the next attempt.
            champions.publish(folder, "lead_score", bundles[1])
        assert not list((folder / "lead_score").glob(".copy-*"))
        if done:
            break
    assert n_cut >= 10
    assert seen == set(digests)


def test_rollback_cut_at_any_step_leaves_the_old_or_the_new_champion(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    digests = {verify_bundle(bundle) for bundle in bundles}
    for step in range(1, 6):
        folder = tmp_path / str(step)
        with dying_at(0, Cut):
            champions.publish(folder, "lead_score", bundles[0])
            champions.publish(folder, "lead_score", bundles[1])
        with dying_at(step, Cut), suppress(Cut):
            champions.rollback(folder, "lead_score")
        found = champions.load_champion(folder, "lead_score")
        assert found is not None
        assert found[0].digest in digests


def test_rollback_to_a_damaged_bundle_is_refused_and_the_present_one_stays(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    with dying_at(0, Cut):
        first = champions.publish(tmp_path, "lead_score", bundles[0])
        second = champions.publish(tmp_path, "lead_score", bundles[1])
    path = champions.bundle_folder(tmp_path, "lead_score", first) / "model.json"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadBundle, match=r"model\.json"):
        champions.rollback(tmp_path, "lead_score")
    now = champions.current(tmp_path, "lead_score")
    assert now is not None
    assert now.digest == second.digest


def test_damaged_folder_of_the_same_digest_is_replaced_on_publication(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    with dying_at(0, Cut):
        entry = champions.publish(tmp_path, "lead_score", bundles[0])
        (champions.bundle_folder(tmp_path, "lead_score", entry) / "golden.json").unlink()
        champions.publish(tmp_path, "lead_score", bundles[0])
    assert champions.load_champion(tmp_path, "lead_score") is not None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"history": 5}', b'{"history": [{}]}', b'{"history": [{"digest": 5}]}']
)
def test_a_damaged_pointer_is_named_like_every_other_damage(tmp_path: Path, content: bytes) -> None:
    home = tmp_path / TASK.name
    home.mkdir()
    (home / champions.POINTER).write_bytes(content)
    with pytest.raises(BadBundle, match="pointer"):
        champions.current(tmp_path, TASK.name)
