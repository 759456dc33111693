"""How much each customer uses the product beside what all others used on the same day, derived with clocks of its own.

Spring Festival halves everybody's use, so that falling use says little by itself. `use_levels` says beside every row
of `usage` how many people would have used it had the customer been like all others of its size that day, and like
itself in the year before, as far as was known when the row was: nothing recorded later moves it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from crm.engine import Engine

# What others used on a day is drawn to what they use on all days as if so many more people had been seen.
PEERS_DRAWN_BY = 20
# A customer's own level is drawn to that of others as if so many more users had been expected.
OWN_DRAWN_BY = 5
# Its usual level is that of the year which ended so many days ago, so that a slow fall does not become usual.
USUAL_ENDS_DAYS = 90
USUAL_DAYS = 455
# A fall to half is looked for; one row says no more than so many people could.
FALL_TO = 0.5
MOST_PEOPLE = 50

# Of days equally known all count: what others handed over together with the row was known with it.
_USE_LEVELS = """
WITH seen AS (
  SELECT u.account_id, u.used_on, u.recorded_at, GREATEST(u.recorded_at, d.known_from) AS known_at,
    CAST(GREATEST(u.active_users, 0) AS DOUBLE) AS people, u.licensed_seats
  FROM usage AS u JOIN use_days AS d ON d.day = u.used_on WHERE u.active_users IS NOT NULL),
sized AS (
  SELECT *, CASE WHEN licensed_seats > 0 THEN licensed_seats ELSE NULLIF(MAX(people) OVER own, 0) END AS size
  FROM seen WINDOW own AS (PARTITION BY account_id ORDER BY known_at RANGE UNBOUNDED PRECEDING)),
sums AS (
  SELECT *, SUM(people) OVER that_day - people AS day_people, SUM(size) OVER that_day - size AS day_size,
    SUM(people) OVER everything - SUM(people) OVER own AS all_people,
    SUM(size) OVER everything - SUM(size) OVER own AS all_size
  FROM sized WHERE size IS NOT NULL
  WINDOW own AS (PARTITION BY account_id ORDER BY known_at RANGE UNBOUNDED PRECEDING),
    that_day AS (PARTITION BY used_on ORDER BY known_at RANGE UNBOUNDED PRECEDING),
    everything AS (ORDER BY known_at RANGE UNBOUNDED PRECEDING)),
peers AS (
  SELECT *, size * (day_people + {peers} * (all_people + 1) / (all_size + 2)) / (day_size + {peers}) AS expected
  FROM sums),
usual AS (
  SELECT *, (COALESCE(SUM(people) OVER year, 0) + {own}) / (COALESCE(SUM(expected) OVER year, 0) + {own}) AS level
  FROM peers WINDOW year AS (PARTITION BY account_id ORDER BY known_at
    RANGE BETWEEN INTERVAL {usual} DAY PRECEDING AND INTERVAL {ends} DAY PRECEDING)),
steps AS (
  SELECT *, expected * level AS own_expected, (people * LN({fall}) + expected * level * (1 - {fall}))
    * LEAST(1, {most} / (expected * level)) AS step
  FROM usual),
walks AS (
  SELECT *, SUM(step) OVER (PARTITION BY account_id ORDER BY known_at, used_on) AS walk FROM steps)
SELECT account_id, used_on, people AS active_users, expected AS expected_of_all, own_expected AS expected_of_own,
  people / expected AS share_of_all, CASE WHEN people < 0.5 * own_expected THEN 'low' ELSE 'usual' END AS level,
  walk - LEAST(0, MIN(walk) OVER (PARTITION BY account_id ORDER BY known_at, used_on)) AS fall_evidence, recorded_at
FROM walks ORDER BY account_id, used_on
"""


def derive_use_levels(engine: Engine, tables: Collection[str], zone: ZoneInfo) -> dict[str, pa.Table]:
    """The derived table `use_levels`; nothing for a record without use.

    Parameters
    ----------
    engine : Engine
        Where the record's tables are registered. DuckDB: the text is not of the portable subset.
    tables : collection of str
        Names of the tables registered on it.
    zone : ZoneInfo
        Where the company's days begin.

    Notes
    -----
    Size: seats, else the most people seen so far. Expected of all: size * share of the others' seats in use that day.
    Expected of its own: that, times its own people over what was expected of all, in the year before the last 90 days.
    Evidence of a fall: the one-sided cumulative sum of the log likelihood ratio of Poisson counts with half the mean
    against the whole (E. S. Page, Biometrika 1954), which is 0 as long as nothing speaks for a fall.
    """
    if "usage" not in tables:
        return {}
    days = engine.query("SELECT DISTINCT used_on FROM usage WHERE used_on IS NOT NULL").column("used_on").to_pylist()
    engine.register("use_days", days_known_from(sorted(days), zone))
    numbers = {
        "peers": f"CAST({PEERS_DRAWN_BY} AS DOUBLE)",
        "own": f"CAST({OWN_DRAWN_BY} AS DOUBLE)",
        "fall": f"CAST({FALL_TO} AS DOUBLE)",
        "most": f"CAST({MOST_PEOPLE} AS DOUBLE)",
    }
    return {
        "use_levels": engine.query(_USE_LEVELS.format(**numbers, usual=USUAL_DAYS, ends=USUAL_ENDS_DAYS)),
    }


def days_known_from(days: list[date], zone: ZoneInfo) -> pa.Table:
    """Each day with the moment from which it counts: the midnight after it, naive UTC."""
    after = (datetime.combine(day + timedelta(days=1), time(), tzinfo=zone) for day in days)
    known = [moment.astimezone(UTC).replace(tzinfo=None) for moment in after]
    return pa.table({"day": pa.array(days, pa.date32()), "known_from": pa.array(known, pa.timestamp("us"))})
