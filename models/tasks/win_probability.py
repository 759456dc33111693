"""Win probability: which open opportunities will be won, when, and which will be lost first."""

from models.hazard_task import HazardTask
from models.person_period import even_grid
from models.task import Folds, Gates
from models.win_details import learn_extras, win_details

TASK = HazardTask(
    name="win_probability",
    question_en="Which of the open opportunities will be won, how likely and by when?",
    question_zh="哪些未关闭的商机会赢单？可能性有多大？何时成交？",
    entity="opportunities",
    needs=("opportunities",),
    uses=("changes", "activities", "accounts", "leads", "reps"),
    # Winning and losing exclude each other; a deal that is still open is neither.
    event="won",
    # Half a year of weeks: pipelines are reviewed weekly, and what lies further off is the forecast's business.
    grid=even_grid(26, 7.0),
    # One quarter, the period for which directors commit.
    headline_days=91,
    # A tender is decided soon after its day, and hardly before: the weeks ahead differ from deal to deal.
    ahead=("past_tender", "since_tender", "past_expected_close"),
    feature_groups=(
        "opportunity_profile",
        "opportunity_changes",
        "opportunity_activity",
        "opportunity_owner",
        "opportunity_account",
        "opportunity_origin",
        "opportunity_season",
    ),
    candidates=("hazard_rate", "hazard_logistic", "hazard_booster", "hazard_blend"),
    folds=Folds(n_origins=4, test_share=0.25, calibration_share=0.25),
    gates=Gates(max_ece=0.03, min_positives_for_boosting=200, min_closed=30),
    details=win_details,
    learn_extras=learn_extras,
)
