"""Excel workbooks."""

import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.excel import read_excel
from crm.readers.source import read_source

MOMENT = datetime(2026, 1, 31, 8, 30)  # noqa: DTZ001 - Excel has no zones


def workbook(folder, rows, merged=(), sheets=("Leads",)):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = sheets[0]
    for row in rows:
        sheet.append(row)
    for area in merged:
        sheet.merge_cells(area)
    for name in sheets[1:]:
        book.create_sheet(name).append(["other"])
    path = folder / "leads.xlsx"
    book.save(path)
    return path


def read(path, **options):
    return read_excel(path, SourceSpec(name="leads", file=path.name, **options))


def test_cells_keep_their_types(tmp_path):
    path = workbook(
        tmp_path,
        [
            ["id", "n", "share", "day", "seen", "open", "mixed", "none"],
            ["0007", 1, 0.5, datetime(2026, 1, 31), MOMENT, True, 7, None],  # noqa: DTZ001
            ["1E5", 2, 1, datetime(2026, 2, 28), None, False, "0007", None],  # noqa: DTZ001
            ["NA", None, 2, None, None, None, 17850.0, " "],
        ],
    )
    raw = read(path)
    assert raw.rows.to_pydict() == {
        "id": ["0007", "1E5", "NA"],
        "n": [1, 2, None],
        "share": [0.5, 1.0, 2.0],
        "day": [date(2026, 1, 31), date(2026, 2, 28), None],
        "seen": [MOMENT, None, None],
        "open": [True, False, None],
        "mixed": ["7", "0007", "17850"],
        "none": [None, None, None],
    }
    types = [str(raw.rows.schema.field(name).type) for name in ("n", "day", "seen")]
    assert types == ["int64", "date32[day]", "timestamp[us]"]
    assert raw.line.tolist() == [2, 3, 4]


def test_merged_header_and_merged_cells_fill_their_range(tmp_path):
    path = workbook(
        tmp_path,
        [
            ["Report of January"],
            [],
            ["Customer", None, "Amount", None, "Note"],
            ["Id", "Name", "Net", "Gross", None],
            ["A1", "Ada", 10, 11, "x"],
            [None, None, 20, 22, "y"],
            ["B1", "Bob", 30, 33, "z"],
        ],
        merged=("A1:E1", "A3:B3", "C3:D3", "E3:E4", "A5:A6", "B5:B6"),
    )
    raw = read(path, skip_rows=2, header_rows=2)
    assert raw.rows.column_names == ["Customer / Id", "Customer / Name", "Amount / Net", "Amount / Gross", "Note"]
    assert raw.rows.column("Customer / Id").to_pylist() == ["A1", "A1", "B1"]
    assert raw.rows.column("Customer / Name").to_pylist() == ["Ada", "Ada", "Bob"]
    assert raw.line.tolist() == [5, 6, 7]


def test_rows_that_are_no_records_are_rejected_by_row(tmp_path):
    path = workbook(
        tmp_path,
        [
            ["id", "n", "m"],
            ["1", 1, 1],
            ["North", None, None],
            [],
            ["id", "n", "m"],
            ["2", "#REF!", 1],
            ["3", "=1+1", 1],
            ["4", 4, 4, "beside"],
            ["5", 5, 5],
            ["Total", 6, None],
        ],
        merged=("A3:C3",),
    )
    raw = read(path)
    assert raw.rows.column("id").to_pylist() == ["1", "5"]
    assert [(reject.line, reject.column) for reject in raw.rejects] == [
        (3, ""),
        (4, ""),
        (5, ""),
        (6, "n"),
        (7, "n"),
        (8, ""),
        (10, ""),
    ]
    assert "result of the formula is not stored" in raw.rejects[4].reason


def test_missing_words_hold_for_texts_and_whole_numbers(tmp_path):
    path = workbook(tmp_path, [["a", "b"], ["Select", 999], ["x", 1]])
    assert read(path, missing=("Select", "999")).rows.to_pydict() == {"a": [None, "x"], "b": [None, 1]}


def test_the_sheet_is_chosen_by_name_or_number(tmp_path):
    path = workbook(tmp_path, [["id"], ["1"]], sheets=("Leads", "Other"))
    assert read(path, sheet="Leads").rows.num_rows == 1
    assert read(path, sheet=1).rows.num_rows == 1
    with pytest.raises(BadSource, match="state `sheet:`; the workbook holds 'Leads', 'Other'"):
        read(path)
    with pytest.raises(BadSource, match="there is no sheet 'Absent'"):
        read(path, sheet="Absent")


def test_an_empty_sheet_and_a_header_only_sheet(tmp_path):
    assert read(workbook(tmp_path, [["id", "n"]])).rows.num_rows == 0
    with pytest.raises(BadSource, match="row 1 holds no header"):
        read(workbook(tmp_path, []))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["id", "id"], [1, 2]], "repeats 'id'"),
        ([["id", None, "n"], [1, 2, 3]], "column 2 of the header has no name"),
        ([[None], ["id", "n"], [1, 2]], "row 1 holds no header"),
    ],
)
def test_unusable_headers_are_refused(tmp_path, rows, message):
    with pytest.raises(BadSource, match=message):
        read(workbook(tmp_path, rows))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "leads.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 60_000_000)
    with pytest.raises(BadSource, match="unpacks to 60,000,004 bytes"):
        read(path)


def damaged(folder, change):
    """The workbook with the text of its sheet changed."""
    path = workbook(folder, [["id", "n"], ["1", 1], ["2", 2]], merged=("A2:A3",))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, change(content) if name.endswith("sheet1.xml") else content)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xml: xml[: len(xml) // 2], "no readable workbook"),
        (lambda xml: xml.replace(b'r="A2"', b'r="??"'), "no readable workbook"),
        (lambda xml: xml.replace(b'ref="A2:A3"', b'ref="rubbish"'), "no readable workbook"),
        (lambda xml: b'<!DOCTYPE x [<!ENTITY a "b">]>' + xml, "declares XML entities"),
        (lambda xml: b"", "no readable workbook"),
    ],
)
def test_a_damaged_workbook_is_refused(tmp_path, change, message):
    with pytest.raises(BadSource, match=message):
        read(damaged(tmp_path, change))


def test_a_merged_range_beyond_the_sheet_costs_nothing(tmp_path):
    path = damaged(tmp_path, lambda xml: xml.replace(b'ref="A2:A3"', b'ref="A2:XFD1048576"'))
    raw = read(path)
    assert raw.rows.num_rows == 0
    assert [reject.line for reject in raw.rejects] == [2, 3]


def test_a_cut_workbook_is_refused(tmp_path):
    path = workbook(tmp_path, [["id", "n"], ["1", 1]])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadSource, match=r"expected Excel|no readable workbook"):
        read(path)


def test_a_workbook_is_read_through_the_child(tmp_path):
    workbook(tmp_path, [["id", "n", "line"], ["0007", 1, "a"], ["8", "#N/A", "b"]])
    raw = read_source(SourceSpec(name="leads", file="leads.xlsx"), tmp_path)
    assert raw.rows.to_pylist() == [{"id": "0007", "n": 1, "line": "a"}]
    assert raw.line.tolist() == [2]
    assert [(reject.line, reject.column) for reject in raw.rejects] == [(3, "n")]
