"""Customers of two systems: joined by registration code or equal name, else asked of a person, never guessed.

A pair becomes one customer only when the registration codes are equal, or when the normalised names are equal,
unique on both sides and the codes do not contradict. Whatever is merely alike waits in `identities` until a
person confirms or rejects it; a decision of a person is never overwritten.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table

# Below this likeness two names are not worth a person's time; one character in five may differ.
ASK_FROM = 0.8
# Names this short say too little to join by themselves.
SHORTEST_NAME = 3
_LEGAL_FORMS_ZH = (
    "有限责任公司",
    "股份有限公司",
    "集团有限公司",
    "有限公司",
    "控股集团",
    "股份公司",
    "集团",
    "股份",
    "公司",
)
# A group and its operating company share a name and are two customers.
_GROUP = re.compile("集团|控股|group|holding")
_LEGAL_FORMS = re.compile(
    r"\b(?:incorporated|inc|limited|ltd|llc|llp|plc|corporation|corp|company|co|gmbh|ag|sa|sarl|bv|pty|pte|group)\b"
)
_DECIDED = ("confirmed", "rejected")


class NoSuchPair(LookupError):
    """No pair of that system and code waits for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A customer as one system names it."""

    system: str
    code: str
    name: str | None = None
    registration_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How a code of another system relates to one of our ids; one row of the table `identities`."""

    kind: str
    source_system: str
    code: str
    entity_id: str | None
    match: str
    similarity: float | None
    candidate_id: str | None
    waiting: bool


