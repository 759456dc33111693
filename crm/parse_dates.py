"""One cell as a day or a moment, by patterns that people write: `D/M/YYYY`, `YYYY-MM-DD HH:mm`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EARLIEST_YEAR, LATEST_YEAR = 1900, 2200

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short_year>\d\d)",
    "MMM": r"(?P<month_name>[A-Za-z]{3})",
    "MM": r"(?P<month>\d\d)",
    "M": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d\d)",
    "D": r"(?P<day>\d{1,2})",
    "HH": r"(?P<hour>\d\d)",
    "H": r"(?P<hour>\d{1,2})",
    "mm": r"(?P<minute>\d\d)",
    "ss": r"(?P<second>\d\d)",
    "SSS": r"(?P<fraction>\d{1,9})",
    "A": r"(?P<half>[AaPp][Mm])",
    "Z": r"(?P<offset>Z|[+-]\d\d:?\d\d)",
    "Q": r"(?P<quarter>[1-4])",
    "WW": r"(?P<week>\d\d)",
}
_PATTERN = re.compile(r"\[[^\]]*\]|YYYY|YY|MMM|MM|M|DD|D|HH|H|mm|ss|SSS|A|Z|Q|WW|.", re.DOTALL)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SERIAL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's days have no zone
_FIRST_SERIAL = 61  # Excel counts a 29 February 1900 that never was; serials before March 1900 are ambiguous


@lru_cache(maxsize=256)
def compile_format(pattern: str) -> re.Pattern[str]:
    """A regular expression of a pattern such as `D/M/YYYY HH:mm`; `[...]` is literal text.

    Raises
    ------
    ValueError
        The pattern has no year, or names a part twice.

    Examples
    --------
    >>> bool(compile_format("M/D/YYYY").fullmatch("1/15/2013"))
    True
    """
    parts = []
    for token in _PATTERN.findall(pattern):
        literal = token[1:-1] if token.startswith("[") and len(token) > 1 else token
        parts.append(_TOKENS.get(token) or re.escape(literal))
    try:
        compiled = re.compile("".join(parts), re.ASCII)
    except re.error:
        raise ValueError(f"the pattern {pattern!r} names a part twice") from None
    if not {"year", "short_year"} & set(compiled.groupindex):
        raise ValueError(f"the pattern {pattern!r} has no year; write for instance D/M/YYYY")
    return compiled


def parse_moment(value: str, *, formats: tuple[str, ...], zone: ZoneInfo) -> datetime:
    """A moment as naive UTC; text without an offset is local time of `zone`, a day is its first instant.

    Raises
    ------
    ValueError
        No pattern fits, or the day or the hour never was.

    Examples
    --------
    >>> parse_moment("2011-10-01T00:38:44.546+02:00", formats=(), zone=ZoneInfo("UTC"))
    datetime.datetime(2011, 9, 30, 22, 38, 44, 546000)
    """
    local, offset = _read(value, formats)
    return to_utc(local, zone) if offset is None else _plain((local - offset).replace(tzinfo=UTC))


def parse_day(value: str, *, formats: tuple[str, ...], zone: ZoneInfo) -> date:
    """A calendar day; a moment with an offset counts on its day in `zone`.

    Examples
    --------
    >>> parse_day("1/15/2013", formats=("M/D/YYYY",), zone=ZoneInfo("UTC"))
    datetime.date(2013, 1, 15)
    """
    local, offset = _read(value, formats)
    if offset is None:
        return local.date()
    return (local - offset).replace(tzinfo=UTC).astimezone(zone).date()


def parse_serial(value: str) -> datetime:
    """The local moment of an Excel serial number.

    Examples
    --------
    >>> parse_serial("45000.5")
    datetime.datetime(2023, 3, 15, 12, 0)
    """
    if re.fullmatch(r"\d{1,6}(?:\.\d+)?", value, flags=re.ASCII) is None or float(value) < _FIRST_SERIAL:
        raise ValueError("expected an Excel serial number from 61 on")
    return _SERIAL_EPOCH + timedelta(seconds=round(float(value) * 86_400))


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """A naive local time as naive UTC; of an hour that occurs twice, the earlier one.

    Raises
    ------
    ValueError
        The clocks jumped over that time.
    """
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(f"this time never was in {zone.key}: the clocks jumped over it; mend `time_zone:`")
    return moment.replace(tzinfo=None)


def parse_period(value: str, *, formats: tuple[str, ...], frequency: str) -> date:
    """First day of the week, month or quarter that a cell names: `1998Q1`, `2016-01`, `2016-W05`, or a day.

    Examples
    --------
    >>> parse_period("1998Q2", formats=(), frequency="quarter")
    datetime.date(1998, 4, 1)
    """
    if not formats:
        for pattern in ("YYYY[Q]Q", "YYYY[-Q]Q", "YYYY[ Q]Q", "YYYY-MM", "YYYY[-W]WW"):
            if compile_format(pattern).fullmatch(value):
                formats = (pattern,)
                break
    day = _read(value[:10] if _ISO.fullmatch(value) and not formats else value, formats)[0].date()
    if frequency == "quarter":
        return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    return day.replace(day=1) if frequency == "month" else day - timedelta(days=day.weekday())


def _read(value: str, formats: tuple[str, ...]) -> tuple[datetime, timedelta | None]:
    if not formats:
        matched = _ISO.fullmatch(value)
        if matched is None:
            raise ValueError("expected a date such as 2024-12-31 or a time such as 2024-12-31 08:00; state `format:`")
        year, month, day, hour, minute, second, fraction, offset = matched.groups()
        return _build(year, month, day, hour, minute, second, fraction), _offset(offset)
    for pattern in formats:
        matched = compile_format(pattern).fullmatch(value)
        if matched is not None:
            return _from_parts(matched.groupdict())
    raise ValueError(f"expected a date written {' or '.join(formats[:3])}")


def _from_parts(parts: dict[str, str | None]) -> tuple[datetime, timedelta | None]:
    get: Callable[[str], str | None] = parts.get
    year = get("year") or str((2000 if int(get("short_year") or 0) < 69 else 1900) + int(get("short_year") or 0))
    week = get("week")
    if week is not None:
        _require_year(int(year))
        try:
            first = date.fromisocalendar(int(year), int(week), 1)
        except ValueError:
            raise ValueError(f"no such week: {year} has no week {week}") from None
        return datetime(first.year, first.month, first.day), None  # noqa: DTZ001 - local by definition
    month, quarter, name = get("month"), get("quarter"), get("month_name")
    if name is not None:
        if name.lower() not in _MONTHS:
            raise ValueError("expected a month such as Jan")
        month = str(_MONTHS.index(name.lower()) + 1)
    if quarter is not None:
        month = str(3 * int(quarter) - 2)
    hour = get("hour")
    half = get("half")
    if half is not None and hour is not None:
        if not 1 <= int(hour) <= 12:
            raise ValueError("expected an hour from 1 to 12 beside AM or PM")
        hour = str(int(hour) % 12 + (12 if half.lower() == "pm" else 0))
    moment = _build(year, month or "1", get("day") or "1", hour, get("minute"), get("second"), get("fraction"))
    return moment, _offset(get("offset"))


def _build(
    year: str, month: str, day: str, hour: str | None, minute: str | None, second: str | None, fraction: str | None
) -> datetime:
    _require_year(int(year))
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        return datetime(  # noqa: DTZ001 - the zone follows from the offset or the mapping
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micros
        )
    except ValueError as error:
        raise ValueError(f"no such day or hour: {error}") from None


def _require_year(year: int) -> None:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise ValueError(f"expected a year from {EARLIEST_YEAR} to {LATEST_YEAR}")


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text == "Z":
        return timedelta()
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError("expected an offset between -14:00 and +14:00")
    return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)


def _plain(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)
