"""What a gate says, and what all of them say together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One gate."""

    name: str
    passed: bool
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gates say of a challenger."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate is open."""
        return all(check.passed for check in self.checks)
