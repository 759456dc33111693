"""Who may do what: roles, scopes, and the principal that every request is answered for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user is in the company."""

    DIRECTOR = "director"
    MANAGER = "manager"
    REP = "rep"
    SERVICE = "service"
    DATA_SCIENTIST = "data_scientist"


class Scope(StrEnum):
    """What a route demands, `noun:verb`."""

    LEADS_SCORE = "leads:score"
    OPPORTUNITIES_SCORE = "opportunities:score"
    ACCOUNTS_SCORE = "accounts:score"
    AGREEMENTS_SCORE = "agreements:score"
    INVOICES_SCORE = "invoices:score"
    FORECASTS_READ = "forecasts:read"
    FORECASTS_CALL = "forecasts:call"
    PREDICTIONS_READ = "predictions:read"
    MODELS_READ = "models:read"
    METRICS_READ = "metrics:read"


class Sees(StrEnum):
    """Whose rows a user sees."""

    ALL = "all"
    UNIT = "unit"
    REP = "rep"
    NONE = "none"


# One for each kind of entity: a service is granted those it needs, and a key made for leads opens nothing else.
SCORE_SCOPES = frozenset(
    {
        Scope.LEADS_SCORE,
        Scope.OPPORTUNITIES_SCORE,
        Scope.ACCOUNTS_SCORE,
        Scope.AGREEMENTS_SCORE,
        Scope.INVOICES_SCORE,
    }
)
# Whoever sees a forecast may call it too, for the nodes that are theirs; a call is kept beside it and changes it not.
FORECAST_SCOPES = frozenset({Scope.FORECASTS_READ, Scope.FORECASTS_CALL})
ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.DIRECTOR: SCORE_SCOPES | FORECAST_SCOPES | {Scope.PREDICTIONS_READ, Scope.MODELS_READ, Scope.METRICS_READ},
    Role.MANAGER: SCORE_SCOPES | FORECAST_SCOPES | {Scope.PREDICTIONS_READ, Scope.MODELS_READ},
    Role.REP: SCORE_SCOPES | FORECAST_SCOPES | {Scope.PREDICTIONS_READ},
    # A service may do what it was granted, and nothing because it is a service.
    Role.SERVICE: frozenset(),
    Role.DATA_SCIENTIST: frozenset({Scope.MODELS_READ, Scope.METRICS_READ}),
}

# What a user of each role may be given to see. A rep can never be given the company.
ROLE_SEES: dict[Role, frozenset[Sees]] = {
    Role.DIRECTOR: frozenset({Sees.ALL, Sees.UNIT}),
    Role.MANAGER: frozenset({Sees.UNIT}),
    Role.REP: frozenset({Sees.REP}),
    Role.SERVICE: frozenset(Sees),
    Role.DATA_SCIENTIST: frozenset({Sees.NONE}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The owner of a valid key.

    Attributes
    ----------
    user_id, login : str
        The user.
    role : Role
        What the user is.
    scopes : frozenset of Scope
        What the user may do.
    sees : Sees
        Whose rows; with `unit_id` or `rep_id` where it takes one.
    """

    user_id: str
    login: str
    role: Role
    scopes: frozenset[Scope]
    sees: Sees
    unit_id: str | None = None
    rep_id: str | None = None
