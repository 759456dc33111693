"""Churn risk: which customers will leave, how likely, and why."""

from models.churn_details import churn_details
from models.task import Folds, Gates, Label, Task

TASK = Task(
    name="churn_risk",
    question_en="Which customers will leave within the horizon, and how likely?",
    question_zh="哪些客户会在期限内流失？可能性有多大？",
    entity="accounts",
    needs=("accounts",),
    uses=(
        "orders",
        "receipts",
        "invoices",
        "agreements",
        "opportunities",
        "usage",
        "tickets",
        "surveys",
        "activities",
        "changes",
    ),
    label=Label(
        # What every company that sells can see; one with agreements configures `cancelled`.
        event="lapsed",
        # Table, the column that names the account, the column that holds the moment (a lapse is the lack of one).
        events={
            "lapsed": ("orders", "account_id", "ordered_at"),
            "cancelled": ("agreements", "account_id", "cancelled_at"),
        },
        # A quarter: shorter windows call slow buyers lost, longer ones tell too late to act.
        horizon_days=90,
        # Rows begin at midnight, and the purchase of that very day already says that the account stays.
        gap_days=0,
    ),
    feature_groups=(
        "customer_profile",
        "customer_purchases",
        "customer_habit",
        "customer_money",
        "customer_service",
        "customer_relation",
        "customer_deals",
        "customer_trouble",
        "customer_use",
        "customer_season",
    ),
    candidates=("base_rate", "ridge", "curves", "booster_small", "blend"),
    folds=Folds(n_origins=4, test_share=0.25, calibration_share=0.25),
    metrics=("log_loss", "auc", "average_precision", "brier", "ece", "lift_at_10", "lift_at_20"),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
    details=churn_details,
    tells_of="loss",
)
