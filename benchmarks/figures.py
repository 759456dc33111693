"""One measured figure, and the page on which all of them stand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of `make results`.

    Parameters
    ----------
    name : str
        `group/figure`.
    value : float, str or None
        What was measured; a word for a verdict; None where the data to measure it on are absent.
    low, high : float or None
        95 % interval.
    baseline : float or None
        The same measure of the baseline, on the same split in the same run.
    goal : float, str or None
        What was aimed at.
    protocol : str
        Train window, test window, censoring and metric, one sentence. Stands in `docs/results.md` only.
    """

    name: str
    value: float | str | None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    goal: float | str | None = None
    protocol: str = ""

    def as_json(self) -> str:
        """The figure as one line of strict JSON, without its protocol.

        Examples
        --------
        >>> Figure(name="scoring/x", value=0.5).as_json()
        '{"name": "scoring/x", "value": 0.5, "low": null, "high": null, "baseline": null, "goal": null}'
        """
        values = asdict(self)
        values.pop("protocol")
        return json.dumps({key: _finite(value) for key, value in values.items()}, ensure_ascii=False)


Measure = Callable[[int], Iterator[Figure]]


def _finite(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"


def render_page(groups: dict[str, list[Figure]], versions: str) -> str:
    """The Markdown of `docs/results.md`."""
    lines = [
        "# Results",
        "",
        "Measured by `make results`; nothing here is written by hand. Every figure stands beside its baseline, "
        "measured in the same run on the same split. Intervals are 95 %.",
        "",
        f"Versions: {versions}.",
        "",
    ]
    for group, figures in groups.items():
        lines += [
            f"## {group}",
            "",
            "| figure | value | 95 % interval | baseline | goal | protocol |",
            "|---|---|---|---|---|---|",
        ]
        for figure in figures:
            interval = "-" if figure.low is None else f"{_shown(figure.low)} to {_shown(figure.high)}"
            lines.append(
                f"| `{figure.name}` | {_shown(figure.value)} | {interval} | {_shown(figure.baseline)} | "
                f"{_shown(figure.goal)} | {figure.protocol or '-'} |"
            )
        lines.append("")
    return "\n".join(lines)
