"""What a file seems to be by its first bytes, whatever its name says."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from crm.raw import BadSource

_HEAD_BYTES = 4096

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PAR1", "Parquet"),
    (b"PARE", "encrypted Parquet"),
    (b"%PDF", "PDF"),
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Excel workbook"),
    (b"SQLite format 3", "SQLite"),
    (b"ARROW1", "Arrow"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x89PNG", "a PNG picture"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it points to"),
)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body|<table|<\?xml|<script)", re.IGNORECASE)
_JSON = re.compile(rb'\s*(\{\s*("[^"]*"\s*:|\})|\[\s*(\{|\[|\]))')


def seems_to_be(path: Path) -> str:
    """What the file holds by its first bytes: `text`, `empty`, `gzip`, `Excel`, `Parquet`, `DuckDB`, ...

    Parameters
    ----------
    path : Path
        An existing file.

    Returns
    -------
    str
        A word for an error message; `text` when nothing else fits.
    """
    with path.open("rb") as file:
        return seems_to_be_bytes(file.read(_HEAD_BYTES), path)


def seems_to_be_bytes(head: bytes, path: Path | None = None) -> str:
    """What content seems to be by its first bytes; `path` lets a zip archive be looked into.

    Examples
    --------
    >>> seems_to_be_bytes(b"<!DOCTYPE html><html>")
    'HTML'
    >>> seems_to_be_bytes(b"id,name")
    'text'
    """
    if not head:
        return "empty"
    for magic, word in _MAGIC:
        if head.startswith(magic):
            return word
    if head.startswith(b"PK\x03\x04"):
        return "Excel" if path is not None and _is_workbook(path) else "zip"
    if head[8:12] == b"DUCK":
        return "DuckDB"
    if head.startswith(_UTF16_MARKS):
        return "UTF-16 text"
    plain = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(plain):
        return "HTML"
    if _JSON.match(plain):
        return "JSON"
    return "text"


def require_content(path: Path, expected: str) -> None:
    """Pass when the file is what its reader expects.

    Raises
    ------
    BadSource
        The file seems to be something else; the message says what.
    """
    came = seems_to_be(path)
    if came != expected:
        hint = "export it again" if came == "empty" else f"rename it or state its `kind:` if it is {came}"
        raise BadSource(f"{path.name}: expected {expected} by name or mapping, but the content is {came}; {hint}")


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
