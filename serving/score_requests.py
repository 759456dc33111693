"""The form of scoring requests: ids, or rows in the columns of the entity's table."""

from __future__ import annotations

from typing import Annotated, Any, Self, TypeAlias

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from crm.schema import DType
from crm.tables import table
from serving.schemas import EntityId, Moment, Request

MOST_ROWS = 1000
_AT = "2026-03-31T08:00:00+08:00"
_JSON_TYPE: dict[DType, JsonDict] = {
    DType.TEXT: {"type": "string"},
    DType.TEXTS: {"type": "array", "items": {"type": "string"}},
    DType.INTEGER: {"type": "integer"},
    DType.NUMBER: {"type": "number"},
    DType.MONEY: {"type": "number"},
    DType.FLAG: {"type": "boolean"},
    DType.DATE: {"type": "string", "format": "date"},
    DType.TIMESTAMP: {"type": "string", "format": "date-time"},
}
EXAMPLE_RECORDS: dict[str, JsonDict] = {
    "leads": {
        "lead_id": "L-new",
        "created_at": "2026-03-02T09:30:00+08:00",
        "channel": "web",
        "region": "East",
        "industry": "Manufacturing",
        "employees": 240,
    },
    "opportunities": {
        "opportunity_id": "O-new",
        "created_at": "2026-02-10T09:30:00+08:00",
        "account_id": "C-77",
        "stage": "proposal",
        "net_amount": 180000,
        "expected_close_on": "2026-05-15",
        "events": {"activities": [{"occurred_at": "2026-03-20T10:00:00+08:00", "kind": "meeting"}]},
    },
    "accounts": {
        "account_id": "C-77",
        "industry": "Manufacturing",
        "region": "East",
        "events": {"orders": [{"ordered_at": "2026-01-15T10:00:00+08:00", "net_amount": 32000, "quantity": 4}]},
    },
    "agreements": {
        "agreement_id": "G-new",
        "account_id": "C-77",
        "kind": "subscription",
        "signed_on": "2025-06-20",
        "starts_on": "2025-07-01",
        "ends_on": "2026-06-30",
        "net_amount": 96000,
    },
    "invoices": {
        "invoice_id": "I-new",
        "account_id": "C-77",
        "issued_on": "2026-03-15",
        "due_on": "2026-04-14",
        "gross_amount": 52000,
        "events": {"payments": [{"paid_on": "2026-03-28", "amount": 12000}]},
    },
}
EXAMPLE_IDS: dict[str, list[str]] = {
    "leads": ["L-1042", "L-1043"],
    "opportunities": ["O-310", "O-311"],
    "accounts": ["C-77", "C-78"],
    "agreements": ["G-12", "G-13"],
    "invoices": ["I-9001", "I-9002"],
}
_EVENTS = {
    "leads": "activities, changes",
    "opportunities": "activities, changes",
    "accounts": "orders, receipts, agreements, opportunities, usage, tickets, surveys, activities",
    "agreements": "changes",
    "invoices": "payments, promises, contacts (collection activities)",
}


def record_schema(name: str) -> JsonDict:
    """The JSON schema of a row of a table of the record, as it may come with a request."""
    properties: dict[str, Any] = {}
    for column in table(name).columns:
        unit = ", in currency units" if column.dtype is DType.MONEY else f", {column.unit}" if column.unit else ""
        allowed = {"enum": list(column.values)} if column.values else {}
        properties[column.name] = {
            **_JSON_TYPE[column.dtype],
            **allowed,
            "description": f"{column.doc.rstrip('.')}{unit}.",
        }
    if name != "accounts":
        properties["account_id"] = {
            "type": "string",
            "description": "Joins what is known of the account, where visible.",
        }
    properties["events"] = {
        "type": "object",
        "description": f"Lists of rows by name, in the columns of their tables: {_EVENTS[name]}.",
        "additionalProperties": {"type": "array", "items": {"type": "object"}},
    }
    return {
        "type": "object",
        "description": "The entity's own columns, custom ones too; all may be left out or null. Where the company "
        "keeps a flat table the columns are those of its file, written as in the file. A row that does not fit is "
        "answered `invalid` by itself.",
        "properties": properties,
        "additionalProperties": True,
    }


