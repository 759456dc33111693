"""Tables of the organisation and of the parties it sells to."""

from __future__ import annotations

from crm.schema import Table, correctable, date, flag, integer, moment, money, number, text, texts

PEOPLE_TABLES: tuple[Table, ...] = (
    Table(
        name="org_units",
        grain="One unit of the organisation over one stretch of time.",
        key=("unit_id", "valid_from"),
        clock="valid_from",
        columns=(
            text("unit_id", "Identifier of the unit.", required=True),
            date("valid_from", "First day on which this row holds.", required=True),
            date("valid_to", "Last day on which this row holds; empty while it still does.", known_at="valid_to"),
            text("kind", "Level of the unit.", values=("company", "region", "team"), required=True),
            text("name", "Name of the unit."),
            text("parent_id", "The unit above it.", refers_to="org_units"),
        ),
    ),
    Table(
        name="reps",
        grain="One salesperson.",
        key=("rep_id",),
        clock="hired_on",
        columns=(
            text("rep_id", "Identifier of the person.", required=True),
            text("name", "Name of the person.", personal=True),
            text("team_id", "The team the person belongs to now.", refers_to="org_units", mutable=True),
            text("region", "Region the person sells in.", mutable=True),
            text("role", "What the person does.", values=("rep", "presales", "success", "collector"), mutable=True),
            texts("skills", "Products or subjects the person is skilled in.", mutable=True),
            texts("languages", "Languages the person speaks.", mutable=True),
            date("hired_on", "First working day."),
            date("left_on", "Last working day.", known_at="left_on"),
            integer("capacity_leads", "Leads the person can work at one time.", unit="leads", mutable=True),
            number("capacity_hours", "Working hours a week.", unit="hours", mutable=True),
        ),
    ),
    Table(
        name="absences",
        grain="One leave of one person.",
        key=("absence_id",),
        columns=(
            text("absence_id", "Identifier of the leave.", required=True),
            text("rep_id", "The person.", refers_to="reps", required=True),
            date("starts_on", "First day away.", required=True),
            date("ends_on", "Last day away.", required=True),
        ),
    ),
    Table(
        name="products",
        grain="One product.",
        key=("product",),
        columns=(
            text("product", "Name or number of the product.", required=True),
            text("line", "Product line."),
            money("list_price", "List price, net.", mutable=True),
            money("cost", "Cost, net.", mutable=True),
            text("currency", "ISO 4217 code of the amounts."),
        ),
    ),
    Table(
        name="accounts",
        grain="One customer or prospect.",
        key=("account_id",),
        clock="created_at",
        columns=(
            text("account_id", "Identifier of the account.", required=True),
            text("name", "Name of the account.", personal=True, mutable=True),
            text(
                "registration_code",
                "Unified social credit code (统一社会信用代码) or its equal elsewhere.",
                personal=True,
            ),
            text("parent_id", "The account that owns this one.", refers_to="accounts", mutable=True),
            text(
                "buyer_type",
                "Kind of buyer.",
                values=("enterprise", "government", "state_owned", "small", "consumer"),
                mutable=True,
            ),
            text("industry", "Industry.", mutable=True),
            text("region", "Region.", mutable=True),
            integer("employees", "Number of employees.", unit="people", mutable=True),
            money("annual_revenue", "Revenue a year.", mutable=True),
            text("partner_id", "Channel partner that registered it.", refers_to="partners", mutable=True),
            text("rep_id", "Owner now.", refers_to="reps", mutable=True),
            money("credit_limit", "Agreed credit limit, gross.", mutable=True),
            correctable(integer("payment_terms_days", "Agreed days to pay.", unit="days")),
            text("external_credit_grade", "Grade bought from a credit bureau.", mutable=True),
            text("currency", "ISO 4217 code of the amounts."),
            moment("created_at", "When the account was created."),
        ),
    ),
    Table(
        name="partners",
        grain="One channel partner.",
        key=("partner_id",),
        columns=(
            text("partner_id", "Identifier of the partner.", required=True),
            text("name", "Name of the partner.", personal=True),
            text("kind", "Kind of partner."),
            text("region", "Region of the partner."),
        ),
    ),
    Table(
        name="identities",
        grain="One code that another system uses for one of our entities.",
        key=("kind", "source_system", "code"),
        columns=(
            text("kind", "Kind of entity, named by its table.", required=True),
            text("source_system", "The other system.", required=True),
            text("code", "Its code.", required=True),
            text("entity_id", "Our identifier; empty while a person has to decide.", mutable=True),
            text(
                "match",
                "How the pair was joined.",
                values=("exact", "name", "confirmed", "doubtful", "rejected"),
                mutable=True,
            ),
            number("similarity", "Likeness of the names.", unit="share", mutable=True),
            text("candidate_id", "The entity proposed to the person who decides.", mutable=True),
            flag("waiting", "Waits in the queue for a person.", mutable=True),
        ),
    ),
)
