"""The sentences of reasons, in English and Chinese."""

from __future__ import annotations

from features.matrix import Field, Kind
from features.words import MONTHS, NULLS_ZH, UNITS, VALUES_ZH, WEEKDAYS
from models.encoding import Value


def write_reason(field: Field, value: Value, effect: float) -> tuple[str, str]:
    """A reason in English and in Chinese.

    Parameters
    ----------
    field : Field
        The field that is named.
    value : float, str, bool or None
        Its value.
    effect : float
        Score points.

    Examples
    --------
    >>> visits = Field(name="n_visits_30d", kind=Kind.NUMBER, phrase_en="Visits in 30 days", phrase_zh="近30天访问次数")
    >>> write_reason(visits, 4.0, 6.1)
    ('Visits in 30 days: 4 (+6.1 points)', '近30天访问次数：4（+6.1 分）')
    >>> age = Field(name="age", kind=Kind.NUMBER, unit="days", phrase_en="Age", phrase_zh="存续")
    >>> write_reason(age, 1.0, -2.0)
    ('Age: 1 day (−2.0 points)', '存续：1 天（−2.0 分）')
    """
    english = field.phrase_en or field.name.replace("_", " ")
    chinese = field.phrase_zh or english
    shown_en, shown_zh = _write_value(field, value)
    points = f"{effect:+.1f}".replace("-", "−")
    return f"{english}: {shown_en} ({points} points)", f"{chinese}：{shown_zh}（{points} 分）"


def _write_value(field: Field, value: Value) -> tuple[str, str]:
    if value is None:
        return field.null_meaning, NULLS_ZH.get(field.null_meaning, field.null_meaning)
    if field.kind is Kind.FLAG:
        return ("yes", "是") if value else ("no", "否")
    if isinstance(value, str):
        # Only a field of the house takes its values from the record's closed lists.
        return value.replace("_", " ") if value in VALUES_ZH else value, VALUES_ZH.get(value, value)
    return _write_number(field.unit, float(value))


def _write_number(unit: str, number: float) -> tuple[str, str]:
    match unit:
        case "share":
            return f"{100 * number:.0f} %", f"{100 * number:.0f}%"
        case "1 to 12" if number in range(1, 13):
            return MONTHS[int(number) - 1], f"{int(number)}月"
        case "1 to 7" if number in range(1, 8):
            return WEEKDAYS[int(number) - 1]
        case "-1 to 1" if -1 <= number <= 1:
            return _write_pace(number)
    text = f"{number:,.0f}" if number == round(number) or abs(number) >= 10 else f"{number:,.1f}"
    if unit not in UNITS:
        return text, text
    one, several, chinese = UNITS[unit]
    return f"{text} {one if text == '1' else several}", f"{text} {chinese}"


def _write_pace(trend: float) -> tuple[str, str]:
    """The number of now over that of before, from their difference over their sum."""
    if trend == 1:
        return "none before", "此前没有"
    if trend == -1:
        return "none now", "近期没有"
    times = (1 + trend) / (1 - trend)
    return f"{times:.1f} times as many", f"为此前的 {times:.1f} 倍"
