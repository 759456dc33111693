"""The commands `bridge` and `hygiene`: why the forecast moved, and what the words of open deals are worth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli_errors import NotPossible
from serving.cli_output import AsJson, config_of, note, print_json, print_rows

if TYPE_CHECKING:
    from features.periods import Period

_NAMED = 5
Chosen = Annotated[str, typer.Option(help="month, quarter or year.")]
First = Annotated[str | None, typer.Option(help="The period's first month, such as 2026-07; the running one.")]


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(bridge)
    app.command()(hygiene)


def bridge(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="The earlier day; a week before the later one.")] = None,
    until: Annotated[str | None, typer.Option(help="The later day; the last of the record.")] = None,
    node: Annotated[str, typer.Option(help="The node, for instance company or region:East.")] = "company",
    period: Chosen = "quarter",
    month: First = None,
    as_json: AsJson = False,
) -> None:
    """Say why the expected bookings of a period moved between two days, cause by cause."""
    from crm.store import Store
    from serving.access import EVERYONE
    from serving.bridge_answers import answer_bridge
    from serving.bridge_schemas import BridgeAsked
    from serving.errors import Refusal
    from serving.flow_views import FlowViews

    config = config_of(context)
    asked = BridgeAsked(
        from_day=day_asked(since),
        to_day=day_asked(until),
        period=period_asked(period),
        month=month_asked(month),
        node=node,
        most_deals=500,
    )
    generation = Store(config.record_folder).current()
    try:
        told: dict[str, Any] = answer_bridge(config, FlowViews(config), generation, EVERYONE, asked)
    except Refusal as refused:
        raise NotPossible(reason_of(refused)) from None
    if as_json:
        print_json(told)
        return
    rows = [(bar["text_en"], f"{bar['amount']:+,.0f}", bar["n_deals"] or "", _deals(bar)) for bar in told["bars"]]
    ends = [(f"{what}, {told[day]}", f"{told[side]:,.0f}", "", "") for what, day, side in _ENDS]
    print_rows(("", told["currency"], "deals", "most of all"), [ends[0], *rows, ends[1]])


_ENDS = (("expected", "from_day", "before"), ("expected", "to_day", "after"))


def hygiene(context: typer.Context, period: Chosen = "quarter", month: First = None, as_json: AsJson = False) -> None:
    """Say what the words of open deals are worth: from what is promised to what is expected, by salesperson."""
    from crm.store import Store
    from serving.access import EVERYONE
    from serving.errors import Refusal
    from serving.flow_views import FlowViews
    from serving.hygiene_answers import answer_hygiene

    config = config_of(context)
    generation = Store(config.record_folder).current()
    try:
        told: dict[str, Any] = answer_hygiene(
            config,
            FlowViews(config),
            generation,
            EVERYONE,
            period=period_asked(period),
            month=month_asked(month),
            limit=500,
        )
    except Refusal as refused:
        raise NotPossible(reason_of(refused)) from None
    if as_json:
        print_json(told)
        return
    rows = [(one["rep_id"], one["n_open"], one["n_stale"], *_steps(one)) for one in told["reps"]]
    header = ("", "open", "stale", "at their words", "days", "wins", "amounts", "expected")
    print_rows(header, [*rows, ("together", told["n_deals"], "", *_steps(told["total"]))])
    if not told["is_corrected"]:
        note("nobody's habits are corrected: company.corrects_reps is off")


def _steps(one: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"{one[name]:,.0f}" for name in ("words", "day", "outcome", "amount", "corrected"))


def _deals(bar: Mapping[str, Any]) -> str:
    return ", ".join(f"{deal['opportunity_id']} {deal['effect']:+,.0f}" for deal in bar["deals"][:_NAMED])


def reason_of(refused: Exception) -> str:
    """What is wrong, in words for the command line."""
    errors = getattr(refused, "errors", ())
    return " ".join([str(refused), *(f"({error.message})" for error in errors)])


def day_asked(text: str | None) -> date | None:
    """The day of an option, or a message that says its form."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise NotPossible("--since and --until take a day such as 2026-08-15") from None


def month_asked(text: str | None) -> date | None:
    """The first day of the month of an option, or a message that says its form."""
    try:
        return None if text is None else date.fromisoformat(f"{text[:7]}-01")
    except ValueError:
        raise NotPossible("--month takes a month such as 2026-08") from None


def period_asked(text: str) -> Period:
    """The period of an option, or a message that names the periods."""
    from features.periods import Period

    try:
        return Period(text)
    except ValueError:
        raise NotPossible("--period takes month, quarter or year") from None
