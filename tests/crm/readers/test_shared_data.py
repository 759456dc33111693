"""Public data sets, read as they come; skipped where they are not at hand."""

import pytest

from crm.mapping_sources import SourceSpec
from crm.readers.source import read_source

# file: rows, columns (without the empty one of X Education)
SETS = {
    "xeducation_leads/Leads.csv.gz": (9_240, 37),
    "bank_marketing/bank-additional-full.csv.gz": (41_188, 21),
    "maven_crm/sales_pipeline.csv": (8_800, 8),
    "maven_crm/accounts.csv": (85, 7),
    "ibm_telco_churn/Telco-Customer-Churn.csv.gz": (7_043, 21),
    "ibm_receivables/accounts_receivable_to_2013-05-06.csv.gz": (1_725, 12),
    "ravenstack/ravenstack_churn_events.csv.gz": (600, 9),
    "superstore/superstore.csv.gz": (9_994, 21),
    "hillstrom/hillstrom_mens_arm.csv.gz": (31_960, 12),
    "aus_tourism/tourism_to_2015Q4.csv.gz": (304 * 72, 5),
    "bpic2012/events_to_2011-12-31.csv.gz": (138_797, 7),
    "online_retail/online_retail_to_2011-09-09.csv.gz": (334_054, 8),
}
SLOW = ("bpic2012", "online_retail")


@pytest.mark.parametrize(
    "file", [pytest.param(name, marks=pytest.mark.slow) if name.startswith(SLOW) else name for name in SETS]
)
def test_public_data_set_is_read_whole_and_without_rejects(shared_data, file):
    raw = read_source(SourceSpec(name="public", file=file), shared_data)
    assert (raw.rows.num_rows, raw.rows.num_columns) == SETS[file]
    assert raw.rejects == ()


def test_blank_amounts_of_new_customers_are_null(shared_data):
    raw = read_source(SourceSpec(name="public", file="ibm_telco_churn/Telco-Customer-Churn.csv.gz"), shared_data)
    assert raw.rows.column("TotalCharges").null_count == 11


def test_zero_padded_numbers_stay_text(shared_data):
    raw = read_source(
        SourceSpec(name="public", file="ibm_receivables/accounts_receivable_to_2013-05-06.csv.gz"), shared_data
    )
    numbers = raw.rows.column("invoiceNumber").to_pylist()
    assert any(number.startswith("0") for number in numbers)
