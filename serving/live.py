"""What answers right now - record, champion, scores - swapped as one reference when files on disk change.

Each request takes `Live.state` once and keeps it, so no answer mixes two champions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from crm.config import Config
from crm.store import BrokenStore, NoRecord, Store
from models.predictor import BadBundle
from serving import metrics
from serving.champion import Champion, read_champion
from serving.record_view import RecordView
from serving.score_table import BadScores, ScoreTable, read_scores

log = structlog.get_logger("serving.live")

POLL_SECONDS = 1.0
# A part that could not be read is tried again that seldom while its pointer stays the same.
_RETRY_POLLS = 30
_Mark = tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The parts that answer, and why one is missing.

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


class Live:
    """Watches the pointers of the record, the champion and the scores of one task.

    Parameters
    ----------
    config : Config
        The settings.
    task : str
        The task.
    """

    def __init__(self, config: Config, task: str) -> None:
        self.config = config
        self.task = task
        self.state = State(missing={})
        self._marks: dict[str, _Mark] = {}
        self._polls = 0

    def reload(self) -> None:
        """Load whatever changed on disk; a part that cannot be read leaves the one before in place."""
        self._polls += 1
        state = self.state
        missing = dict(state.missing)
        for part, path in self._pointers().items():
            mark = _mark(path)
            unchanged = part in self._marks and self._marks[part] == mark
            if unchanged and not (part in missing and self._polls % _RETRY_POLLS == 0):
                continue
            try:
                state = self._with(part, state)
            except (NoRecord, BrokenStore, BadBundle, BadScores, OSError, ValueError) as error:
                missing[part] = _reason(part, error)
                if not unchanged:
                    log.warning("part cannot be loaded", part=part, error=type(error).__name__)
            else:
                missing.pop(part, None)
                if getattr(state, part) is None:
                    missing[part] = _ABSENT[part]
            self._marks[part] = mark
        if state is not self.state or missing != self.state.missing:
            self.state = replace(state, missing=missing)
        metrics.CHAMPION.labels(self.task).set(state.champion is not None)

    def _pointers(self) -> dict[str, Path]:
        config = self.config
        return {
            "record": config.record_folder / "current",
            "champion": config.champions_folder / self.task / "current.json",
            "scores": config.scores_folder / self.task / "current",
        }

    def _with(self, part: str, state: State) -> State:
        if part == "record":
            return replace(state, record=self._load_record())
        if part == "champion":
            return replace(state, champion=read_champion(self.config.champions_folder, self.task))
        return replace(state, scores=read_scores(self.config.scores_folder, self.task))

    def _load_record(self) -> RecordView:
        view = RecordView(Store(self.config.record_folder).current(), self.config.company.zone)
        log.info("record loaded", generation=view.generation.number)
        return view


_ABSENT = {
    "record": "nothing was taken in yet: salescast ingest",
    "champion": "no model was promoted yet: salescast train, then salescast promote",
    "scores": "no refresh was made yet: salescast refresh",
}


def _reason(part: str, error: Exception) -> str:
    return _ABSENT[part] if isinstance(error, NoRecord) else f"cannot be read ({type(error).__name__})"


def _mark(path: Path) -> _Mark:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino
