"""Tables of what customers do, of the market, and of flat sources that are no CRM tables."""

from __future__ import annotations

from crm.schema import Table, date, flag, integer, moment, number, text

BEHAVIOUR_TABLES: tuple[Table, ...] = (
    Table(
        name="usage",
        grain="One account on one day.",
        key=("account_id", "used_on"),
        clock="used_on",
        columns=(
            text("account_id", "The customer.", refers_to="accounts", required=True),
            date("used_on", "The day.", required=True),
            integer("active_users", "People who used the product.", unit="people"),
            integer("licensed_seats", "Seats paid for.", unit="people"),
            number("events", "Events counted.", unit="events"),
        ),
    ),
    Table(
        name="tickets",
        grain="One ticket or complaint.",
        key=("ticket_id",),
        clock="opened_at",
        columns=(
            text("ticket_id", "Identifier of the ticket.", required=True),
            text("account_id", "The customer.", refers_to="accounts"),
            moment("opened_at", "When it was opened.", required=True),
            moment("closed_at", "When it was closed.", known_at="closed_at"),
            text("severity", "Severity.", values=("low", "medium", "high", "urgent")),
            text("kind", "Kind of ticket."),
            number("satisfaction", "Satisfaction stated at closing.", unit="points", known_at="closed_at"),
        ),
    ),
    Table(
        name="surveys",
        grain="One answer to one survey.",
        key=("survey_id",),
        clock="answered_at",
        columns=(
            text("survey_id", "Identifier of the answer.", required=True),
            text("account_id", "The customer.", refers_to="accounts"),
            moment("answered_at", "When it was answered.", required=True),
            integer("nps", "Likelihood to recommend, 0 to 10.", unit="points"),
        ),
    ),
    Table(
        name="market_signals",
        grain="One signal for one region or industry in one month.",
        key=("name", "segment", "signal_month"),
        columns=(
            text("name", "Name of the signal.", required=True),
            text("segment", "Region or industry, or `*` for all.", required=True),
            date("signal_month", "First of the month it describes.", required=True),
            number("value", "Its value.", unit="as named", required=True),
            flag("known_ahead", "Known before the month begins."),
        ),
    ),
    Table(
        name="observations",
        grain="One entity with one outcome, as a flat table gives it.",
        key=("task", "entity_id"),
        columns=(
            text("task", "The task it trains.", required=True),
            text("entity_id", "The entity, or the number of the row.", required=True),
            number("position", "Order of the rows in time; empty when the source has none.", unit="rank"),
            flag("label", "The outcome; empty while unknown."),
        ),
    ),
    Table(
        name="panel",
        grain="One series in one period.",
        key=("panel", "unique_id", "ds"),
        clock="ds",
        columns=(
            text("panel", "Name of the panel.", required=True),
            text("unique_id", "The series: its node columns joined by `/`.", required=True),
            date("ds", "First day of the period.", required=True),
            text("frequency", "Length of a period.", values=("week", "month", "quarter"), required=True),
            number("y", "The value.", unit="as in the source"),
        ),
    ),
)
