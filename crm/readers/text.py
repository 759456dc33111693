"""The text of a file, decoded strictly and in blocks, so that a huge file never stands in memory."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from crm.raw import BadSource
from crm.readers.content import seems_to_be, seems_to_be_bytes

_BLOCK_BYTES = 1 << 20
# A bomb unpacks hundreds of times its size; exports of real systems stay below forty.
_MOST_UNPACKED = 200
_UNPACKED_FREE_BYTES = 64 << 20
# UTF-8 read as a one-byte or Chinese encoding gives letters, only the wrong ones: so many sequences that are
# valid UTF-8 do not come about by chance ("联通" in GBK is the known short accident).
_SEQUENCES_OF_UTF8 = 8
_THREE_BYTES = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")
_MANY_BYTES = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")
_ONE_BYTE = {"iso8859-1", "cp1252", "iso8859-15", "latin_1"}
_SUPERSETS = {"gbk": "gb18030", "gb2312": "gb18030", "utf-8": "utf-8-sig", "latin_1": "iso8859-1"}


def read_blocks(path: Path, *, encoding: str, max_bytes: int) -> Iterator[str]:
    """Blocks of the file's text in order; concatenated they are the whole text.

    Parameters
    ----------
    path : Path
        A text file, or its gzip when the name ends in `.gz`.
    encoding : str
        Encoding of the text. `utf-8` allows a byte order mark; UTF-16 is read only when stated.
    max_bytes : int
        Most bytes after unpacking.

    Yields
    ------
    str
        Some of the text; never empty.

    Raises
    ------
    BadSource
        The content is no text, is not in the encoding, holds NUL or does not unpack; the message names
        byte and line.
    """
    codec = codecs.lookup(encoding).name
    opened = _open(path)
    with opened as file:
        decoder = codecs.getincrementaldecoder(_SUPERSETS.get(codec, codec))("strict")
        lines = taken = 0
        first = True
        while True:
            block = _next_bytes(file, path, taken)
            if first:
                _require_text(block, path, codec)
            pending = decoder.getstate()[0]
            taken += len(block)
            _require_bounds(path, taken, max_bytes, packed=isinstance(file, gzip.GzipFile))
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise _not_in(path, codec, error, taken - len(block) - len(pending), lines) from None
            if "\0" in text:
                line = lines + text[: text.index("\0")].count("\n") + 1
                raise BadSource(
                    f"{path.name}: line {line} holds a NUL byte, which no text has; the file is binary, damaged "
                    f"or UTF-16 (then state `encoding: utf-16`)"
                )
            lines += text.count("\n")
            if text:
                yield text.removeprefix("\ufeff") if first else text
            first = False
            if not block:
                return


def _open(path: Path) -> BinaryIO:
    came, packed = seems_to_be(path), path.name.lower().endswith(".gz")
    if came == "empty":
        raise BadSource(f"{path.name}: the file is empty; expected at least a header")
    if packed:
        if came != "gzip":
            raise BadSource(
                f"{path.name}: the name says gzip, but the content is {came}; drop `.gz` or export it again"
            )
        return cast(BinaryIO, gzip.open(path, "rb"))
    if came == "gzip":
        raise BadSource(f"{path.name}: the content is gzip, but the name does not say so; rename it to {path.name}.gz")
    if came not in ("text", "UTF-16 text"):
        raise _no_text(path, came)
    return path.open("rb")


def _no_text(path: Path, came: str) -> BadSource:
    return BadSource(f"{path.name}: expected delimited text, but the content is {came}; export the rows as CSV")


def _next_bytes(file: BinaryIO, path: Path, taken: int) -> bytes:
    try:
        return file.read(_BLOCK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadSource(
            f"{path.name}: the gzip is cut or damaged after {taken:,} bytes of content; fetch the file again"
        ) from None


def _require_text(block: bytes, path: Path, codec: str) -> None:
    came = seems_to_be_bytes(block[:4096])
    if came == "UTF-16 text":
        if codec.startswith("utf-16"):
            return
        raise BadSource(f"{path.name}: the file is UTF-16, expected {codec}; state `encoding: utf-16`")
    if came == "empty":
        raise BadSource(f"{path.name}: the file is empty; expected at least a header")
    if came != "text":
        raise _no_text(path, came)
    if codec not in ("utf-8", "utf-8-sig") and _is_utf8(block, one_byte=codec in _ONE_BYTE):
        raise BadSource(f"{path.name}: the file is UTF-8, but the mapping says {codec}; state `encoding: utf-8`")


def _is_utf8(block: bytes, *, one_byte: bool) -> bool:
    if block.startswith(codecs.BOM_UTF8):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(block)
    except UnicodeDecodeError:
        return False
    sequences = len(_MANY_BYTES.findall(block))
    if one_byte:
        return sequences > 0
    return sequences >= _SEQUENCES_OF_UTF8 or len(_THREE_BYTES.findall(block)) > 1


def _require_bounds(path: Path, taken: int, max_bytes: int, *, packed: bool) -> None:
    if taken > max_bytes:
        raise BadSource(f"{path.name}: more than {max_bytes:,} bytes; split it or raise `limits: max_bytes`")
    if packed and taken > _UNPACKED_FREE_BYTES and taken > _MOST_UNPACKED * path.stat().st_size:
        raise BadSource(f"{path.name}: unpacks to more than {_MOST_UNPACKED} times its size; unpack and check it first")


def _not_in(path: Path, codec: str, error: UnicodeDecodeError, before: int, lines: int) -> BadSource:
    read = bytes(error.object)
    line = lines + read[: error.start].count(b"\n") + 1
    hint = "find out how the file was saved and state `encoding:`"
    if codec.startswith("utf-8"):
        guess = "gbk" if _decodes(read[error.start :], "gb18030") else "latin-1"
        mixed = (
            " (text before it is UTF-8: the file may mix two encodings)" if not read[: error.start].isascii() else ""
        )
        hint = f"perhaps `encoding: {guess}`{mixed}"
    return BadSource(
        f"{path.name}: byte {before + error.start:,} (line {line}) is not {codec.removesuffix('-sig')}; {hint}"
    )


def _decodes(tail: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(tail)
    except UnicodeDecodeError:
        return False
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)
