"""Lead score: which open leads will go on, how likely, and why."""

from models.task import Folds, Gates, Label, Task

TASK = Task(
    name="lead_score",
    question_en="Which of the open leads will reach the event within the horizon, and how likely?",
    question_zh="哪些未关闭的线索会在期限内达到目标事件？可能性有多大？",
    entity="leads",
    needs=("leads",),
    uses=("activities", "accounts", "opportunities", "reps", "changes"),
    label=Label(
        # The first event that a sales team can still act on; wins are fewer and further away.
        event="qualified",
        # Table, the column that names the lead (or what the lead names), the column that holds the moment.
        events={
            "qualified": ("leads", "lead_id", "converted_at"),
            "opportunity": ("opportunities", "lead_id", "created_at"),
            "won": ("opportunities", "lead_id", "closed_at"),
        },
        # Nine tenths of the leads that convert at all do so within a quarter; longer windows age the labels.
        horizon_days=90,
        # A score must leave a day to act on it; shorter gaps reward features written by the event itself.
        gap_days=1,
    ),
    feature_groups=("lead_profile", "lead_activity", "lead_origin", "lead_owner", "lead_season"),
    candidates=("base_rate", "logistic", "booster_small", "booster_recent", "blend"),
    folds=Folds(n_origins=4, test_share=0.25, calibration_share=0.25),
    metrics=("log_loss", "auc", "average_precision", "brier", "ece", "lift_at_10", "lift_at_20"),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
)
