"""Three hundred structural accidents to a sound file: no record appears that the file did not hold."""

import csv
import io
import random

import pytest

from crm.mapping_sources import SourceSpec
from crm.raw import BadSource
from crm.readers.source import read_source

HEADER = ("id", "name", "city", "amount")
RECORDS = [
    ("0001", "Ada", "Paris", "10.50"),
    ("0002", "Smith, Bob", "Oslo", "20"),
    ("0003", "two\nlines", "Rome", "30"),
    ("0004", 'the "big" one', "", "40"),
    ("0005", "a\n9999,fake,record,1\nb", "Bonn", "50"),
    ("0006", "", "", "60"),
    ("0007", "张伟", "上海", "70"),
    ("0008", "NA", "None", "80"),
    ("0009", "'single'", "a|b;c\td", "90"),
    ("0010", "last", "Bern", "100"),
]
# A cut inside the last cell of the last record leaves a shorter cell and a file that is sound in every
# way, and a delimiter or line break put inside quotes is text: those two are changes of values, not of structure.
KINDS = (
    "drop delimiter",
    "drop line break",
    "drop quote",
    "add delimiter",
    "add line break",
    "add quote",
    "add carriage return",
    "add NUL",
    "drop line",
    "repeat line",
    "swap lines",
    "cut",
    "drop cell",
    "add cell",
    "swap delimiter",
    "join lines",
)


def plain_text() -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([HEADER, *RECORDS])
    return buffer.getvalue()


def outside_quotes(text: str) -> list[int]:
    """Places before which something may be put without standing in a quoted cell."""
    places, quoted = [], False
    for at, letter in enumerate(text):
        if not quoted and text[at - 1 : at + 1] != '""':
            places.append(at)
        quoted ^= letter == '"'
    return places


def mutate(kind: str, rng: random.Random) -> str:
    text = plain_text()
    free = outside_quotes(text)
    lines = [",".join(record) + "\n" for record in (HEADER, *RECORDS)]
    lines = [line for line in lines if line in text and '"' not in line]
    pick = rng.choice
    match kind:
        case "drop delimiter" | "drop line break" | "drop quote" | "swap delimiter":
            mark = {"drop line break": "\n", "drop quote": '"'}.get(kind, ",")
            at = pick([at for at in (range(len(text)) if mark == '"' else free) if text[at] == mark])
            return text[:at] + (";" if kind == "swap delimiter" else "") + text[at + 1 :]
        case "add delimiter" | "add line break" | "add quote" | "add carriage return" | "add NUL":
            added = {"add delimiter": ",", "add line break": "\n", "add quote": '"', "add NUL": "\0"}.get(kind, "\r")
            # A carriage return before a line feed is a Windows line end, not an accident.
            at = pick([at for at in free if at and not (added == "\r" and text[at] == "\n")])
            return text[:at] + added + text[at:]
        case "cut":
            return text[: pick([at for at in free if text.rfind(",", 0, at) < text.rfind("\n", 0, at) or at < 20])]
        case "drop line" | "repeat line":
            line = pick(lines)
            return text.replace(line, line * 2 if kind == "repeat line" else "", 1)
        case "swap lines":
            one, other = rng.sample(lines, 2)
            return text.replace(one, "\0", 1).replace(other, one, 1).replace("\0", other, 1)
        case "join lines":
            line = pick(lines)
            return text.replace(line, line.rstrip("\n"), 1)
        case "drop cell" | "add cell":
            line = pick(lines)
            cells = line.rstrip("\n").split(",")
            at = rng.randrange(len(cells))
            cells[at : at + 1] = [] if kind == "drop cell" else [cells[at], "x"]
            return text.replace(line, ",".join(cells) + "\n", 1)
    raise AssertionError(kind)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_structural_accident_invents_a_record(tmp_path, seed):
    rng = random.Random(seed)
    known = {tuple(cell or None for cell in record) for record in RECORDS}
    outcomes = {"refused": 0, "rejected": 0, "read": 0}
    for number in range(320):
        kind = KINDS[number % len(KINDS)]
        text = mutate(kind, rng)
        (tmp_path / "f.csv").write_text(text, encoding="utf-8", newline="")
        try:
            raw = read_source(SourceSpec(name="m", file="f.csv", delimiter=","), tmp_path)
        except BadSource:
            outcomes["refused"] += 1
            continue
        outcomes["rejected" if raw.rejects else "read"] += 1
        if raw.rows.column_names != list(HEADER):
            # Accidents to the header are seen by whoever looks for its columns.
            assert set(raw.rows.column_names) != set(HEADER)
            continue
        invented = {tuple(row.values()) for row in raw.rows.to_pylist()} - known
        assert not invented, (kind, text)
    assert min(outcomes.values()) > 0


def test_the_sound_file_is_read_whole(tmp_path):
    (tmp_path / "f.csv").write_text(plain_text(), encoding="utf-8", newline="")
    rows = read_source(SourceSpec(name="m", file="f.csv"), tmp_path).rows.to_pylist()
    assert [tuple(cell or "" for cell in row.values()) for row in rows] == RECORDS
