"""Which product lines an account is asked about, what is known of them then, and that nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from crm.config import Config
from crm.schema import SYSTEM_COLUMNS, arrow_type
from crm.store import Generation, Store
from crm.tables import table
from features.line_panel import MOST_LINES, customers_of, make_panel
from features.matrix import TrainingSet
from features.next_product import build_line_rows
from features.purchases import Purchases, read_purchases
from features.question import BadQuestion, Question

ZONE = ZoneInfo("Europe/London")
CONFIG = Config.model_validate({"company": {"currency": "GBP", "time_zone": "Europe/London"}})
START = datetime(2024, 1, 10, 9, tzinfo=UTC)
QUESTION = Question(
    task="next_product",
    entity="accounts",
    event="bought_line",
    horizon_days=180,
    gap_days=0,
    groups=("customer_profile", "customer_size"),
)
PRODUCTS = [{"product": name, "line": line} for name, line in (("p1", "pumps"), ("p2", "pumps"), ("v1", "valves"))]


def as_table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    columns = (*table(name).columns, *SYSTEM_COLUMNS)
    filled = [{"recorded_at": START, "ingested_at": START, "backfilled": True, "source": "s", **row} for row in rows]
    return pa.Table.from_pylist(filled, pa.schema([(c.name, arrow_type(c.dtype)) for c in columns]))


def order(account: str, product: str, day: float, *, quantity: float = 1.0, late: float = 0.0) -> dict[str, object]:
    at = START + timedelta(days=day)
    return {
        "order_id": f"{account}-{product}-{day}-{quantity}",
        "line": "1",
        "account_id": account,
        "product": product,
        "ordered_at": at,
        "quantity": quantity,
        "recorded_at": at + timedelta(days=late),
    }


def account(name: str, industry: str = "mining") -> dict[str, object]:
    return {"account_id": name, "name": name, "industry": industry, "region": "north", "employees": 70}


def record(folder: Path, **tables: list[dict[str, object]]) -> Generation:
    store = Store(folder)
    with store.writing() as writer:
        for name, rows in tables.items():
            writer.replace(name, as_table(name, rows), {})
    return store.current()


def crowd(n_accounts: int = 30) -> list[dict[str, object]]:
    """Orders of two years; who once bought pumps buys valves later more often."""
    random = np.random.default_rng(3)
    orders = []
    for number in range(n_accounts):
        for day in np.cumsum(random.integers(20, 120, 9)).tolist():
            product = str(random.choice(["p1", "p2", "v1"] if number % 2 else ["v1", "v1", "p1"]))
            orders.append(order(f"A{number:02d}", product, day, late=float(random.integers(0, 9))))
    return orders


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    accounts = [account(f"A{number:02d}", ("mining", "water")[number % 2]) for number in range(30)]
    generation = record(tmp_path_factory.mktemp("record"), accounts=accounts, products=PRODUCTS, orders=crowd())
    return build_line_rows(generation, QUESTION, config=CONFIG)


def test_every_row_is_an_account_a_line_and_a_moment_and_the_label_says_what_the_orders_say(rows: TrainingSet) -> None:
    lines = rows.rows.column("line").to_pylist()
    keys = set(zip(rows.entity_id.tolist(), rows.as_of.tolist(), lines, strict=True))
    assert len(keys) == len(lines) > 300
    assert set(lines) == {"pumps", "valves"}
    line_of = {row["product"]: row["line"] for row in PRODUCTS}
    bought: dict[tuple[object, object], list[np.datetime64]] = {}
    for one in crowd():
        at = np.datetime64(one["ordered_at"].replace(tzinfo=None), "us")  # type: ignore[attr-defined]
        bought.setdefault((one["account_id"], line_of[str(one["product"])]), []).append(at)
    window = np.timedelta64(180, "D")
    for entity, as_of, line, label in zip(rows.entity_id.tolist(), rows.as_of, lines, rows.label, strict=True):
        if np.isfinite(label):
            assert label == any(as_of < at <= as_of + window for at in bought.get((entity, line), []))
    assert 0.1 < rows.label[np.isfinite(rows.label)].mean() < 0.9
    assert np.isnan(rows.label).any()


def test_what_becomes_known_later_moves_no_row_of_the_past(tmp_path: Path, rows: TrainingSet) -> None:
    accounts = [account(f"A{number:02d}", ("mining", "water")[number % 2]) for number in range(30)]
    last = rows.as_of.max().astype("datetime64[D]").item()
    beyond = (last - START.date()).days + 1
    random = np.random.default_rng(9)
    orders = crowd()
    # Orders of any day, old ones too, that came on record after the newest moment.
    for number in range(200):
        day = float(random.uniform(0, beyond))
        one = order(f"A{number % 40:02d}", ("p1", "v1", "x9")[number % 3], day, quantity=2.0)
        orders.append({**one, "recorded_at": START + timedelta(days=beyond + 1)})
    changed = build_line_rows(
        record(tmp_path, accounts=accounts, products=PRODUCTS, orders=orders), QUESTION, config=CONFIG
    )
    same = changed.take(np.isin(changed.as_of, rows.as_of))
    assert same.entity_id.tolist() == rows.entity_id.tolist()
    for name in rows.rows.column_names:
        np.testing.assert_array_equal(same.rows.column(name).to_numpy(), rows.rows.column(name).to_numpy(), name)


def purchases(tmp_path: Path, *orders: dict[str, object], **more: list[dict[str, object]]) -> Purchases:
    return read_purchases(record(tmp_path, products=PRODUCTS, orders=list(orders), **more), zone=ZONE)


def at(day: float) -> np.datetime64:
    return np.datetime64((START + timedelta(days=day)).replace(tzinfo=None), "us")


def test_own_history_counts_days_of_the_line_without_returns(tmp_path: Path) -> None:
    made = purchases(
        tmp_path,
        order("A", "p1", 0),
        order("A", "p2", 0.1),
        order("A", "p1", 100),
        order("A", "v1", 50, quantity=-1.0),
        order("A", "v1", 160),
        order("B", "v1", 20),
    )
    panel = make_panel(made, at(200), np.zeros((2, 0), np.str_), horizon_days=180)
    assert [str(made.lines[line]) for line in panel.line] == ["valves", "pumps"]
    assert panel.values["n_line_days"].tolist() == [[1.0, 2.0], [1.0, 0.0]]
    assert panel.values["days_since_line"][0].tolist() == [40.0, 100.0]
    assert np.isnan(panel.values["days_since_line"][1, 1])
    assert panel.values["is_last_line"].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert panel.values["share_of_line"][0].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert panel.values["n_lines_owned"][:, 0].tolist() == [2.0, 1.0]


def test_an_agreement_is_a_purchase_and_not_a_second_one_beside_its_order(tmp_path: Path) -> None:
    signed = (START + timedelta(days=3)).date()
    agreement = {"agreement_id": "C", "account_id": "A", "product": "p1", "signed_on": signed}
    made = purchases(tmp_path, order("A", "p2", 3), order("B", "v1", 3), agreements=[agreement])
    assert list(zip(made.accounts[made.account], made.lines[made.line], strict=True)) == [
        ("A", "pumps"),
        ("B", "valves"),
    ]


def test_of_one_days_purchases_that_which_was_on_record_first_is_known(tmp_path: Path) -> None:
    made = purchases(tmp_path, order("A", "p1", 0, late=30), order("A", "p2", 0.2))
    assert customers_of(made, at(1)).tolist() == [0]


def test_what_others_bought_leaves_the_account_itself_out(tmp_path: Path) -> None:
    buyers = [order(name, "v1", 0) for name in "ABCD"]
    made = purchases(tmp_path, *buyers, order("A", "p1", 100), order("B", "p1", 110))
    panel = make_panel(made, at(200), np.zeros((4, 0), np.str_), horizon_days=180)
    pumps = [str(made.lines[line]) for line in panel.line].index("pumps")
    assert panel.values["share_of_accounts_buying"][:, pumps].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])


def test_lines_bought_together_lift_each_other_and_lookalikes_tell_of_segments(tmp_path: Path) -> None:
    orders = []
    for number in range(100):
        name, is_miner = f"A{number:02d}", number < 50
        orders.append(order(name, "v1" if is_miner else "x9", 0))
        if is_miner and number > 0:
            orders.append(order(name, "p1", 100 + number))
    made = purchases(tmp_path, *orders)
    segments = np.array([["mining"]] * 50 + [["water"]] * 50)
    panel = make_panel(made, at(200), segments, horizon_days=180)
    pumps = [str(made.lines[line]) for line in panel.line].index("pumps")
    for name in ("lift_of_owned_lines", "share_of_segment_buying", "share_of_alike_buying"):
        values = panel.values[name][:, pumps]
        assert values[0] > 1.5 * np.nanmax(values[50:]), name


def test_a_record_without_orders_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match="orders"):
        build_line_rows(record(tmp_path, accounts=[account("A")]), QUESTION, config=CONFIG)


def test_of_thousands_of_lines_those_with_most_buyers_are_offered_and_the_rest_counts_as_a_whole(
    tmp_path: Path,
) -> None:
    orders = [order(f"A{n:02d}", f"part {n * 50 + m}", 100 + m) for n in range(30) for m in range(50)]
    orders += [order(f"A{n:02d}", "p1", 190) for n in range(30)]
    panel = make_panel(purchases(tmp_path, *orders), at(200), np.zeros((30, 0), np.str_), horizon_days=180)
    assert panel.values["days_since_line"].shape == (30, MOST_LINES)
    assert panel.values["days_since_line"][:, 0].tolist() == [10.0] * 30
    assert panel.values["n_lines_owned"][:, 0].tolist() == [51.0] * 30
    assert panel.values["share_of_line"][:, 0].tolist() == pytest.approx([1 / 51] * 30)
