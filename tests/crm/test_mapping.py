"""The mapping file: what is refused, with which words, and what the defaults do."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm.mapping import parse_mapping, read_mapping
from crm.yaml_file import BadYaml

LEADS = """
company: {currency: EUR, encoding: gbk, missing: [NA]}
sources:
  - name: leads
    file: leads.csv
    missing: [Select]
    table: leads
    columns:
      lead_id: Number
      created_at: {from: Created, format: D/M/YYYY}
"""


def test_bare_name_means_from_that_column() -> None:
    target = parse_mapping(LEADS).sources[0].targets[0]
    assert target.columns["lead_id"].from_ == ("Number",)
    assert target.columns["created_at"].format == ("D/M/YYYY",)


def test_company_defaults_hold_for_sources_that_do_not_say_otherwise() -> None:
    source = parse_mapping(LEADS).sources[0]
    assert (source.encoding, source.currency, source.missing) == ("gbk", "EUR", ("Select", "NA"))


def test_flat_table_keeps_unknown_columns_by_default() -> None:
    assert parse_mapping(LEADS).sources[0].targets[0].custom == "all"


def test_spec_holds_what_a_reader_needs() -> None:
    spec = parse_mapping(LEADS.replace("missing: [Select]", "from_table: t\n    kind: duckdb")).sources[0].spec
    assert (spec.file, spec.resolved_kind, spec.table) == ("leads.csv", "duckdb", "t")


def test_unknown_column_is_named_with_line_and_nearest_spelling() -> None:
    with pytest.raises(BadYaml, match=r"line 11: .*no column 'chanel'; did you mean 'channel'"):
        parse_mapping(LEADS + "      chanel: Source\n")


def test_unknown_table_is_named_with_line_and_nearest_spelling() -> None:
    with pytest.raises(BadYaml, match=r"line 7: .*no table 'lead' in the record; did you mean 'leads'"):
        parse_mapping(LEADS.replace("table: leads", "table: lead"))


def test_required_column_that_is_not_mapped_is_named() -> None:
    with pytest.raises(BadYaml, match=r"line 8: .*table leads needs lead_id"):
        parse_mapping(LEADS.replace("      lead_id: Number\n", ""))


def test_system_column_points_to_its_own_setting() -> None:
    with pytest.raises(BadYaml, match="recorded_at stands beside `columns:`"):
        parse_mapping(LEADS + "      recorded_at: Seen\n")


def test_unknown_setting_is_refused_with_its_line() -> None:
    with pytest.raises(BadYaml, match=r"line 6: sources\[leads\].mising: no such setting; did you mean"):
        parse_mapping(LEADS.replace("missing: [Select]", "mising: [Select]"))


def test_yaml_word_that_is_no_text_must_be_quoted() -> None:
    wrong = LEADS.replace(
        "created_at: {from: Created, format: D/M/YYYY}", "created_at: {from: Created, values: {yes: no}}"
    )
    with pytest.raises(BadYaml, match="put the words in quotes"):
        parse_mapping(wrong)


@pytest.mark.parametrize("path", ["../other.csv", "/data/leads.csv", "a/../../b.csv"])
def test_file_outside_the_data_folder_is_refused(path: str) -> None:
    with pytest.raises(BadYaml, match="below the data folder"):
        parse_mapping(LEADS.replace("leads.csv", path))


def test_source_with_two_targets_is_refused() -> None:
    panel = "    panel: {name: p, nodes: [A], period: P, value: V, frequency: month}\n"
    with pytest.raises(BadYaml, match="expected one of table, tables, observations, panel, events"):
        parse_mapping(LEADS + panel)


def test_two_sources_of_one_name_are_refused() -> None:
    double = LEADS + LEADS.split("sources:\n")[1]
    with pytest.raises(BadYaml, match="two sources are named 'leads'"):
        parse_mapping(double)


def test_column_with_two_origins_is_refused() -> None:
    with pytest.raises(BadYaml, match="came from and constant"):
        parse_mapping(LEADS + "      channel: {from: Source, constant: web}\n")


def test_missing_mapping_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadYaml, match=r"nothing\.yaml: no such file"):
        read_mapping(tmp_path / "nothing.yaml")


def test_pattern_without_a_year_and_unknown_zone_are_refused_with_their_lines() -> None:
    with pytest.raises(BadYaml, match=r"line 10: .*has no year"):
        parse_mapping(LEADS.replace("D/M/YYYY", "D/M"))
    with pytest.raises(BadYaml, match=r"line 2: .*expected an IANA time zone"):
        parse_mapping(LEADS.replace("currency: EUR", "time_zone: Paris"))


def test_key_that_is_no_word_is_refused_with_its_line() -> None:
    with pytest.raises(BadYaml, match=r"line 11: expected a word as key"):
        parse_mapping(LEADS + "      ? [a, b]\n      : c\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sources:", "sources: {}\nnothing:", "expected a list, one entry a line"),
        ("columns:", "columns: [a]\n    other:", "expected a block of `name: value` lines"),
        ("EUR", "rmb", "three capital letters such as CNY"),
    ],
)
def test_slip_is_named_in_the_words_of_the_file(old: str, new: str, words: str) -> None:
    with pytest.raises(BadYaml) as caught:
        parse_mapping(LEADS.replace(old, new, 1))
    assert words in str(caught.value)
    assert "Input should" not in str(caught.value)


def test_setting_without_effect_on_its_column_is_refused() -> None:
    mapping = "sources:\n  - {name: a, file: a.csv, table: reps, columns: {rep_id: {from: id, unit: 万}}}\n"
    with pytest.raises(BadYaml, match=r"sources\[a\].columns.rep_id.unit: unit has no meaning for text columns"):
        parse_mapping(mapping)
