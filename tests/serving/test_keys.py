"""Keys: made, recognised, expired, revoked, tampered with; users with the rights of their role."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from crm.app_database import open_database
from crm.store import Store
from serving.demo_keys import make_demo_keys
from serving.keys import (
    BadGrant,
    UnknownKey,
    UnknownUser,
    disable_user,
    list_keys,
    make_key,
    make_user,
    recognise,
    revoke_key,
)
from serving.roles import Role, Scope, Sees

NOW = datetime(2026, 4, 1, 3, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/app.db")
    make_user(engine, "ann", Role.MANAGER, sees=Sees.UNIT, unit_id="east", now=NOW)
    yield engine
    engine.dispose()


def test_a_key_opens_for_its_owner_until_it_expires(engine: Engine) -> None:
    key = make_key(engine, "ann", now=NOW, days=2)
    found = recognise(engine, key.text, now=NOW + timedelta(days=1))
    assert found is not None
    assert (found.principal.login, found.principal.unit_id) == ("ann", "east")
    assert recognise(engine, key.text, now=NOW + timedelta(days=2)) is None


def test_the_database_never_holds_a_secret(engine: Engine, tmp_path: Path) -> None:
    key = make_key(engine, "ann", now=NOW)
    secret = key.text.split("_", 2)[2]
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    content = b"".join(path.read_bytes() for path in tmp_path.glob("app.db*"))
    assert secret.encode() not in content
    assert key.prefix.encode() in content


def test_every_changed_character_closes_the_key(engine: Engine) -> None:
    key = make_key(engine, "ann", now=NOW).text
    for place in range(len(key)):
        other = "a" if key[place] != "a" else "b"
        assert recognise(engine, key[:place] + other + key[place + 1 :], now=NOW) is None


def test_a_revoked_key_and_a_disabled_user_open_nothing(engine: Engine) -> None:
    one, two = make_key(engine, "ann", now=NOW), make_key(engine, "ann", now=NOW)
    revoke_key(engine, one.prefix, now=NOW)
    assert recognise(engine, one.text, now=NOW) is None
    assert recognise(engine, two.text, now=NOW) is not None
    disable_user(engine, "ann", now=NOW)
    assert recognise(engine, two.text, now=NOW) is None


def test_keys_are_listed_without_their_secrets(engine: Engine) -> None:
    key = make_key(engine, "ann", now=NOW, label="dashboard")
    (state,) = list_keys(engine)
    assert (state.prefix, state.login, state.label, state.revoked_at) == (key.prefix, "ann", "dashboard", None)
    assert key.text.split("_", 2)[2] not in repr(state)


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.REP, {"sees": Sees.ALL}),
        (Role.REP, {"sees": Sees.REP}),
        (Role.REP, {"sees": Sees.REP, "rep_id": "R1", "unit_id": "east"}),
        (Role.MANAGER, {"sees": Sees.ALL}),
        (Role.MANAGER, {"sees": Sees.UNIT}),
        (Role.DATA_SCIENTIST, {"sees": Sees.ALL}),
        (Role.DIRECTOR, {"sees": Sees.NONE}),
        (Role.DIRECTOR, {"sees": Sees.ALL, "scopes": [Scope.METRICS_READ]}),
        (Role.SERVICE, {"sees": Sees.ALL}),
    ],
)
def test_rights_that_a_role_cannot_have_are_refused(engine: Engine, role: Role, rights: dict) -> None:
    with pytest.raises(BadGrant):
        make_user(engine, "bob", role, now=NOW, **rights)


@pytest.mark.parametrize("days", [0, -1, 731])
def test_keys_hold_for_a_bounded_time(engine: Engine, days: int) -> None:
    with pytest.raises(BadGrant):
        make_key(engine, "ann", now=NOW, days=days)


def test_unknown_users_and_keys_are_named_as_such(engine: Engine) -> None:
    with pytest.raises(UnknownUser):
        make_key(engine, "nobody", now=NOW)
    with pytest.raises(UnknownKey):
        revoke_key(engine, "000000000000", now=NOW)


def test_demo_keys_stand_for_every_role_and_replace_those_before(engine: Engine, house) -> None:
    generation = Store(house.config.record_folder).current()
    first = make_demo_keys(engine, generation, now=NOW)
    second = make_demo_keys(engine, generation, now=NOW)
    assert {key.role for key in second} == set(Role)
    assert all(recognise(engine, key.text, now=NOW) is None for key in first)
    assert all(recognise(engine, key.text, now=NOW) is not None for key in second)


def test_revoked_expired_and_disabled_keys_answer_401(own_house) -> None:
    with own_house.client() as client:
        engine = client.app.state.service.engine

        def status(login: str) -> int:
            headers = {"Authorization": f"Bearer {own_house.keys[login]}"}
            return client.post("/v1/leads/score", json={"ids": ["L0"]}, headers=headers).status_code

        assert status("manager") == 200
        revoke_key(engine, own_house.keys["manager"].split("_")[1], now=NOW)
        assert status("manager") == 401
        assert status("rep") == 200
        disable_user(engine, "rep", now=NOW)
        assert status("rep") == 401
        own_house.clock.now = NOW + timedelta(days=91)
        assert status("director") == 401


def test_a_user_who_moved_sees_the_new_part_at_once(own_house) -> None:
    with own_house.client() as client:
        headers = {"Authorization": f"Bearer {own_house.keys['manager']}"}

        def statuses() -> list[str]:
            answer = client.post("/v1/leads/score", json={"ids": ["L0", "L2"]}, headers=headers)
            return [row["status"] for row in answer.json()["rows"]]

        assert statuses() == ["scored", "not_found"]
        engine = client.app.state.service.engine
        make_user(engine, "manager", Role.MANAGER, sees=Sees.UNIT, unit_id="west", now=NOW)
        assert statuses() == ["not_found", "scored"]


def test_the_last_use_of_a_key_is_kept(own_house) -> None:
    with own_house.client() as client:
        engine = client.app.state.service.engine
        # The company is shared by all tests of this folder, so that its own keys may have been used already.
        used, unused = (make_key(engine, "director", now=NOW) for _ in range(2))
        client.get("/v1/models", headers={"Authorization": f"Bearer {used.text}"})
        last = {state.prefix: state.last_used_at for state in list_keys(engine)}
    assert last[used.prefix] == NOW
    assert last[unused.prefix] is None
