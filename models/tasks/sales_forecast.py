"""Sales forecast: how much will be signed, invoiced and received each month, where, and how surely."""

from crm.money import Measure
from features.nodes import Level
from models.series_task import Bucket, Origins, SeriesTask
from models.task import Folds, Gates

TASK = SeriesTask(
    name="sales_forecast",
    question_en="How much will be signed, received and invoiced in each of the next 18 months, at which margin, with "
    "how many new customers, by whom and how surely?",
    question_zh="未来18个月每月的合同额、回款额、收入、毛利和新客户数各是多少？"
    "分区域、团队、产品线、客户类别和人员，把握有多大？",
    # Nodes are sums over the money chain; the first table of it that a company keeps is enough.
    entity="agreements",
    needs=(),
    uses=(
        *("agreements", "opportunities", "orders", "invoices", "receipts"),
        *("accounts", "reps", "org_units", "products", "market_signals", "panel"),
    ),
    feature_groups=(),
    measures=tuple(Measure),
    levels=tuple(Level),
    # A year to plan and the half year in which the next one is planned.
    horizon_months=18,
    # A quarter is committed, a half year is planned, a year is budgeted; errors grow from one to the next.
    buckets=(
        Bucket(first=1, last=3),
        Bucket(first=4, last=6),
        Bucket(first=7, last=12),
        Bucket(first=13, last=18),
    ),
    # The rows of the record (signed, open, still to come) speak beside the months that were.
    candidates=("seasonal_naive", "last_year_grown", "recent_mean", "ets", "theta", "booster", "pipeline"),
    # Quarterly moments, so that twelve of them see three years; the newest six are the test.
    origins=Origins(n_origins=12, min_months=24, n_test=6),
    folds=Folds(n_origins=12, test_share=0.5, calibration_share=0.0, embargo=False),
    gates=Gates(max_ece=0.05, min_positives_for_boosting=0, min_closed=15),
)
