"""Collection risk: which open invoices will be paid on time, late or very late, and on which day."""

from models.collection_details import collection_details
from models.hazard_task import HazardTask
from models.headline import PAID, NextLine
from models.person_period import Grid
from models.task import Folds, Gates

TASK = HazardTask(
    name="collection_risk",
    question_en="Which of the open invoices will be paid on time, late or very late, and on which day?",
    question_zh="哪些未结清发票会按时、逾期或严重逾期回款？预计哪天到账？",
    entity="invoices",
    needs=("invoices", "receipts", "receipt_allocations"),
    uses=("accounts", "promises", "activities", "changes", "installments", "agreements"),
    # What is never paid has no cause of its own: it stays open and is watched as long as the record reaches.
    event=PAID,
    # Days while most invoices are paid, then coarser: the tail holds few payments.
    grid=Grid(edges=(*(float(day) for day in range(61)), *(float(day) for day in range(67, 180, 7)), 270.0, 365.0)),
    # The search for leaks asks for payment within the most common terms; answers ask for the next line of each row.
    headline_days=30,
    lines=NextLine(),
    ahead=(
        "age",
        "past_due",
        "is_past_due",
        "past_usual",
        "past_promise",
        "weekday",
        "to_month_end",
        "own_weekday",
        "own_month_end",
        "public_to_quarter_end",
        "to_year_end",
        "to_festival",
        "public_to_year_end",
    ),
    season_days=730,
    most_periods=50_000,
    # Most of what is paid in part is paid in whole, and both are dated by the bank.
    parts_of_event=frozenset({"paid_so_far", "n_payments", "days_since_payment"}),
    feature_groups=(
        "invoice_terms",
        "invoice_payments",
        "invoice_customer",
        "invoice_pay_days",
        "invoice_buyer",
        "invoice_calendar",
    ),
    candidates=("hazard_rate", "hazard_logistic", "hazard_booster", "hazard_blend"),
    folds=Folds(n_origins=2, test_share=0.25, calibration_share=0.25),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=100, min_closed=30),
    details=collection_details,
)
