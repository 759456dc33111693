"""Strict reading of delimited text."""

import gzip
from pathlib import Path

import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.source import read_source


def read(folder: Path, content: bytes, name: str = "leads.csv", **options):
    (folder / name).write_bytes(content)
    return read_source(SourceSpec(name="leads", file=name, **options), folder)


def test_keys_and_names_stay_text(tmp_path):
    raw = read(tmp_path, b"id,name\n0007,NA\n1E5,None\n12345678901234567890,True\n")
    assert raw.rows.to_pylist() == [
        {"id": "0007", "name": "NA"},
        {"id": "1E5", "name": "None"},
        {"id": "12345678901234567890", "name": "True"},
    ]
    assert raw.rejects == ()


def test_blank_cells_and_missing_words_become_null(tmp_path):
    raw = read(tmp_path, b"id,a,b\n1,Select, \n2,, x\n", missing=("Select",))
    assert raw.rows.to_pylist() == [{"id": "1", "a": None, "b": None}, {"id": "2", "a": None, "b": " x"}]


def test_line_counts_breaks_inside_quoted_cells(tmp_path):
    raw = read(tmp_path, b'id,note\r\n1,"two\r\nlines"\r\n2,x\r\n')
    assert raw.line.tolist() == [2, 4]
    assert raw.rows.column("note").to_pylist() == ["two\r\nlines", "x"]


def test_empty_last_column_without_name_is_dropped(tmp_path):
    assert read(tmp_path, b"a,b,\n1,2,\n3,4,\n").rows.column_names == ["a", "b"]
    with pytest.raises(BadSource, match="line 3 has a value under a column without name"):
        read(tmp_path, b"a,b,\n1,2,\n3,4,5\n")


def test_gzip_is_read_by_name_and_content(tmp_path):
    assert read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "x.csv.gz").rows.num_rows == 1
    with pytest.raises(BadSource, match="the name says gzip, but the content is text"):
        read(tmp_path, b"a,b\n1,2\n", "x.csv.gz")
