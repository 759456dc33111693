"""Broken files by kind, each with what has to be said of it; tests of the reader and of ingest take them."""

import gzip
import io
import zipfile

HEAD = b"id,name,n\n"
SOUND = b"1,Ada,10\n2,Bob,20\n3,Cem,30\n"


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, HEAD)
    return buffer.getvalue()


# name: (file, content, options, what the message says)
REFUSED = {
    "empty": ("f.csv", b"", {}, "the file is empty"),
    "empty gzip": ("f.csv.gz", gzip.compress(b""), {}, "the file is empty"),
    "blank": ("f.csv", b"\n\n\n", {}, "header is blank"),
    "only delimiters": ("f.csv", b",,,\n,,,\n", {}, "header is blank"),
    "repeated column": ("f.csv", b"id,name,id\n1,Ada,2\n", {}, r"repeats 'id' \(columns 1, 3\)"),
    "blank column": ("f.csv", b"id,,n\n1,Ada,2\n", {}, "column 2 of the header has no name"),
    "value under no name": ("f.csv", b"id,name,\n1,Ada,\n2,Bob,x\n", {}, "line 3 has a value under a column"),
    "two delimiters in the header": ("f.csv", b"id;name,n\n1;Ada,2\n", {}, "delimiter is unclear"),
    "another delimiter than stated": ("f.csv", HEAD + SOUND, {"delimiter": ";"}, "the header shows ','"),
    "every record too long": ("f.csv", HEAD + b"1,Ada,10,\n2,Bob,20,\n", {}, "none of 2 records has the header's 3"),
    "every record too short": ("f.csv", HEAD + b"1,Ada\n2,Bob\n", {}, "none of 2 records"),
    "comment above the header": ("f.csv", b"# exported\n" + HEAD + SOUND, {}, "none of 4 records"),
    "header cut by a line break": ("f.csv", b"id,name,n\new\n" + SOUND, {}, "line 2 has one cell right under"),
    "utf-16": ("f.csv", "id,name\n1,Ada\n".encode("utf-16"), {}, "is UTF-16, expected utf-8"),
    "utf-16 without mark": ("f.csv", "id,name\n1,Ada\n".encode("utf-16-le"), {}, "line 1 holds a NUL byte"),
    "utf-32": ("f.csv", "id,name\n1,Ada\n".encode("utf-32-be"), {}, "NUL byte"),
    "gbk read as utf-8": ("f.csv", "id,name\n1,张伟\n".encode("gbk"), {}, r"byte 10 \(line 2\).*gbk"),
    "latin-1 read as utf-8": (
        "f.csv",
        "id,name\n1,Müller\n".encode("latin-1"),
        {},
        r"\(line 2\) is not utf-8; perhaps",
    ),
    "mixed encodings": (
        "f.csv",
        "id,n\n1,张\n".encode() + "2,张伟\n".encode("gbk"),
        {},
        r"byte 13 \(line 3\).*may mix",
    ),
    "cut utf-8": ("f.csv", "id,n\n1,张".encode()[:-1], {}, r"byte 7 \(line 2\) is not utf-8"),
    "overlong utf-8": ("f.csv", b"id,n\n1,\xc0\xaf\n", {}, "is not utf-8"),
    "surrogate in utf-8": ("f.csv", b"id,n\n1,\xed\xa0\x80\n", {}, "is not utf-8"),
    "utf-8 read as latin-1": ("f.csv", "id,n\n1,Müller\n".encode(), {"encoding": "latin-1"}, "the file is UTF-8"),
    "utf-8 read as gbk": ("f.csv", "id,n\n1,张伟公司\n".encode(), {"encoding": "gbk"}, "the file is UTF-8"),
    "utf-8 with mark read as gbk": ("f.csv", b"\xef\xbb\xbfid,n\n1,x\n", {"encoding": "gbk"}, "the file is UTF-8"),
    "latin-1 read as gbk": ("f.csv", "id,n\n1,Müller é\n".encode("latin-1"), {"encoding": "gbk"}, "not gbk"),
    "chinese read as ascii": ("f.csv", "id,n\n1,张\n".encode(), {"encoding": "ascii"}, "state `encoding: utf-8`|ascii"),
    "nul in a cell": ("f.csv", HEAD + b"1,A\0da,10\n", {}, "line 2 holds a NUL byte"),
    "nul block at the end": ("f.csv", HEAD + SOUND + b"\0" * 4096, {}, "line 5 holds a NUL byte"),
    "lone carriage returns": ("f.csv", b"id,name\r1,Ada\r2,Bob\r", {}, "carriage return without line feed"),
    "one lone carriage return": ("f.csv", HEAD + b"1,A\rda,10\n" + SOUND, {}, "line 2 holds a carriage return"),
    "lone return beside quotes": ("f.csv", HEAD + b'1,"A",1\r0\n' + SOUND, {}, "line 2 holds a carriage return"),
    "unclosed quote": ("f.csv", HEAD + b'1,"Ada,10\n2,Bob,20\n', {}, "quote opened in line 2 is never closed"),
    "unclosed quote after a line break": ("f.csv", HEAD + b'1,"A\nB","C\n2,x,y\n', {}, "opened in line 3 is never"),
    "unclosed quote met by another": ("f.csv", HEAD + b'1,"Ada,10\n2,"Bob",20\n', {}, "line 3, character 3.*line 2"),
    "quote inside a bare cell": (
        "f.csv",
        HEAD + b'1,19" screen,10\n' + SOUND,
        {},
        "line 2, character 5: a quote stands",
    ),
    "text after a closing quote": ("f.csv", HEAD + b'1,"Ada"x,10\n' + SOUND, {}, "line 2, character 8"),
    "space before a quote": ("f.csv", HEAD + b'1, "Ada, B",10\n' + SOUND, {}, "line 2, character 4"),
    "backslash before a quote": ("f.csv", HEAD + b'1,"A \\"B\\" C",10\n' + SOUND, {}, "line 2"),
    "lost opening quote": ("f.csv", HEAD + b'1,Ada\n4,Eve,40\nB",10\n', {}, "line 4"),
    "gzip that is text": ("f.csv.gz", HEAD + SOUND, {}, "name says gzip, but the content is text"),
    "text that is gzip": ("f.csv", gzip.compress(HEAD + SOUND), {}, "rename it to f.csv.gz"),
    "cut gzip": ("f.csv.gz", gzip.compress(HEAD + SOUND)[:-12], {}, "gzip is cut or damaged"),
    "gzip with a false checksum": (
        "f.csv.gz",
        gzip.compress(HEAD + SOUND)[:-8] + b"\0" * 8,
        {},
        "gzip is cut or damaged",
    ),
    "gzip with rubbish behind": ("f.csv.gz", gzip.compress(HEAD + SOUND) + b"rubbish", {}, "gzip is cut or damaged"),
    "gzip bomb": (
        "f.csv.gz",
        gzip.compress(HEAD + (b"1," + b"a" * 99_990 + b",10\n") * 700, 1),
        {},
        "more than 200 times its size",
    ),
    "gzip of HTML": ("f.csv.gz", gzip.compress(b"<html><body>sign in</body></html>"), {}, "the content is HTML"),
    "workbook named csv": ("f.csv", zipped("[Content_Types].xml"), {}, "the content is Excel"),
    "zip named csv": ("f.csv", zipped("f.csv"), {}, "the content is zip"),
    "old workbook named csv": ("f.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, {}, "old or encrypted Excel"),
    "parquet named csv": ("f.csv", b"PAR1" + b"\0" * 99, {}, "the content is Parquet"),
    "sqlite named csv": ("f.csv", b"SQLite format 3\0" + b"\0" * 99, {}, "the content is SQLite"),
    "duckdb named csv": ("f.csv", b"\1" * 8 + b"DUCK" + b"\0" * 99, {}, "the content is DuckDB"),
    "pdf named csv": ("f.csv", b"%PDF-1.7\n", {}, "the content is PDF"),
    "sign-in page named csv": ("f.csv", b"<!DOCTYPE html>\n<html>sign in</html>", {}, "the content is HTML"),
    "xml named csv": ("f.csv", b'<?xml version="1.0"?><rows/>', {}, "the content is HTML"),
    "json named csv": ("f.csv", b'[{"id": 1, "name": "Ada"}]', {}, "the content is JSON"),
    "json error named csv": ("f.csv", b'{"error": "expired"}', {}, "the content is JSON"),
    "large-file pointer": (
        "f.csv",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        {},
        "Git LFS pointer",
    ),
    "csv named xlsx": ("f.xlsx", HEAD + SOUND, {}, "expected Excel .* the content is text"),
    "csv named parquet": ("f.parquet", HEAD + SOUND, {}, "expected Parquet .* the content is text"),
    "csv named duckdb": ("f.duckdb", HEAD + SOUND, {}, "expected DuckDB .* the content is text"),
    "zip named xlsx": ("f.xlsx", zipped("f.csv"), {}, "expected Excel .* the content is zip"),
    "ten thousand columns": ("f.csv", ",".join(f"c{n}" for n in range(10_000)).encode() + b"\n", {}, "10,000 columns"),
    "a million commas": ("f.csv", b"," * 1_000_000 + b"\n", {}, "header is blank"),
    "twenty million letters in a bare cell": (
        "f.csv",
        HEAD + b"1,Ada," + b"x" * 20_000_000,
        {},
        "line 2 is longer than",
    ),
    "twenty million letters in a quoted cell": (
        "f.csv",
        HEAD + b'1,"' + (b"x" * 999 + b"\n") * 20_000 + b'",1\n',
        {},
        "record at line 2",
    ),
    "more bytes than allowed": ("f.csv", HEAD + SOUND, {"limits": {"max_bytes": 20}}, "more than 20 bytes"),
    "more records than allowed": ("f.csv", HEAD + SOUND, {"limits": {"max_rows": 2}}, "more than 2 records"),
    "file ends within the header": ("f.csv", HEAD, {"header_rows": 2}, "ends within its header"),
    "a hundred thousand blank lines": (
        "f.csv",
        HEAD + b"\n" * 200_000 + SOUND,
        {},
        "more than 100,000 records at fault",
    ),
    "fewer lines than skipped": ("f.csv", HEAD, {"skip_rows": 5}, "ends within its header"),
}

# name: (content, options, lines of the rejects, what a reason says); the three sound records stay
REJECTED = {
    "short": (HEAD + b"9,Eve\n" + SOUND, {}, [2], "expected 3 cells as in the header, came 2"),
    "short at the end": (HEAD + SOUND + b"9,Eve", {}, [5], "came 2"),
    "long": (HEAD + b"9,Eve,5,6\n" + SOUND, {}, [2], "came 4"),
    "unquoted comma shifts": (HEAD + b"9,Eve, Inc,5\n" + SOUND, {}, [2], "came 4"),
    "decimal comma shifts": (HEAD + SOUND + b"9,Eve,5,60\n", {}, [5], "came 4"),
    "trailing comma once": (HEAD + SOUND + b"9,Eve,5,\n", {}, [5], "came 4"),
    "two records in one line": (HEAD + SOUND + b"8,Eve,59,Fay,6\n", {}, [5], "came 5"),
    "blank in the middle": (HEAD + b"\n" + SOUND, {}, [2], "blank line"),
    "spaces only": (HEAD + b"   \n" + SOUND, {}, [2], "blank line"),
    "delimiters only": (HEAD + b",,\n" + SOUND, {}, [2], "blank line"),
    "header again": (HEAD + b"1,Ada,10\n" + HEAD + b"2,Bob,20\n3,Cem,30\n", {}, [3], "header stands here again"),
    "total at the foot": (HEAD + SOUND + b"Total,,60\n", {}, [5], "a total, not a record"),
    "total behind a blank line": (HEAD + SOUND + b"\n,Grand total:,60\n\n", {}, [5, 6], "a total, not a record"),
    "chinese total": (HEAD + SOUND + "合计,,60\n".encode(), {}, [5], "a total, not a record"),
    "short total": (HEAD + SOUND + b"Total,60\n", {}, [5], "came 2"),
    "lost letters": (HEAD + SOUND + "9,M\ufffdller,1\n".encode(), {}, [5], "letters damaged"),
    "mojibake": (HEAD + SOUND + "9,MÃ¼ller,1\n".encode(), {}, [5], "letters damaged"),
    "chinese mojibake": (HEAD + SOUND + "9,å¼\xa0ä¼Ÿ,1\n".encode(), {}, [5], "letters damaged"),
    "another file appended": (b"\xef\xbb\xbf" + HEAD + SOUND + b"\xef\xbb\xbf" + HEAD, {}, [5], "files put together"),
    "twice decoded": (HEAD + SOUND + "9,锟斤拷,1\n".encode(), {}, [5], "letters damaged"),
    "long cell": (
        HEAD + SOUND + b"9," + b"x" * 600 + b",1\n",
        {"limits": {"max_field_bytes": 500}},
        [5],
        "at most 500",
    ),
}
