"""Broken files: each is refused whole, or the record at fault is named; the sound records stay as they are."""

import importlib.util
from pathlib import Path

import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.source import read_source

_SPEC = importlib.util.spec_from_file_location("broken_files", Path(__file__).with_name("broken_files.py"))
KINDS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(KINDS)
HEAD, SOUND, REFUSED, REJECTED = KINDS.HEAD, KINDS.SOUND, KINDS.REFUSED, KINDS.REJECTED
NAMES = ["1", "2", "3"]


def put(folder, file, content, options):
    (folder / file).write_bytes(content)
    return read_source(SourceSpec(name="broken", file=file, **options), folder)


@pytest.mark.parametrize("name", REFUSED)
def test_broken_file_is_refused_with_the_place(tmp_path, name):
    file, content, options, message = REFUSED[name]
    with pytest.raises(BadSource, match=message) as refused:
        put(tmp_path, file, content, options)
    shown = str(refused.value)
    assert shown.startswith(file + ":")
    assert str(tmp_path) not in shown
    assert "Ada" not in shown
    assert len(shown) < 400


@pytest.mark.parametrize("name", REJECTED)
def test_broken_record_is_named_and_the_others_stay(tmp_path, name):
    content, options, lines, reason = REJECTED[name]
    raw = put(tmp_path, "f.csv", content, options)
    assert raw.rows.column("id").to_pylist() == NAMES
    assert [reject.line for reject in raw.rejects] == lines
    assert reason in raw.rejects[-1].reason
    assert all(reject.source == "broken" and reject.value == "" for reject in raw.rejects)


def test_there_are_at_least_sixty_kinds():
    assert len(REFUSED) + len(REJECTED) >= 60


def test_what_one_cell_in_a_line_may_have_been_cut_from_is_rejected_too(tmp_path):
    raw = put(tmp_path, "f.csv", HEAD + b"1,Ada,10\n2,Bob,2\n0\n3,Cem,30\n4,Eve,40\n", {})
    assert raw.rows.column("id").to_pylist() == ["1", "4"]
    assert [reject.line for reject in raw.rejects] == [3, 4, 5]


def test_every_column_of_a_damaged_record_is_named_by_its_header(tmp_path):
    raw = put(tmp_path, "f.csv", HEAD + "9,Eve,Ã¼\n".encode() + SOUND, {})
    assert [(reject.line, reject.column) for reject in raw.rejects] == [(2, "n")]


def test_too_many_rejects_refuse_the_file(tmp_path):
    with pytest.raises(BadSource, match="more than 100,000 records at fault"):
        put(tmp_path, "f.csv", HEAD + SOUND + b"1,2\n" * 100_001, {})
