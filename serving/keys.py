"""Users and their API keys: make, list, revoke, recognise. Used by the command line and the API alike.

A key reads `sc_<prefix>_<secret>`. The prefix is public and finds the row; of the secret (256 random bits)
only the SHA-256 is kept, which needs no salt at that length.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from crm.app_database import ApiKey, Decision, User
from serving.roles import ROLE_SCOPES, ROLE_SEES, Principal, Role, Scope, Sees

LONGEST_DAYS = 730
_LONGEST_LOGIN = 100
_FORM = re.compile(r"sc_([0-9a-f]{12})_([A-Za-z0-9_-]{43})\Z")
_NO_SUCH = hashlib.sha256(b"no key has this secret").hexdigest()


class BadGrant(ValueError):
    """A user or key that may not be made like that; the message says what is missing."""


class UnknownUser(LookupError):
    """No user of that login."""


class UnknownKey(LookupError):
    """No key of that prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """A new key; `text` can be read this once and never again."""

    text: str
    prefix: str
    login: str
    role: Role
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """What may be shown of a key."""

    prefix: str
    login: str
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


def make_user(
    engine: Engine,
    login: str,
    role: Role,
    *,
    sees: Sees,
    now: datetime,
    unit_id: str | None = None,
    rep_id: str | None = None,
    scopes: Iterable[Scope] | None = None,
) -> str:
    """The id of the user of that login, made or brought to these rights.

    Raises
    ------
    BadGrant
        The login is empty or too long, the role may not see that much, a unit or person is missing, or scopes are
        given to anyone but a service.
    """
    if not login.strip() or len(login) > _LONGEST_LOGIN or not login.isprintable():
        raise BadGrant(f"a login is 1 to {_LONGEST_LOGIN} printable characters")
    granted = _require_grant(role, sees, unit_id, rep_id, scopes)
    with Session(engine) as session, session.begin():
        user = session.scalars(select(User).where(User.login == login)).one_or_none()
        if user is None:
            user = User(user_id=uuid.uuid4().hex, login=login, created_at=now)
            session.add(user)
        user.role, user.sees, user.unit_id, user.rep_id = role.value, sees.value, unit_id, rep_id
        user.scopes, user.disabled_at = granted, None
        rights: dict[str, object] = {"role": role.value, "sees": sees.value, "unit_id": unit_id, "rep_id": rep_id}
        session.add(_decision("user made", user.user_id, now, rights))
        return user.user_id


def _require_grant(
    role: Role, sees: Sees, unit_id: str | None, rep_id: str | None, scopes: Iterable[Scope] | None
) -> list[str] | None:
    if sees not in ROLE_SEES[role]:
        allowed = ", ".join(sorted(s.value for s in ROLE_SEES[role]))
        raise BadGrant(f"a {role.value} may see {allowed}; came {sees.value}")
    if (sees is Sees.UNIT) != (unit_id is not None):
        raise BadGrant("name a unit exactly when the user sees a unit")
    if (sees is Sees.REP) != (rep_id is not None):
        raise BadGrant("name a rep exactly when the user sees one rep's rows")
    if (role is Role.SERVICE) != (scopes is not None):
        raise BadGrant("scopes are granted to services, and only to them; other roles carry their own")
    return None if scopes is None else sorted(Scope(s).value for s in scopes)


def disable_user(engine: Engine, login: str, *, now: datetime) -> None:
    """Let none of a user's keys open anything from now on."""
    with Session(engine) as session, session.begin():
        user = _user(session, login)
        user.disabled_at = now
        session.add(_decision("user disabled", user.user_id, now, {}))


def make_key(engine: Engine, login: str, *, now: datetime, label: str = "", days: int = 90) -> MadeKey:
    """A new key of a user.

    Raises
    ------
    UnknownUser
        There is no such user.
    BadGrant
        It would hold for no time or for longer than `LONGEST_DAYS`.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise BadGrant(f"a key holds for 1 to {LONGEST_DAYS} days; came {days}")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    expires_at = now + timedelta(days=days)
    with Session(engine) as session, session.begin():
        user = _user(session, login)
        session.add(
            ApiKey(
                prefix=prefix,
                user_id=user.user_id,
                secret_sha256=_digest(secret),
                label=label[:120],
                created_at=now,
                expires_at=expires_at,
            )
        )
        session.add(_decision("key made", prefix, now, {"user_id": user.user_id}))
        role = Role(user.role)
    return MadeKey(text=f"sc_{prefix}_{secret}", prefix=prefix, login=login, role=role, expires_at=expires_at)


def revoke_key(engine: Engine, prefix: str, *, now: datetime) -> None:
    """Let a key open nothing from now on.

    Raises
    ------
    UnknownKey
        There is no such key.
    """
    with Session(engine) as session, session.begin():
        key = session.get(ApiKey, prefix)
        if key is None:
            raise UnknownKey("no key has that prefix; `salescast keys list` shows them")
        key.revoked_at = key.revoked_at or now
        session.add(_decision("key revoked", prefix, now, {}))


def list_keys(engine: Engine) -> tuple[KeyState, ...]:
    """All keys, the newest first; never their secrets."""
    with Session(engine) as session:
        rows = session.execute(select(ApiKey, User).join(User).order_by(ApiKey.created_at.desc())).all()
    return tuple(
        KeyState(
            prefix=key.prefix,
            login=user.login,
            role=Role(user.role),
            label=key.label,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )
        for key, user in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A valid key's owner, and until when it stays valid."""

    principal: Principal
    prefix: str
    expires_at: datetime


def recognise(engine: Engine, token: str, *, now: datetime) -> Recognised | None:
    """The owner of a key, None when it is unknown, wrong, expired, revoked or its user disabled."""
    form = _FORM.match(token)
    if form is None:
        return None
    prefix, secret = form[1], form[2]
    with Session(engine) as session:
        row = session.execute(select(ApiKey, User).join(User).where(ApiKey.prefix == prefix)).one_or_none()
    key, user = row if row else (None, None)
    # Compared also when there is no such key, so that the time taken does not tell which prefixes exist.
    right = hmac.compare_digest(_digest(secret), key.secret_sha256 if key else _NO_SUCH)
    if key is None or user is None or not right:
        return None
    if key.revoked_at is not None or key.expires_at <= now or user.disabled_at is not None:
        return None
    role = Role(user.role)
    granted = ROLE_SCOPES[role] if user.scopes is None else frozenset(Scope(s) for s in user.scopes)
    principal = Principal(
        user_id=user.user_id,
        login=user.login,
        role=role,
        scopes=granted,
        sees=Sees(user.sees),
        unit_id=user.unit_id,
        rep_id=user.rep_id,
    )
    return Recognised(principal=principal, prefix=prefix, expires_at=key.expires_at)


def note_use(engine: Engine, prefix: str, *, now: datetime) -> None:
    """Keep when a key was last used."""
    with engine.begin() as connection:
        connection.execute(update(ApiKey).where(ApiKey.prefix == prefix).values(last_used_at=now))


def _user(session: Session, login: str) -> User:
    user = session.scalars(select(User).where(User.login == login)).one_or_none()
    if user is None:
        raise UnknownUser("no user has that login; `salescast keys create` makes one")
    return user


def _decision(kind: str, subject: str, now: datetime, content: dict[str, object]) -> Decision:
    return Decision(
        decision_id=uuid.uuid4().hex,
        kind=kind,
        subject=subject,
        decided_by="command line",
        decided_at=now,
        reason="",
        content=content,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
