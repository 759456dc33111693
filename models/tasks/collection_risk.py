"""Collection risk: which open invoices will be paid on time, late or very late, and on which day."""

from models.hazard_task import HazardTask
from models.payment import GRID
from models.task import Folds, Gates

TASK = HazardTask(
    name="collection_risk",
    question_en="Which of the open invoices will be paid on time, late or very late, and on which day?",
    question_zh="哪些未结清发票会按时、逾期或严重逾期回款？预计哪天到账？",
    entity="invoices",
    needs=("invoices", "receipts", "receipt_allocations"),
    uses=("accounts", "promises", "activities", "changes"),
    # What is never paid has no cause of its own: it stays open and is watched as long as the record reaches.
    event="paid",
    # Days while most invoices are paid, weeks after that.
    grid=GRID,
    # The most common terms.
    headline_days=30,
    feature_groups=(
        "invoice_terms",
        "invoice_payments",
        "invoice_customer",
        "invoice_buyer",
        "invoice_calendar",
    ),
    candidates=("hazard_rate", "hazard_logistic", "hazard_booster"),
    folds=Folds(n_origins=4, test_share=0.25, calibration_share=0.25),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
    # The doors answer for leads; the other entities follow.
    is_served=False,
)
