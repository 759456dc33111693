"""What the search for leaks found, as a Chinese card tells it."""

import re

import pytest

from models.card_evidence import evidence_in_chinese

SAID = (
    "the mapping says it is written after the outcome",
    "alone it ranks its 1,204 filled rows with AUC 0.981, above 0.850 (the others 0.740)",
    "whether it is filled ranks the rows with AUC 0.912, above 0.850",
    "99.1% of the 310 rows where it is filled end alike, 38.2% of all rows",
    "64% of all events have one of 3 values whose rows all end so, against 12% of all rows",
    "filled in 98% of a part of the rows and in 3% of a later one: not written when the row was",
    "filled in 22% of the rows, where it alone has AUC 0.901",
    "whether it is filled has AUC 0.802: filling depends on the outcome",
    "shares 9 values with 'last_state': a running state, read at an unknown moment; AUC 0.770",
    "takes away 41% of the log loss 0.402 that all others leave",
    "takes away 41% of the log loss 0.402 that all others leave (with tag_2)",
    "filled in the same rows as 'tag'",
    "AUC falls from 0.812 to 0.590 when the window begins 7 days later",
    "is made of stage, which knows the outcome",
)


@pytest.mark.parametrize("english", SAID)
def test_every_piece_of_evidence_is_told_in_chinese(english):
    chinese = evidence_in_chinese(english)
    words = set(
        re.findall(r"[A-Za-z_]+", chinese.replace("tag_2", "").replace("'last_state'", "").replace("'tag'", ""))
    )
    assert words <= {"AUC", "stage"}
    numbers = [sorted(re.findall(r"\d+(?:[.,]\d+)*%?", text)) for text in (english, chinese)]
    assert numbers[0] == numbers[1]


def test_values_of_the_company_stay_as_they_are():
    told = evidence_in_chinese("70% of its values name what follows a contact (Ringing, Busy); AUC 0.790")
    assert "（Ringing, Busy）" in told
