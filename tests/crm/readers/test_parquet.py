"""Parquet files."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.parquet import read_parquet
from crm.readers.source import read_source

SOUND = pa.table({"id": ["0007", "1E5"], "n": [1, 2]})


def read(folder, table, **options):
    pq.write_table(table, folder / "f.parquet")
    return read_parquet(folder / "f.parquet", SourceSpec(name="s", file="f.parquet", **options))


def test_types_are_kept_and_made_plain(tmp_path):
    moment = datetime(2026, 1, 31, 8, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array(["0007", ""]),
            "big": pa.array([2**63 - 1, 2**53 + 1]),
            "key": pa.array([2**64 - 1, 1], pa.uint64()),
            "small": pa.array([1.5, float("nan")], pa.float32()),
            "amount": pa.array([Decimal("1.1000000000"), None], pa.decimal128(38, 10)),
            "day": pa.array([date(2026, 1, 31), None]),
            "seen": pa.array([moment, None], pa.timestamp("ns", "Asia/Shanghai")),
            "word": pa.array(["a", "NA"]).dictionary_encode(),
            "large": pa.array(["x", None], pa.large_string()),
            "tags": pa.array([["a", "b"], None]),
            "none": pa.nulls(2),
        }
    )
    raw = read(tmp_path, table, missing=("NA",))
    assert raw.rows.to_pydict() == {
        "id": ["0007", None],
        "big": [2**63 - 1, 2**53 + 1],
        "key": ["18446744073709551615", "1"],
        "small": [1.5, None],
        "amount": [Decimal("1.1"), None],
        "day": [date(2026, 1, 31), None],
        "seen": [moment, None],
        "word": ["a", None],
        "large": ["x", None],
        "tags": [["a", "b"], None],
        "none": [None, None],
    }
    assert raw.line.tolist() == [1, 2]


def test_infinity_and_dates_beyond_the_calendar_are_rejects(tmp_path):
    table = pa.table(
        {
            "id": ["a", "b", "c", "d", "e"],
            "x": [float("inf"), 1.0, float("-inf"), 1.0, 1.0],
            "day": pa.array(np.array([0, 2**31 - 1, 0, 0, 0], np.int32), pa.int32()).cast(pa.date32()),
            "seen": pa.array([0, 0, 0, 2**62, 0], pa.timestamp("us")),
        }
    )
    raw = read(tmp_path, table)
    assert raw.rows.column("id").to_pylist() == ["e"]
    assert raw.line.tolist() == [5]
    assert [(reject.line, reject.column) for reject in raw.rejects] == [(1, "x"), (2, "day"), (3, "x"), (4, "seen")]


ODD = [
    pa.array([{"a": 1}]),
    pa.array([b"x"]),
    pa.array([[1]]),
    pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
]


@pytest.mark.parametrize("column", ODD)
def test_nested_and_binary_columns_are_refused_by_name(tmp_path, column):
    with pytest.raises(BadSource, match="column 'odd' holds"):
        read(tmp_path, pa.table({"id": ["1"], "odd": column}))


def test_repeated_names_and_limits_are_refused(tmp_path):
    with pytest.raises(BadSource, match="repeats 'id'"):
        read(tmp_path, pa.table([pa.array([1]), pa.array([2])], names=["id", "id"]))
    with pytest.raises(BadSource, match="2 rows; expected at most 1"):
        read(tmp_path, SOUND, limits={"max_rows": 1})
    with pytest.raises(BadSource, match="2 columns; expected at most 1"):
        read(tmp_path, SOUND, limits={"max_columns": 1})
    with pytest.raises(BadSource, match="unpacks to more than 10 bytes"):
        read(tmp_path, SOUND, limits={"max_bytes": 10})


def test_no_rows_are_no_fault(tmp_path):
    assert read(tmp_path, SOUND.slice(0, 0)).rows.num_rows == 0


def test_a_bomb_is_stopped_long_before_memory_is_full(tmp_path):
    row_group = pa.table({"a": pa.array(["x" * 2_000] * 100_000)})
    with pq.ParquetWriter(tmp_path / "f.parquet", row_group.schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(row_group)
    assert (tmp_path / "f.parquet").stat().st_size < 2_000_000
    with pytest.raises(BadSource, match="more than 1000 times its size"):
        read_source(SourceSpec(name="s", file="f.parquet"), tmp_path)


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "footer lost": lambda content: content[:-8],
    "footer length lies": lambda content: content[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1",
    "footer rubbish": lambda content: content[:-60] + b"\xff" * 52 + content[-8:],
    "pages zeroed": lambda content: content[:4] + b"\0" * 80 + content[84:],
    "encrypted": lambda content: b"PARE" + content[4:-4] + b"PARE",
    "magic only": lambda content: b"PAR1",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused(tmp_path, damage):
    pq.write_table(SOUND, tmp_path / "whole.parquet", compression="none")
    (tmp_path / "f.parquet").write_bytes(DAMAGES[damage]((tmp_path / "whole.parquet").read_bytes()))
    # Each damage once in this process, to see that it is refused and not survived by the child's death alone.
    with pytest.raises(BadSource, match=r"^f\.parquet: "):
        read_parquet(tmp_path / "f.parquet", SourceSpec(name="s", file="f.parquet"))


def test_a_damaged_file_is_refused_through_the_child(tmp_path):
    pq.write_table(SOUND, tmp_path / "whole.parquet")
    (tmp_path / "f.parquet").write_bytes(DAMAGES["footer rubbish"]((tmp_path / "whole.parquet").read_bytes()))
    with pytest.raises(BadSource, match=r"^f\.parquet: no readable Parquet"):
        read_source(SourceSpec(name="s", file="f.parquet"), tmp_path)
