"""What one ingest did, by source and table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crm.raw import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What became of the rows of one source in one table.

    Attributes
    ----------
    read : int
        Rows of the source, those included that could not be read as rows.
    inserted, changed, unchanged : int
        Rows taken in, by what they did to the table.
    rejected : int
        Rows at fault, left out and named in `IngestReport.rejects`.
    skipped : int
        Rows that the mapping leaves out or that stand in another row.
    refused : str
        Why nothing of the source was taken in; empty when it was.
    """

    source: str
    table: str
    read: int = 0
    inserted: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dangling:
    """Values of a column that name no row of the table they refer to."""

    table: str
    column: str
    refers_to: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """Codes of another system that are none of our accounts beyond doubt, and so stay as they came.

    Attributes
    ----------
    rows : int
        Rows that carry them.
    waiting : tuple of str
        The codes, three at most, whose pair waits for a person in `identities`.
    """

    source: str
    column: str
    system: str
    rows: int
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What one ingest did.

    Attributes
    ----------
    generation : int
        Number of the current generation afterwards; the one before when nothing changed.
    sources : tuple of SourceReport
        One per source and table, in the order of the mapping.
    rejects : tuple of Reject
        Every cell or record at fault.
    reject_files : tuple of Path
        Where they were written for people.
    dangling : tuple of Dangling
        References that lead nowhere; counted, not enforced.
    unresolved : tuple of Unresolved
        Codes of other systems (`codes_of:`) that were not joined to an account.
    """

    generation: int
    sources: tuple[SourceReport, ...]
    rejects: tuple[Reject, ...] = ()
    reject_files: tuple[Path, ...] = ()
    dangling: tuple[Dangling, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()

    @property
    def refused(self) -> tuple[SourceReport, ...]:
        """The sources of which nothing was taken in."""
        return tuple(report for report in self.sources if report.refused)