Lead = Annotated[object, WithJsonSchema(record_schema("leads"))]
Opportunity = Annotated[object, WithJsonSchema(record_schema("opportunities"))]
Account = Annotated[object, WithJsonSchema(record_schema("accounts"))]
Agreement = Annotated[object, WithJsonSchema(record_schema("agreements"))]
Invoice = Annotated[object, WithJsonSchema(record_schema("invoices"))]


def _records(entity: str) -> Any:
    clock = table(entity).clock
    return Field(
        default=None,
        min_length=1,
        max_length=MOST_ROWS,
        description=f"Rows to score as they come, 1 to {MOST_ROWS:,}: columns of the record and custom ones, each may "
        f"be left out. A row speaks for itself, whatever id it has: without `{clock}` it counts as begun at `as_of`, "
        "and a list of `events` that is left out says that nothing has happened yet. Where the company keeps a flat "
        "table the columns are those of its file, written as there.",
        json_schema_extra={
            "x-description-zh": "随请求发送的待评分行；列名与记录一致，平表则与其文件一致。"
            f"未给 {clock} 视为在 as_of 创建，未给 events 视为尚无任何事件。"
        },
    )


def _examples(entity: str) -> ConfigDict:
    ids: JsonDict = {"ids": list(EXAMPLE_IDS[entity])}
    return ConfigDict(json_schema_extra={"examples": [ids, {"records": [EXAMPLE_RECORDS[entity]], "as_of": _AT}]})


class _ByIdOrRecord(Request):
    """Score entities of the record by `ids`, or rows that come with the request as `records`; exactly one of them."""

    ids: Annotated[list[EntityId], Field(min_length=1, max_length=MOST_ROWS)] | None = Field(
        default=None,
        description=f"Ids of entities of the record, 1 to {MOST_ROWS:,}; an id may stand twice.",
        json_schema_extra={"x-description-zh": "记录中的编号。"},
    )
    records: list[Any] | None = None
    as_of: Moment | None = Field(
        default=None,
        description="The moment of the answer, with its offset and not in the future; by default the record's last "
        "refresh for ids, and now for records. It stands above `fresh`.",
        json_schema_extra={"x-description-zh": "答案的时点，须带时区偏移且不晚于现在。"},
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.ids is None) == (self.records is None):
            raise ValueError("expected either ids or records")
        return self


class LeadRequest(_ByIdOrRecord):
    """Leads by `ids`, or rows that come with the request as `records`; exactly one of them."""

    model_config = _examples("leads")
    records: list[Lead] | None = _records("leads")


class OpportunityRequest(_ByIdOrRecord):
    """Opportunities by `ids`, or rows that come with the request as `records`; exactly one of them."""

    model_config = _examples("opportunities")
    records: list[Opportunity] | None = _records("opportunities")


class AccountRequest(_ByIdOrRecord):
    """Accounts by `ids`, or rows that come with the request as `records`; exactly one of them."""

    model_config = _examples("accounts")
    records: list[Account] | None = _records("accounts")


class AgreementRequest(_ByIdOrRecord):
    """Agreements by `ids`, or rows that come with the request as `records`; exactly one of them."""

    model_config = _examples("agreements")
    records: list[Agreement] | None = _records("agreements")


class InvoiceRequest(_ByIdOrRecord):
    """Invoices by `ids`, or rows that come with the request as `records`; exactly one of them."""

    model_config = _examples("invoices")
    records: list[Invoice] | None = _records("invoices")


ScoreRequest: TypeAlias = LeadRequest | OpportunityRequest | AccountRequest | AgreementRequest | InvoiceRequest
"""What any scoring route takes."""
