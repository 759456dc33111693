"""What a training looks at before anything is learned."""

from pathlib import Path

import pyarrow as pa
import pytest

from crm.config import Config, StoreSection
from crm.demo.company import make_company
from crm.demo.write import write_company
from crm.store import Store
from features.leakage_store import FeaturesLeak
from models.tasks.next_product import TASK
from serving import training
from serving.training import RowSource, read_rows, train_task


def test_the_store_is_checked_at_the_moments_of_rows_of_another_form_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(store=StoreSection(folder=tmp_path))
    store = Store(config.record_folder)
    write_company(make_company("tiny", 5), store)
    looked_at: list[pa.Table] = []

    def refuse(*_: object, spine: pa.Table, **__: object) -> None:
        looked_at.append(spine)
        raise FeaturesLeak("1 feature knows more than was known")

    monkeypatch.setattr(training, "require_sound_store", refuse)
    with pytest.raises(FeaturesLeak):
        train_task(config, TASK)

    rows = read_rows(store.current(), TASK, RowSource.AUTO, config=config)
    moments = set(zip(rows.entity_id.tolist(), rows.as_of.tolist(), strict=True))
    (spine,) = looked_at
    assert spine.num_rows == len(moments) < len(rows.label)
    assert {(row["entity_id"], row["as_of"]) for row in spine.to_pylist()} == moments
