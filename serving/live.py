"""What answers right now - record, champions, scores - each swapped as one reference when files on disk change.

The record is loaded once and shared by all tasks. Each request takes the `State` of its task once and keeps it, so
no answer mixes two champions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

import structlog

from crm.config import Config
from crm.store import BrokenStore, NoRecord, Store
from models.predictor import BadBundle
from serving import metrics
from serving.champion import Champion, read_champion
from serving.record_view import RecordView
from serving.score_table import BadScores, ScoreTable, read_scores

T = TypeVar("T")

log = structlog.get_logger("serving.live")

POLL_SECONDS = 1.0
# A part that could not be read is tried again that seldom while its pointer stays the same.
_RETRY_POLLS = 30
_Mark: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The parts that answer for one task, and why one is missing.

    Attributes
    ----------
    record, champion, scores : RecordView, Champion, ScoreTable or None
        None while it is missing.
    missing : mapping of str to str
        Part to the reason why it is missing or older than what lies on disk.
    """

    record: RecordView | None = None
    champion: Champion | None = None
    scores: ScoreTable | None = None
    missing: dict[str, str]

    @property
    def is_current(self) -> bool:
        """Whether the scores were made by this champion from this generation of the record."""
        if self.record is None or self.champion is None or self.scores is None:
            return False
        about = self.scores.about
        return (about.generation, about.digest) == (
            self.record.generation.number,
            self.champion.published.digest,
        )


class _Part(Generic[T]):
    """One thing behind a pointer on disk: what was loaded last, and why it is missing or older than what lies there."""

    def __init__(self, name: str, pointer: Path, load: Callable[[], T | None], absent: str) -> None:
        self.value: T | None = None
        self.missing: str | None = absent
        self._name = name
        self._pointer = pointer
        self._load = load
        self._absent = absent
        self._mark: _Mark = None
        self._polls = 0

    def reload(self) -> None:
        """Load it when its pointer changed; what cannot be read leaves the one before in place."""
        mark, is_first = _mark(self._pointer), self._polls == 0
        self._polls += 1
        unchanged = not is_first and mark == self._mark
        if unchanged and not (self.missing is not None and self._polls % _RETRY_POLLS == 0):
            return
        self._mark = mark
        try:
            self.value = self._load()
        except NoRecord:
            self.missing = self._absent
        except (BrokenStore, BadBundle, BadScores, OSError, ValueError) as error:
            self.missing = f"cannot be read ({type(error).__name__})"
            if not unchanged:
                log.warning("part cannot be loaded", part=self._name, error=type(error).__name__)
        else:
            self.missing = self._absent if self.value is None else None


class Live:
    """Watches the pointers of the record, and of each task's champion and scores.

    Parameters
    ----------
    config : Config
        The settings.
    tasks : sequence of str
        The tasks.
    """

    def __init__(self, config: Config, tasks: Sequence[str]) -> None:
        self.config = config
        self.tasks = tuple(tasks)
        self.states: dict[str, State] = {task: State(missing={}) for task in self.tasks}
        self._record = _Part("record", config.record_folder / "current", self._load_record, _NO_RECORD)
        self._champions = {task: self._champion_part(task) for task in self.tasks}
        self._scores = {task: self._scores_part(task) for task in self.tasks}

    @property
    def record(self) -> RecordView | None:
        """The record; None before the first ingest."""
        return self._record.value

    def reload(self) -> None:
        """Load whatever changed on disk; a part that cannot be read leaves the one before in place."""
        self._record.reload()
        for task in self.tasks:
            self._champions[task].reload()
            self._scores[task].reload()
            state = self._state_of(task)
            if not _same(state, self.states[task]):
                self.states = {**self.states, task: state}
            metrics.CHAMPION.labels(task).set(state.champion is not None)

    def _state_of(self, task: str) -> State:
        champion, scores = self._champions[task], self._scores[task]
        missing = {"record": self._record.missing, "champion": champion.missing, "scores": scores.missing}
        return State(
            record=self._record.value,
            champion=champion.value,
            scores=scores.value,
            missing={part: reason for part, reason in missing.items() if reason is not None},
        )

    def _champion_part(self, task: str) -> _Part[Champion]:
        folder = self.config.champions_folder
        absent = f"no model was promoted yet: salescast train {task}, then salescast promote {task}"
        return _Part(f"{task}.champion", folder / task / "current.json", partial(read_champion, folder, task), absent)

    def _scores_part(self, task: str) -> _Part[ScoreTable]:
        folder = self.config.scores_folder
        absent = f"no refresh was made yet: salescast refresh {task}"
        return _Part(f"{task}.scores", folder / task / "current", partial(read_scores, folder, task), absent)

    def _load_record(self) -> RecordView:
        view = RecordView(Store(self.config.record_folder).current(), self.config.company.zone)
        log.info("record loaded", generation=view.generation.number)
        return view


_NO_RECORD = "nothing was taken in yet: salescast ingest"


def _same(one: State, other: State) -> bool:
    parts = ("record", "champion", "scores")
    return one.missing == other.missing and all(getattr(one, part) is getattr(other, part) for part in parts)


def _mark(path: Path) -> _Mark:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino
