"""The published models: content-addressed folders and one pointer a task, renamed atomically.

`<folder>/<task>/<digest>/` holds a bundle, `<folder>/<task>/current.json` names the one that answers and the ones
before it. A crash at any step leaves the old or the new champion, whole; nothing here needs MLflow.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.bundle import verify_bundle
from models.inspect_bundle import inspect_bundle
from models.load import load_scorer
from models.predictor import BadBundle
from models.scorer import Scorer

POINTER = "current.json"
_LOCK = ".lock"
_DIGEST_LENGTH = 64


class NoChampion(Exception):
    """No model has been published for the task, or none to go back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One entry of a task's history.

    Parameters
    ----------
    digest : str
        The bundle.
    version : str
        The registry's version, empty when the registry was not there.
    published_at : str
        UTC, ISO.
    action : str
        `promote` or `rollback`.
    by : str
        Who did it.
    """

    digest: str
    version: str
    published_at: str
    action: str
    by: str


def publish(
    folder: Path, task: str, bundle: Path, *, version: str = "", by: str = "", now: datetime | None = None
) -> Published:
    """Make a bundle the champion of its task, after a child process loaded it and reproduced its golden rows.

    Parameters
    ----------
    folder : Path
        `config.champions_folder`.
    task : str
        The task.
    bundle : Path
        Folder of the bundle; it is copied.
    version, by : str
        For the history.
    now : datetime or None
        The moment of publication, UTC.

    Raises
    ------
    BadBundle
        The bundle is damaged; the champion stays as it was.
    """
    digest = inspect_bundle(bundle)
    with _locked(folder, task) as home:
        _copy(bundle, home / digest, digest)
        entry = _entry(digest, version=version, action="promote", by=by, now=now)
        _point(home, [*_history(home), entry])
    return entry


def rollback(folder: Path, task: str, *, by: str = "", now: datetime | None = None) -> Published:
    """Make the champion before the present one answer again.

    Raises
    ------
    NoChampion
        There is none before.
    BadBundle
        The one before is damaged; the present one stays.
    """
    with _locked(folder, task) as home:
        entries = _history(home)
        before = _before(entries)
        if before is None:
            raise NoChampion(f"{task}: no champion to go back to")
        verify_bundle(home / before.digest, before.digest)
        entry = _entry(before.digest, version=before.version, action="rollback", by=by, now=now)
        _point(home, [*entries, entry])
    return entry


def current(folder: Path, task: str) -> Published | None:
    """What answers now; None when nothing has been published."""
    entries = _history(folder / task)
    return entries[-1] if entries else None


def previous(folder: Path, task: str) -> Published | None:
    """What a rollback would bring back."""
    return _before(_history(folder / task))


def history(folder: Path, task: str) -> tuple[Published, ...]:
    """Every publication of a task, oldest first."""
    return tuple(_history(folder / task))


def bundle_folder(folder: Path, task: str, entry: Published) -> Path:
    """Where the bundle of an entry lies."""
    return folder / task / entry.digest


def load_champion(folder: Path, task: str) -> tuple[Published, Scorer] | None:
    """The champion, verified and loaded; None when nothing has been published.

    Raises
    ------
    BadBundle
        Its files are damaged.
    """
    entry = current(folder, task)
    if entry is None:
        return None
    return entry, load_scorer(bundle_folder(folder, task, entry), entry.digest)


def _entry(digest: str, *, version: str, action: str, by: str, now: datetime | None) -> Published:
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return Published(digest=digest, version=version, published_at=moment.isoformat(), action=action, by=by)


def _before(entries: list[Published]) -> Published | None:
    """Walks back over rollbacks: after promote A, promote B, rollback, there is nothing before A."""
    stack: list[Published] = []
    for entry in entries:
        if entry.action == "rollback":
            stack.pop()
        elif not stack or stack[-1].digest != entry.digest:
            stack.append(entry)
    return stack[-2] if len(stack) > 1 else None


def _history(home: Path) -> list[Published]:
    try:
        entries = [Published(**entry) for entry in json.loads((home / POINTER).read_bytes())["history"]]
        is_whole = all(len(entry.digest) == _DIGEST_LENGTH and entry.digest.isalnum() for entry in entries)
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadBundle(f"{home.name}: the pointer cannot be read") from None
    if not is_whole:
        raise BadBundle(f"{home.name}: the pointer names no digest")
    return entries


def _point(home: Path, entries: list[Published]) -> None:
    rows = [{name: getattr(entry, name) for name in Published.__slots__} for entry in entries]
    content = json.dumps({"current": entries[-1].digest, "history": rows}, indent=1)
    temporary = home / f"{POINTER}.new"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(home / POINTER)
    _sync(home)


def _copy(source: Path, target: Path, digest: str) -> None:
    if target.exists():
        try:
            verify_bundle(target, digest)
        except BadBundle:
            shutil.rmtree(target)
        else:
            return
    temporary = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        for path in source.iterdir():
            shutil.copyfile(path, temporary / path.name, follow_symlinks=False)
            with (temporary / path.name).open("rb") as file:
                os.fsync(file.fileno())
        verify_bundle(temporary, digest)
        temporary.chmod(0o755)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(folder: Path, task: str) -> Iterator[Path]:
    home = folder / task
    home.mkdir(parents=True, exist_ok=True)
    with (home / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for left in home.glob(".copy-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield home
