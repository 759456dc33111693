"""What the tables of a real set contradict is named without knowing the company."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm.config import Config, StoreSection
from crm.consistency import find_contradictions
from crm.ingest import ingest
from crm.mapping import read_mapping
from crm.store import Store

MAPPINGS = Path(__file__).parents[2] / "examples" / "mappings"


@pytest.mark.slow
def test_the_contradictions_of_ravenstack_are_named_with_their_share(shared_data: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "record")
    mapping = read_mapping(MAPPINGS / "ravenstack.yaml")
    config = Config(store=StoreSection(folder=tmp_path))
    ingest(store, mapping, shared_data / "ravenstack", config=config, now=datetime.now(UTC))
    said = {found.sentence for found in find_contradictions(store.current())}
    assert "churn_flag of accounts and the rows of churn_events agree for 38 % of accounts" in said
    assert "77 % of usage happened before starts_on of their agreements" in said
