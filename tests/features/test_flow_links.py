"""A missing link never counts a sale twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.flow_links import presumed_billed, presumed_delivery, presumed_signed, renewals_of


def deals(n: int, random: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "account": random.integers(0, 3, n),
            "product": random.choice(["A", "B"], n),
            "created": random.integers(0, 50, n),
            "amount": random.integers(1, 100, n),
            "waits": True,
        }
    )


def agreements(n: int, random: np.random.Generator, n_deals: int) -> pd.DataFrame:
    named = np.where(random.random(n) < 0.5, random.permutation(max(n, n_deals))[:n], -1)
    return pd.DataFrame(
        {
            "account": random.integers(0, 3, n),
            "product": random.choice(["A", "B"], n),
            "signed": random.integers(20, 100, n),
            "net": random.integers(50, 100, n).astype(float),
            "deal": np.where(named < n_deals, named, -1),
            "is_renewal": False,
        }
    )


def still_expected(open_deals: pd.DataFrame, agreed: pd.DataFrame) -> float:
    """What open deals are still taken to bring, signed ones left out."""
    signed = np.zeros(len(open_deals), dtype=bool)
    signed[agreed["deal"][agreed["deal"] >= 0]] = True
    presumed = presumed_signed(open_deals.assign(waits=~signed), agreed)
    signed[presumed[presumed >= 0]] = True
    return float(open_deals["amount"][~signed].sum())


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(1000), marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_agreement_that_loses_its_deal_raises_what_open_deals_bring(seeds: range) -> None:
    for seed in seeds:
        random = np.random.default_rng(seed)
        held, agreed = deals(random.integers(1, 8), random), agreements(random.integers(1, 6), random, 8)
        agreed = agreed[agreed["deal"] < len(held)].reset_index(drop=True)
        linked = agreed["deal"] >= 0
        of = held.iloc[agreed["deal"][linked]]
        # A pair that is linked is of one customer, and was a deal before it was an agreement.
        agreed.loc[linked, "account"] = of["account"].to_numpy()
        agreed.loc[linked, "signed"] = np.maximum(agreed["signed"][linked], of["created"].to_numpy())
        with_links = still_expected(held, agreed)
        for row in np.flatnonzero(linked):
            without = agreed.copy()
            without.loc[row, "deal"] = -1
            assert still_expected(held, without) <= with_links


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(1000), marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_order_that_loses_its_agreement_raises_the_run_rate(seeds: range) -> None:
    for seed in seeds:
        random = np.random.default_rng(seed)
        agreed = agreements(random.integers(1, 5), random, 0)
        n = int(random.integers(1, 8))
        place = random.integers(0, len(agreed), n)
        orders = pd.DataFrame(
            {
                "account": agreed["account"].to_numpy()[place],
                "product": agreed["product"].to_numpy()[place],
                "day": agreed["signed"].to_numpy()[place] + random.integers(0, 30, n),
                "net": random.integers(1, 20, n).astype(float),
                "agreement": place,
            }
        )
        # One order at a time loses its link, the others keep theirs.
        for row in range(n):
            without = orders.copy()
            without.loc[row, "agreement"] = -1
            named = agreed["product"].iloc[without["agreement"][without["agreement"] >= 0]]
            found = presumed_delivery(without, agreed)
            delivered = without["agreement"].to_numpy() >= 0
            if orders["product"][row] in set(named):
                assert found[row] or rest_of(agreed, without, row) <= 0
            assert not found[delivered].any()


def rest_of(agreed: pd.DataFrame, orders: pd.DataFrame, row: int) -> float:
    """What agreements that the order may deliver still wait for."""
    rest = agreed["net"].to_numpy().copy()
    linked = orders[orders["agreement"] >= 0]
    np.subtract.at(rest, linked["agreement"].to_numpy(), linked["net"].to_numpy())
    near = (agreed["account"] == orders["account"][row]) & (agreed["product"] == orders["product"][row])
    return float(rest[near & (agreed["signed"] <= orders["day"][row])].clip(min=0).sum())


def test_an_unlinked_invoice_bills_the_oldest_claim_of_its_customer() -> None:
    claims = pd.DataFrame(
        {
            "account_id": ["a", "a", "a", "b"],
            "is_billed": [False, False, True, False],
            "due": [20, 10, 5, 1],
            "gross": [100.0, 60.0, 40.0, 70.0],
            "signed": [1, 1, 1, 1],
        }
    )
    invoices = pd.DataFrame({"account_id": ["a", "a"], "day": [7, 0], "gross": [90.0, 500.0]})
    rest, bills = presumed_billed(claims, invoices)
    assert rest.tolist() == [70.0, 0.0, 40.0, 70.0]
    # What was invoiced before the signature bills none of it.
    assert bills.tolist() == [True, False]


def test_a_customer_with_thousands_of_deals_is_matched_in_a_moment() -> None:
    n = 4000
    held = pd.DataFrame({"account": 0, "created": np.arange(n), "amount": np.arange(n, 0, -1), "waits": True})
    agreed = pd.DataFrame({"account": 0, "signed": np.arange(n), "deal": -1, "is_renewal": False})
    assert sorted(presumed_signed(held, agreed).tolist()) == list(range(n))


def test_a_renewal_without_its_key_is_known_by_customer_product_and_day() -> None:
    rows = pd.DataFrame(
        {
            "account": [0, 0, 0, 1],
            "product": ["A", "A", "B", "A"],
            "signed": [0, 360, 362, 365],
            "ends": [365, 730, 2**31, 2**31],
            "deal": [-1, -1, -1, -1],
        }
    )
    none = np.full(4, -1)
    assert renewals_of(rows, none).tolist() == [1, -1, -1, -1]
    late = rows.assign(signed=[0, 600, 362, 365])
    assert renewals_of(late, none).tolist() == [-1, -1, -1, -1]
