"""Where the day lies in the year, for any entity."""

from __future__ import annotations

from collections.abc import Collection

from features.spec import Calendar, FeatureGroup, feature


def season_group(entity: str, prefix: str, *, without: Collection[str] = ()) -> FeatureGroup:
    """The calendar features as a group of `entity`, but for the fields that tell its rows nothing."""
    found = (
        feature("month_of_year", Calendar(what="month"), unit="1 to 12", group="season", en="month", zh="月份"),
        feature("weekday", Calendar(what="weekday"), unit="1 to 7", group="season", en="weekday", zh="星期"),
        feature(
            "days_to_quarter_end",
            Calendar(what="days_to_quarter_end"),
            unit="days",
            group="season",
            en="days to the end of the quarter",
            zh="距季末天数",
        ),
        feature(
            "days_to_spring_festival",
            Calendar(what="days_to_spring_festival"),
            unit="days",
            group="season",
            en="days to the Spring Festival, negative after it",
            zh="距春节天数（节后为负）",
        ),
    )
    return FeatureGroup(
        name=f"{prefix}_season",
        entity=entity,
        doc="Where the day lies in the year.",
        features=tuple(one for one in found if one.field.name not in without),
    )
