"""The form of answers about what a forecast is made of."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from serving.schemas import Answer

_STRETCH: JsonDict = {
    "first_month": "2026-07-01",
    "expected": 26100000.0,
    "to_date": 0.0,
    "signed": 0.0,
    "renewals": 12400000.0,
    "open_deals": 8200000.0,
    "new_deals": 4600000.0,
    "run_rate": 900000.0,
    "p10": 22100000.0,
    "p50": 25900000.0,
    "p90": 30300000.0,
    "chance": 0.62,
}


class ForecastParts(Answer):
    """One stretch of months and what it is made of; the parts add up to what is expected."""

    model_config = ConfigDict(json_schema_extra={"example": _STRETCH})

    first_month: date = Field(description="First month of the stretch.")
    expected: float = Field(description="Mean of the joint sample, units of the currency, or customers.")
    to_date: float = Field(description="Brought already.")
    signed: float = Field(description="Signed before, and still to be invoiced or paid.")
    renewals: float = Field(description="Agreements that are renewed.")
    open_deals: float = Field(description="Deals that are open now, or won and not signed yet.")
    new_deals: float = Field(description="Deals that are not created yet.")
    run_rate: float = Field(description="What comes without a deal or an agreement.")
    p10: float = Field(description="10 % of the draws lie below.")
    p50: float = Field(description="Half of the draws lie below.")
    p90: float = Field(description="90 % of the draws lie below.")
    chance: float | None = Field(description="Share of draws that reach the amount that was asked for.")


class ComponentsAnswer(Answer):
    """What a forecast is made of."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "run_id": "5e1f3a90c2d14b7f",
                "as_of": "2026-06-30T15:59:59.999999Z",
                "measure": "bookings",
                "node_id": "company",
                "period": "quarter",
                "currency": "CNY",
                "reason": None,
                "stretches": [_STRETCH],
            }
        }
    )

    run_id: str | None = Field(description="The published run; none before the first.")
    as_of: datetime | None = Field(description="The cutoff.")
    measure: str = Field(description="What is counted.")
    node_id: str = Field(description="The node.")
    period: str = Field(description="month, quarter or year.")
    currency: str | None = Field(description="Of all amounts.")
    reason: str | None = Field(description="Why there is nothing to tell.")
    stretches: list[ForecastParts] = Field(description="Every stretch of months ahead.")
