"""The sentences of reasons, in English and Chinese."""

from __future__ import annotations

from features.matrix import Field, Kind
from models.encoding import Value

# A unit that reads well behind a number; others (`1 to 12`, `share`) are said by the phrase itself.
_UNITS_ZH = {
    "days": "天",
    "hours": "小时",
    "minutes": "分钟",
    "people": "人",
    "contacts": "次",
    "kinds": "种",
    "changes": "次",
    "leads": "条",
    "orders": "单",
    "invoices": "张",
    "tickets": "张",
    "rows": "行",
}


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
    """
    english = field.phrase_en or field.name.replace("_", " ")
    chinese = field.phrase_zh or english
    shown_en, shown_zh = _write_value(field, value)
    points = f"{effect:+.1f}".replace("-", "−")
    return f"{english}: {shown_en} ({points} points)", f"{chinese}：{shown_zh}（{points} 分）"


def _write_value(field: Field, value: Value) -> tuple[str, str]:
    if value is None:
        return field.null_meaning, "未知"
    if field.kind is Kind.FLAG:
        return ("yes", "是") if value else ("no", "否")
    if isinstance(value, str):
        return value, value
    number = float(value)
    if field.unit == "share":
        return f"{100 * number:.0f} %", f"{100 * number:.0f}%"
    text = f"{number:,.0f}" if number == round(number) or abs(number) >= 100 else f"{number:,.2g}"
    if field.unit not in _UNITS_ZH:
        return text, text
    return f"{text} {field.unit}", f"{text}{_UNITS_ZH[field.unit]}"