def normalise_name(name: str) -> str:
    """A company name without what two clerks write differently: width, case, spaces, marks, legal form.

    Examples
    --------
    >>> normalise_name("华信科技（北京）有限公司") == normalise_name("华信科技(北京)股份有限公司")
    True
    >>> normalise_name("ＡＣＭＥ Trading Co., Ltd.")
    'acmetrading'
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"[^\w\s]", " ", text)
    text = _LEGAL_FORMS.sub(" ", text)
    text = re.sub(r"[\s_]+", "", text)
    for form in _LEGAL_FORMS_ZH:
        if text.endswith(form) and len(text) > len(form):
            text = text.removesuffix(form)
            break
    return text


def normalise_code(code: str | None) -> str | None:
    """A registration code in capitals without spaces and dashes; None when there is none.

    Examples
    --------
    >>> normalise_code(" 91350211-m000100y43 ")
    '91350211M000100Y43'
    """
    text = re.sub(r"[\s\-]+", "", unicodedata.normalize("NFKC", code or "")).upper()
    return text or None


def match_parties(ours: Iterable[Party], theirs: Iterable[Party]) -> tuple[Identity, ...]:
    """One identity for each of their parties that is one of ours, or may be.

    Parameters
    ----------
    ours, theirs : iterable of Party
        The customers of the leading system and of another.

    Returns
    -------
    tuple of Identity
        `exact` by registration code, `name` by equal name, `doubtful` with `waiting` for a person. Parties that are
        like none of ours have no row.
    """
    leading = tuple(ours)
    by_code: dict[str, list[Party]] = defaultdict(list)
    by_name: dict[str, list[Party]] = defaultdict(list)
    for party in leading:
        if (code := normalise_code(party.registration_code)) is not None:
            by_code[code].append(party)
        if party.name and (name := normalise_name(party.name)):
            by_name[name].append(party)
    others = tuple(theirs)
    repeated = _repeated(normalise_name(party.name) for party in others if party.name)
    return tuple(found for party in others if (found := _match(party, by_code, by_name, repeated=repeated)) is not None)


def _repeated(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def _match(
    party: Party, by_code: Mapping[str, list[Party]], by_name: Mapping[str, list[Party]], *, repeated: set[str]
) -> Identity | None:
    code = normalise_code(party.registration_code)
    same_code = by_code.get(code, []) if code is not None else []
    if len(same_code) == 1:
        return _identity(party, same_code[0], "exact", 1.0)
    if same_code:
        return _identity(party, same_code[0], "doubtful", 1.0)
    name = normalise_name(party.name or "")
    same_name = by_name.get(name, []) if name else []
    if same_name:
        theirs = normalise_code(same_name[0].registration_code)
        is_clear = len(same_name) == 1 and name not in repeated and len(name) >= SHORTEST_NAME
        contradicted = code is not None and theirs is not None and code != theirs
        contradicted = contradicted or _is_group(party) != _is_group(same_name[0])
        return _identity(party, same_name[0], "name" if is_clear and not contradicted else "doubtful", 1.0)
    return _most_alike(party, name, by_name)


def _is_group(party: Party) -> bool:
    return _GROUP.search(unicodedata.normalize("NFKC", party.name or "").casefold()) is not None


def _most_alike(party: Party, name: str, by_name: Mapping[str, list[Party]]) -> Identity | None:
    if not name:
        return None
    from rapidfuzz import fuzz, process

    found = process.extractOne(name, by_name.keys(), scorer=fuzz.ratio, score_cutoff=100 * ASK_FROM)
    return None if found is None else _identity(party, by_name[found[0]][0], "doubtful", round(found[1] / 100, 4))


def _identity(party: Party, ours: Party, match: str, similarity: float) -> Identity:
    joined = match in ("exact", "name")
    return Identity(
        kind="accounts",
        source_system=party.system,
        code=party.code,
        entity_id=ours.code if joined else None,
        match=match,
        similarity=similarity,
        candidate_id=ours.code,
        waiting=not joined,
    )


def propose_identities(store: Store, leading: str, *, now: datetime) -> tuple[Identity, ...]:
    """Match the accounts of every other source with those of the leading one and write what was found.

    Parameters
    ----------
    store : Store
        The record.
    leading : str
        The source whose account ids are ours.
    now : datetime
        The moment of writing, with a time zone.

    Returns
    -------
    tuple of Identity
        All identities of accounts after it, decisions of people kept as they were.
    """
    store.current()
    with store.writing() as writer:
        assert writer.before is not None
        parties = _parties(writer.before)
        ours = [party for party in parties if party.system == leading]
        found = match_parties(ours, [party for party in parties if party.system != leading])
        kept = {_key(row): row for row in read_identities(writer.before) if row.match in _DECIDED}
        rows = tuple(kept.get(_key(row), row) for row in found)
        rows += tuple(row for key, row in kept.items() if key not in {_key(one) for one in found})
        writer.replace("identities", _as_table(rows, now))
    return rows


def decide_identity(store: Store, system: str, code: str, *, is_same: bool, now: datetime) -> Identity:
    """Write a person's word on a waiting pair: the same customer, or another one.

    Raises
    ------
    NoSuchPair
        No such pair waits.
    """
    store.current()
    with store.writing() as writer:
        assert writer.before is not None
        rows = read_identities(writer.before)
        asked = next((row for row in rows if row.waiting and (row.source_system, row.code) == (system, code)), None)
        if asked is None:
            raise NoSuchPair(f"no pair of system {system!r} and code {code!r} waits; `salescast identities` lists them")
        decided = replace(
            asked,
            entity_id=asked.candidate_id if is_same else None,
            match="confirmed" if is_same else "rejected",
            waiting=False,
        )
        writer.replace("identities", _as_table(tuple(decided if row is asked else row for row in rows), now))
    return decided


def read_identities(generation: Generation) -> tuple[Identity, ...]:
    """All identities on record."""
    columns = list(Identity.__dataclass_fields__)
    rows: list[dict[str, Any]] = generation.read("identities").select(columns).to_pylist()
    return tuple(Identity(**row | {"waiting": bool(row["waiting"])}) for row in rows)


def _key(row: Identity) -> tuple[str, str, str]:
    return (row.kind, row.source_system, row.code)


def _parties(generation: Generation) -> list[Party]:
    rows = generation.read("accounts").select(["source", "account_id", "name", "registration_code"]).to_pylist()
    return [
        Party(
            system=str(row["source"]),
            code=row["account_id"],
            name=row["name"],
            registration_code=row["registration_code"],
        )
        for row in rows
    ]


def _as_table(rows: tuple[Identity, ...], now: datetime) -> pa.Table:
    at = now.astimezone(UTC).replace(tzinfo=None)
    system = {"recorded_at": at, "backfilled": False, "ingested_at": at, "source": "identities"}
    columns = (*table("identities").columns, *SYSTEM_COLUMNS)
    names = list(Identity.__dataclass_fields__)
    return pa.Table.from_pylist(
        [{name: getattr(row, name) for name in names} | system for row in sorted(rows, key=_key)],
        schema=pa.schema([(column.name, arrow_type(column.dtype)) for column in columns]),
    )
