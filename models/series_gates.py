"""The gates of the forecast: not worse than seasonal naive, honest ranges, not worse than the champion."""

from __future__ import annotations

from collections.abc import Mapping

from models.challengers import Challenger
from models.champions import Published
from models.checks import Check, Verdict

NOMINAL = 0.8


def check_series_gates(challenger: Challenger, champion: Published | None) -> Verdict:
    """The verdict on a challenger, from the figures of its training.

    Parameters
    ----------
    challenger : Challenger
        The model and its report.
    champion : Published or None
        What answers now.
    """
    report = challenger.report
    checks = [_check_baseline(report), *_check_coverage(report)]
    if champion is not None and champion.digest != challenger.digest:
        checks.append(_check_champion(report, champion))
    return Verdict(checks=tuple(checks))


def _check_baseline(report: Mapping[str, object]) -> Check:
    found = _mapping(report["intervals"]).get("mase_minus_baseline")
    if not isinstance(found, list | tuple):
        return Check(name="baseline", passed=False, evidence="never compared with seasonal naive")
    low, high = float(found[0]), float(found[1])
    evidence = f"scaled error against seasonal naive {low:+.3f} to {high:+.3f}, must not be worse"
    return Check(name="baseline", passed=low <= 0, evidence=evidence)


def _check_coverage(report: Mapping[str, object]) -> list[Check]:
    checks = []
    for level, found in _mapping(report["level_coverage"]).items():
        spread = _mapping(found)
        low, high, value = (float(str(spread[name])) for name in ("low", "high", "value"))
        too_wide = ", too wide: the card says so" if low > NOMINAL else ""
        checks.append(
            Check(
                name=f"coverage of {level}",
                # A range that holds less than it promises misleads; one that holds more is only less useful.
                passed=high >= NOMINAL,
                evidence=f"{value:.0%} of outcomes inside the 80 % range ({low:.0%} to {high:.0%}){too_wide}",
            )
        )
    return checks or [Check(name="coverage", passed=False, evidence="ranges were never measured")]


def _check_champion(report: Mapping[str, object], champion: Published) -> Check:
    versus = report["versus"]
    if not isinstance(versus, dict) or versus["champion"] != champion.digest:
        evidence = "not compared with the present champion; train again"
        return Check(name="champion", passed=False, evidence=evidence)
    low, high = float(versus["mase"]["low"]), float(versus["mase"]["high"])
    compared = f"scaled error against the champion {low:+.3f} to {high:+.3f} on {versus['n']} points"
    if low > 0:
        return Check(name="champion", passed=False, evidence=f"{compared}: worse")
    if high < 0 or versus["is_newer"]:
        return Check(name="champion", passed=True, evidence=compared)
    return Check(name="champion", passed=False, evidence=f"{compared}: no better, and it knows nothing newer")


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("report: expected a mapping")
    return value
