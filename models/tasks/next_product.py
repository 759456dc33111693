"""Next product: which product line an account buys next, from its own orders and those of its like."""

from features.next_product import build_line_rows
from models.task import Folds, Gates, Label, Task

TASK = Task(
    name="next_product",
    question_en="Which product line will the account buy within the horizon, and how likely?",
    question_zh="客户在期限内会购买哪条产品线？可能性有多大？",
    entity="accounts",
    needs=("accounts", "orders"),
    uses=("products", "agreements", "changes"),
    label=Label(
        event="bought_line",
        # Table, the column that names the account, the column that holds the moment; one row a line.
        events={"bought_line": ("orders", "account_id", "ordered_at")},
        # Half a year: add-ons come about once a year, and a salesperson plans two quarters ahead.
        horizon_days=180,
        # Rows begin at midnight, and the purchase of that very day is what is asked for.
        gap_days=0,
    ),
    feature_groups=("customer_profile", "customer_size", "customer_season"),
    # The base rate moves with the line: popularity, which everything else has to beat.
    candidates=("base_rate", "booster_small"),
    folds=Folds(n_origins=2, test_share=0.25, calibration_share=0.25),
    metrics=("log_loss", "auc", "average_precision", "brier", "ece", "lift_at_10", "lift_at_20"),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
    build_rows=build_line_rows,
)
