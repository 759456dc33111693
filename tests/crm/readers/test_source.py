"""Finding the files of a source, and the child that parses them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import crm
from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers import sandbox
from crm.readers.source import read_source


def read(folder, file, **options):
    return read_source(SourceSpec(name="s", file=file, **options), folder)


def test_files_of_a_glob_follow_each_other_by_name(tmp_path):
    (tmp_path / "b.csv").write_text("n,id\n2,b\n3\n")
    (tmp_path / "a.csv").write_text("id,n\na,1\n")
    (tmp_path / "_partial.csv").write_text("rubbish")
    raw = read(tmp_path, "*.csv")
    assert raw.rows.column_names == ["id", "n"]
    assert raw.rows.to_pylist() == [{"id": "a", "n": "1"}]
    assert raw.parts == (("a.csv", 1), ("b.csv", 0))
    assert [(reject.line, reject.reason.split(":")[0]) for reject in raw.rejects] == [(2, "b.csv"), (3, "b.csv")]


def test_a_row_knows_its_file(tmp_path):
    (tmp_path / "a.csv").write_text("id,n\na,1\nb,2\n")
    (tmp_path / "b.csv").write_text("id,n\nc,3\n")
    raw = read(tmp_path, "*.csv")
    assert [raw.file_of(row) for row in range(3)] == ["a.csv", "a.csv", "b.csv"]
    assert raw.line.tolist() == [2, 3, 2]


def test_files_of_other_columns_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("id,n\na,1\n")
    (tmp_path / "b.csv").write_text("id,m\nb,2\n")
    with pytest.raises(BadSource, match=r"b\.csv: its columns differ from those of a\.csv \('m', 'n'\)"):
        read(tmp_path, "*.csv")


def test_a_folder_of_parts_is_read_when_it_is_finished(tmp_path):
    parts = tmp_path / "leads.csv"
    parts.mkdir()
    for name in ("part-0.csv", "part-1.csv"):
        (parts / name).write_text("id,n\na,1\n")
    (parts / "_SUCCESS").write_text("")
    assert read(tmp_path, "leads.csv").rows.num_rows == 2
    (parts / "_temporary").mkdir()
    with pytest.raises(BadSource, match="has not finished"):
        read(tmp_path, "leads.csv")


def test_partitions_are_text_columns(tmp_path):
    for part, key in (("region=01", "a"), ("region=%E5%8C%97", "b"), ("region=__HIVE_DEFAULT_PARTITION__", "c")):
        (tmp_path / "leads.csv" / part).mkdir(parents=True)
        (tmp_path / "leads.csv" / part / "part-0.csv").write_text(f"id,n\n{key},1\n")
    rows = read(tmp_path, "leads.csv").rows.sort_by("id")
    assert rows.column("region").to_pylist() == ["01", "北", None]
    (tmp_path / "leads.csv" / "n=1").mkdir()
    (tmp_path / "leads.csv" / "n=1" / "part-0.csv").write_text("id,n\nd,1\n")
    with pytest.raises(BadSource, match="column 'n' is in the file and in the name of its folder"):
        read(tmp_path, "leads.csv")


def test_an_absent_file_is_refused_with_what_is_there(tmp_path):
    (tmp_path / "other.csv").write_text("x")
    with pytest.raises(BadSource, match=r"leads\.csv: no such file in the data folder \(it holds other\.csv\)"):
        read(tmp_path, "leads.csv")
    with pytest.raises(BadSource, match="no such file"):
        read(tmp_path, "*.tsv")
    with pytest.raises(BadSource, match="the folder does not exist"):
        read(tmp_path / "absent", "leads.csv")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.csv").write_text("id,n\n1,2\n")
    (tmp_path / "data" / "leads.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(BadSource, match="points outside the data folder"):
        read(tmp_path / "data", "leads.csv")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "leads.csv"
    path.write_text("id,n\n1,2\n")
    monkeypatch.setattr("crm.readers.source.read_delimited", lambda path, source: path.write_text("id,n\n1,2\n3,4\n"))
    with pytest.raises(BadSource, match="changed while it was read"):
        read(tmp_path, "leads.csv")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "the parser stopped \\(SIGSEGV\\)"),
        ("raise SystemExit(3)", "the parser stopped \\(exit code 3\\)"),
        ("pass", "the parser stopped"),
        ("import time; time.sleep(60)", "could not be read within"),
    ],
)
def test_a_dead_child_is_a_refused_file(tmp_path, monkeypatch, body, message):
    (tmp_path / "leads.parquet").write_bytes(b"PAR1")
    program = tmp_path / "python"
    program.write_text(f"#!/usr/bin/env python3\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sandbox.sys, "executable", str(program))
    options = {"limits": {"seconds": 1}} if "sleep" in body else {}
    with pytest.raises(BadSource, match=rf"^leads\.parquet: .*{message}"):
        read(tmp_path, "leads.parquet", **options)


def test_the_child_is_bounded():
    program = "from crm.readers.child import limit_resources; limit_resources(seconds=5); bytearray(8 << 30)"
    root = Path(crm.__file__).parent.parent
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=False)
    assert b"MemoryError" in ended.stderr
