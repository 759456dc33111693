"""Users and keys for the demo company: one of every role."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Engine

from crm.store import Generation
from serving.access import read_organisation
from serving.keys import MadeKey, list_keys, make_key, make_user, revoke_key
from serving.roles import SCORE_SCOPES, Role, Scope, Sees

DEMO_DAYS = 30
DEMO_LABEL = "demo"


def make_demo_keys(engine: Engine, generation: Generation, *, now: datetime) -> tuple[MadeKey, ...]:
    """Keys of a director, a service, a data scientist and, where there is an organisation, a manager and a rep.

    Demo keys of an earlier call are revoked. The rep is the one who owns most leads, the manager heads the
    unit above that rep's team.
    """
    for state in list_keys(engine):
        if state.label == DEMO_LABEL and state.revoked_at is None:
            revoke_key(engine, state.prefix, now=now)
    make_user(engine, "demo-director", Role.DIRECTOR, sees=Sees.ALL, now=now)
    logins = ["demo-director"]
    rep_id = _busiest_rep(generation)
    unit_id = read_organisation(generation, now.date()).unit_above(rep_id) if rep_id else None
    if unit_id is not None:
        make_user(engine, "demo-manager", Role.MANAGER, sees=Sees.UNIT, unit_id=unit_id, now=now)
        logins.append("demo-manager")
    if rep_id is not None:
        make_user(engine, "demo-rep", Role.REP, sees=Sees.REP, rep_id=rep_id, now=now)
        logins.append("demo-rep")
    granted = (*SCORE_SCOPES, Scope.FORECASTS_READ, Scope.PREDICTIONS_READ, Scope.MODELS_READ)
    make_user(engine, "demo-service", Role.SERVICE, sees=Sees.ALL, scopes=granted, now=now)
    make_user(engine, "demo-data-scientist", Role.DATA_SCIENTIST, sees=Sees.NONE, now=now)
    logins += ["demo-service", "demo-data-scientist"]
    return tuple(make_key(engine, login, now=now, label=DEMO_LABEL, days=DEMO_DAYS) for login in logins)


def _busiest_rep(generation: Generation) -> str | None:
    if not generation.has("leads"):
        return None
    owners = Counter(generation.read("leads", ["rep_id"]).column("rep_id").drop_null().to_pylist())
    # Ties go to the lowest id, so that the same record gives the same demo users.
    return min(owners, key=lambda rep: (-owners[rep], rep)) if owners else None
