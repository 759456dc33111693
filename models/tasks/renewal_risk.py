"""Renewal risk: which agreements up for renewal will be lost or renewed for less, how likely, and why."""

from features.renewals import HORIZON_DAYS
from models.churn_details import renewal_details
from models.task import Folds, Gates, Label, Task

TASK = Task(
    name="renewal_risk",
    question_en="Which agreements up for renewal will be lost or renewed for less, and how likely?",
    question_zh="哪些到期合同会流失或降额续签？可能性有多大？",
    entity="agreements",
    needs=("agreements",),
    uses=("accounts", "usage", "tickets", "surveys", "invoices", "receipts", "activities", "changes"),
    label=Label(
        # Asked 120, 90, 60 and 30 days before the last day. A company whose agreements have none, or are left in the
        # middle, configures `cancelled`: running agreements, each on its own. An account with ten of them is ten times
        # as likely to cancel one, which says nothing about the customer.
        event="lost",
        events={
            "lost": ("agreements", "agreement_id", "ends_on"),
            "cancelled": ("agreements", "agreement_id", "cancelled_at"),
        },
        # From the first question to the end of the grace, so that all four ask for the same outcome.
        horizon_days=HORIZON_DAYS,
        gap_days=0,
    ),
    feature_groups=(
        "agreement_terms",
        "agreement_kind",
        "agreement_service",
        "agreement_relation",
        "agreement_trouble",
        "agreement_use",
        "agreement_payment",
    ),
    candidates=("base_rate", "ridge", "booster_small"),
    folds=Folds(n_origins=4, test_share=0.25, calibration_share=0.25),
    metrics=("log_loss", "auc", "average_precision", "brier", "ece", "lift_at_10", "lift_at_20"),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
    details=renewal_details,
    tells_of="loss",
)
