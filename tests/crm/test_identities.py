"""Two systems' customers: joined beyond doubt or asked of a person."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from crm.identities import (
    NoSuchPair,
    Party,
    decide_identity,
    match_parties,
    normalise_name,
    propose_identities,
    read_identities,
)
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Store
from crm.tables import table

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ours(*names: str, code: str | None = None) -> list[Party]:
    return [Party(system="crm", code=f"o{n}", name=name, registration_code=code) for n, name in enumerate(names)]


def theirs(name: str, code: str | None = None) -> list[Party]:
    return [Party(system="erp", code="t", name=name, registration_code=code)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("北京华信科技有限公司", "北京华信科技股份有限公司"),
        ("ＡＣＭＥ　Ltd", "acme limited"),
        ("Acme Trading Co., Ltd.", "ACME TRADING"),
        ("华为技术（深圳）有限公司", "华为技术(深圳)有限责任公司"),
    ],
)
def test_names_that_differ_in_writing_alone_are_joined(one: str, other: str) -> None:
    (found,) = match_parties(ours(one), theirs(other))
    assert (found.match, found.entity_id, found.waiting) == ("name", "o0", False)


def joined(store: Store) -> dict[str, str]:
    return {row.code: row.entity_id for row in read_identities(store.current()) if row.entity_id is not None}


def test_equal_registration_codes_join_whatever_the_names_say() -> None:
    (found,) = match_parties(ours("甲公司", code="91350211M000100Y43"), theirs("乙公司", "91350211-m000100y43"))
    assert (found.match, found.entity_id) == ("exact", "o0")


@pytest.mark.parametrize(
    ("named", "other"),
    [
        (["北京华信科技有限公司"], theirs("北京华信科枝有限公司")),
        (["华信科技有限公司"], theirs("华信科技集团")),
        (["Acme Ltd", "ACME Limited"], theirs("Acme")),
        (["中化有限公司"], theirs("中化")),
        (["Acme"], [*theirs("Acme Ltd"), Party(system="erp", code="t2", name="ACME")]),
    ],
)
def test_a_doubtful_pair_waits_and_never_merges_by_itself(named: list[str], other: list[Party]) -> None:
    pairs = match_parties(ours(*named), other)
    assert pairs != ()
    for found in pairs:
        assert (found.match, found.entity_id, found.waiting) == ("doubtful", None, True)
        assert found.candidate_id is not None


def test_equal_names_with_contradicting_codes_wait_for_a_person() -> None:
    (found,) = match_parties(ours("华信科技", code="1" * 18), theirs("华信科技", "2" * 18))
    assert found.waiting


def test_customers_that_are_like_none_of_ours_have_no_pair() -> None:
    assert match_parties(ours("北京华信科技有限公司"), theirs("上海锦江饭店")) == ()


def test_a_name_that_is_only_a_legal_form_keeps_it() -> None:
    assert normalise_name("公司") == "公司"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "record")
    columns = (*table("accounts").columns, *SYSTEM_COLUMNS)
    at = NOW.replace(tzinfo=None)
    rows = [
        {"account_id": "o1", "name": "北京华信科技有限公司", "source": "crm"},
        {"account_id": "o2", "name": "Acme Trading Ltd", "source": "crm"},
        {"account_id": "t1", "name": "北京华信科枝有限公司", "source": "erp"},
        {"account_id": "t2", "name": "ACME Trading", "source": "erp"},
    ]
    with made.writing() as writer:
        writer.replace(
            "accounts",
            pa.Table.from_pylist(
                [row | {"recorded_at": at} for row in rows],
                schema=pa.schema([(column.name, arrow_type(column.dtype)) for column in columns]),
            ),
        )
    return made


@pytest.mark.parametrize("is_same", [True, False])
def test_a_person_s_word_is_kept_when_pairs_are_proposed_again(store: Store, is_same: bool) -> None:
    propose_identities(store, "crm", now=NOW)
    assert joined(store) == {"t2": "o2"}
    decide_identity(store, "erp", "t1", is_same=is_same, now=NOW)
    propose_identities(store, "crm", now=NOW)
    assert joined(store) == ({"t1": "o1", "t2": "o2"} if is_same else {"t2": "o2"})
    assert {row.match for row in read_identities(store.current())} == {"name", "confirmed" if is_same else "rejected"}


def test_only_a_waiting_pair_can_be_decided(store: Store) -> None:
    propose_identities(store, "crm", now=NOW)
    with pytest.raises(NoSuchPair, match="'t2' waits"):
        decide_identity(store, "erp", "t2", is_same=True, now=NOW)
