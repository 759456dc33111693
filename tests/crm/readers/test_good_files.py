"""Forty good but nasty files: every one is read exactly, nothing is rejected, nothing guessed."""

import codecs
import gzip

import pytest

from crm.mapping_sources import SourceSpec
from crm.readers.source import read_source

PLAIN = [["1", "Ada", "x"], ["2", "Bob", "y"]]
WIDE = [str(number) for number in range(500)]


def cells(*records):
    return [list(record) for record in records]


# name: (content, options, expected records)
GOOD = {
    "plain": (b"id,name,note\n1,Ada,x\n2,Bob,y\n", {}, PLAIN),
    "byte order mark": (codecs.BOM_UTF8 + b"id,name,note\n1,Ada,x\n2,Bob,y\n", {}, PLAIN),
    "windows line ends": (b"id,name,note\r\n1,Ada,x\r\n2,Bob,y\r\n", {}, PLAIN),
    "mixed line ends": (b"id,name,note\r\n1,Ada,x\n2,Bob,y\r\n", {}, PLAIN),
    "no last line end": (b"id,name,note\n1,Ada,x\n2,Bob,y", {}, PLAIN),
    "no last line end after a quote": (b'id,name,note\n1,Ada,x\n2,Bob,"y"', {}, PLAIN),
    "blank lines at the end": (b"id,name,note\n1,Ada,x\n2,Bob,y\n\n\r\n,,\n", {}, PLAIN),
    "semicolon": (b"id;name;note\n1;Ada;x\n2;Bob;y\n", {}, PLAIN),
    "tab": (b"id\tname\tnote\n1\tAda\tx\n2\tBob\ty\n", {}, PLAIN),
    "bar": (b"id|name|note\n1|Ada|x\n2|Bob|y\n", {}, PLAIN),
    "stated delimiter beside another": (b"id;name, first;note\n1;Ada;x\n2;Bob;y\n", {"delimiter": ";"}, PLAIN),
    "delimiter inside a quoted name": (b'id,"name; or so",note\n1,Ada,x\n2,Bob,y\n', {}, PLAIN),
    "a delimiter of its own": (b"id^name^note\n1^Ada^x\n2^Bob^y\n", {"delimiter": "^"}, PLAIN),
    "lines before the header": (b"Export 2026\n\nid,name,note\n1,Ada,x\n2,Bob,y\n", {"skip_rows": 2}, PLAIN),
    "no header": (b"1,Ada,x\n2,Bob,y\n", {"header_rows": 0}, PLAIN),
    "two header rows": (b"Person,,\nid,name,note\n1,Ada,x\n2,Bob,y\n", {"header_rows": 2}, PLAIN),
    "all quoted": (b'"id","name","note"\n"1","Ada","x"\n"2","Bob","y"\n', {}, PLAIN),
    "gzip": (gzip.compress(b"id,name,note\n1,Ada,x\n2,Bob,y\n"), {"file": "f.csv.gz"}, PLAIN),
    "gzip of two members": (
        gzip.compress(b"id,name,note\n1,Ada,") + gzip.compress(b"x\n2,Bob,y\n"),
        {"file": "f.csv.gz"},
        PLAIN,
    ),
    "header only": (b"id,name,note\n", {}, []),
    "header only without line end": (b"id,name,note", {}, []),
    "one column": (b"id\n0007\nNA\n", {}, cells(["0007"], ["NA"])),
    "one record": (b"id,name\n1,Ada\n", {}, cells(["1", "Ada"])),
    "quoted delimiters": (b'id,name\n1,"Smith, Ada"\n', {}, cells(["1", "Smith, Ada"])),
    "quoted quotes": (b'id,name\n1,"Ada ""the"" Smith"\n2,""""\n', {}, cells(["1", 'Ada "the" Smith'], ["2", '"'])),
    "quoted line ends": (b'id,name\n1,"a\nb\r\nc\n\nd"\n2,x\n', {}, cells(["1", "a\nb\r\nc\n\nd"], ["2", "x"])),
    "a record inside a quoted cell": (b'id,name\n1,"a\n2,b\n3,c"\n', {}, cells(["1", "a\n2,b\n3,c"])),
    "leading zeros": (b"id,n\n0007,007.50\n", {}, cells(["0007", "007.50"])),
    "keys like numbers": (
        b"id,n\n1E5,0x10\n12345678901234567890,1_000\n",
        {},
        cells(["1E5", "0x10"], ["12345678901234567890", "1_000"]),
    ),
    "names like nulls": (
        b"id,n\n1,NA\n2,Null\n3,None\n4,NaN\n5,nan\n",
        {},
        cells(["1", "NA"], ["2", "Null"], ["3", "None"], ["4", "NaN"], ["5", "nan"]),
    ),
    "names like other types": (
        b"id,n\n1,True\n2,inf\n3,2026-01-01\n4,=1+1\n5,-\n",
        {},
        cells(["1", "True"], ["2", "inf"], ["3", "2026-01-01"], ["4", "=1+1"], ["5", "-"]),
    ),
    "spaces kept": (b"id,n\n 1 ,  two  words \n", {}, cells([" 1 ", "  two  words "])),
    "non-breaking space kept": ("id,n\n1,a\u00a0b\u202fc\n".encode(), {}, cells(["1", "a\u00a0b\u202fc"])),
    "odd line separators are letters": (
        "id,n\n1,a\u2028b\u0085c\x0bd\x0ce\x1cf\n".encode(),
        {},
        cells(["1", "a\u2028b\u0085c\x0bd\x0ce\x1cf"]),
    ),
    "chinese, emoji, accents": (
        "id,名称\n1,张伟 👩‍💻 São Ünïcode ÀÉ\n".encode(),
        {},
        cells(["1", "张伟 👩‍💻 São Ünïcode ÀÉ"]),
    ),
    "gbk": ("编号,名称\n1,联通\n2,张伟\n".encode("gbk"), {"encoding": "gbk"}, cells(["1", "联通"], ["2", "张伟"])),
    "gb18030": ("编号,名称\n1,𠮷\n".encode("gb18030"), {"encoding": "gb18030"}, cells(["1", "𠮷"])),
    "latin-1": (
        "id,n\n1,Müller\n2,São\n".encode("latin-1"),
        {"encoding": "latin-1"},
        cells(["1", "Müller"], ["2", "São"]),
    ),
    "windows-1252": ("id,n\n1,€ – “x”\n".encode("cp1252"), {"encoding": "cp1252"}, cells(["1", "€ – “x”"])),
    "utf-16 when stated": ("id,n\n1,张伟\n".encode("utf-16"), {"encoding": "utf-16"}, cells(["1", "张伟"])),
    "utf-16 with mark and stated order": (
        "\ufeffid,n\n1,张伟\n".encode("utf-16-le"),
        {"encoding": "utf-16-le"},
        cells(["1", "张伟"]),
    ),
    "gb18030 with mark": ("\ufeffid,n\n1,x\n".encode("gb18030"), {"encoding": "gb18030"}, cells(["1", "x"])),
    "a cell of a million letters": (
        b'id,n\n1,"' + b"x" * 1_000_000 + b'"\n2,' + b"y" * 900_000 + b"\n",
        {},
        cells(["1", "x" * 1_000_000], ["2", "y" * 900_000]),
    ),
    "five hundred columns": (
        ",".join(f"c{n}" for n in range(500)).encode() + b"\n" + ",".join(WIDE).encode() + b"\n",
        {},
        [WIDE],
    ),
    "a customer named Total": (b"name,city,n\nTotal,Paris,1\n", {}, cells(["Total", "Paris", "1"])),
    "an empty column without name": (b"id,name,,\n1,Ada,,\n2,Bob,,\n", {}, cells(["1", "Ada"], ["2", "Bob"])),
    "text that begins like JSON": (b"[id],name\n1,{x}\n", {}, cells(["1", "{x}"])),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_file_is_read_exactly(tmp_path, name):
    content, options, expected = GOOD[name]
    options = {"file": "f.csv", **options}
    (tmp_path / options["file"]).write_bytes(content)
    raw = read_source(SourceSpec(name="good", **options), tmp_path)
    assert [list(row.values()) for row in raw.rows.to_pylist()] == expected
    assert raw.rejects == ()
    assert len(raw.line) == len(expected)
    assert not any(name.startswith("\ufeff") for name in raw.rows.column_names)


def test_there_are_at_least_forty_kinds():
    assert len(GOOD) >= 40


def test_cells_across_blocks_are_joined(tmp_path):
    wide = "é" * 700_001
    content = f'id,a,b\n1,"{wide}\n{wide}",x\n2,"{wide}",y\n'.encode()
    (tmp_path / "f.csv").write_bytes(content)
    raw = read_source(SourceSpec(name="good", file="f.csv"), tmp_path)
    assert raw.rows.column("a").to_pylist() == [f"{wide}\n{wide}", wide]
    assert raw.line.tolist() == [2, 4]


def test_names_of_two_header_rows_are_joined(tmp_path):
    (tmp_path / "f.csv").write_bytes(b"Customer,,Paid\nid,name,\n1,Ada,3\n")
    raw = read_source(SourceSpec(name="good", file="f.csv", header_rows=2), tmp_path)
    assert raw.rows.column_names == ["Customer / id", "Customer / name", "Paid"]
