"""Rows of a flat table that come with a request: read as the mapping reads the company's own file.

A row may be sent as the file holds it: under the file's column names, with its words for "no value", its yes and no,
numbers as text, and with the outcome and order columns, which are not read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from crm.facts import FlatForm
from crm.parse_numbers import plain_number
from crm.schema import Column, DType
from crm.yes_no import flag_value
from serving.records import BadRecord, ReadRecord, RecordForm

_KEY = "entity_id"


class FlatRecordForm(RecordForm):
    """Which columns a row of a flat table may have, and how its cells are read.

    Parameters
    ----------
    custom : mapping of str to DType
        The columns of the table.
    form : FlatForm
        How the company's own file writes a row.

    Examples
    --------
    >>> form = FlatForm(entity_id="No", unread=frozenset({"Won"}), missing=frozenset({"Select"}))
    >>> FlatRecordForm({"City": DType.TEXT, "Visits": DType.NUMBER}, form).read(
    ...     {"No": "7", "City": "Select", "Visits": "3", "Won": 1}
    ... ).row
    {'entity_id': '7', 'City': None, 'Visits': 3.0}
    """

    def __init__(self, custom: Mapping[str, DType], form: FlatForm) -> None:
        columns = [Column(name=_KEY, dtype=DType.TEXT, doc="The row's name in the answer.")]
        columns += [Column(name=n, dtype=d, doc="Column of the file.") for n, d in custom.items() if n != _KEY]
        super().__init__(columns, _KEY, {})
        self._names = dict(form.rename)
        if form.entity_id is not None and form.entity_id not in custom:
            self._names[form.entity_id] = _KEY
        self._unread = form.unread
        self._missing = {name: form.missing | form.missing_in.get(name, frozenset()) for name in self.columns}
        self._missing_numbers = {name: _numbers(words) for name, words in self._missing.items()}

    def entity_id(self, record: object) -> str | None:
        """The entity's id, under its own name or that of the file."""
        if isinstance(record, dict):
            named = [value for name, value in record.items() if self._names.get(name, name) == _KEY]
            return super().entity_id({_KEY: named[0]} if len(named) == 1 else {})
        return None

    def read(self, record: object) -> ReadRecord:
        """The row in the record's own types.

        Raises
        ------
        BadRecord
            It is no object, or a column is unknown, given twice or of another type.
        """
        return super().read(self._as_kept(record) if isinstance(record, dict) else record)

    def _as_kept(self, record: Mapping[str, object]) -> dict[str, object]:
        kept: dict[str, object] = {}
        for name, value in record.items():
            own = self._names.get(name, name)
            if own not in self.columns:
                # A column that was empty in every file has no place in the record; empty it may come again.
                if name in self._unread or value is None or (isinstance(value, str) and not value.strip()):
                    continue
            elif own in kept:
                raise BadRecord(f"column {own}: came twice, under the name of the file and under its own")
            kept[own] = self._value(own, value)
        return kept

    def _value(self, name: str, value: object) -> object:
        column = self.columns.get(name)
        if column is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return None if value in self._missing_numbers[name] else value
        if not isinstance(value, str):
            return value
        text = unicodedata.normalize("NFC", value.strip())
        if not text or text in self._missing[name]:
            return None
        if column.dtype is DType.FLAG:
            flag = flag_value(text)
            return text if flag is None else flag
        if column.dtype is DType.NUMBER:
            number = plain_number(text)
            return text if number is None else number
        return text


def _numbers(words: frozenset[str]) -> frozenset[float]:
    found = (plain_number(word) for word in words)
    return frozenset(number for number in found if number is not None)
