"""What the forecast says of its own limits, in the language of its reader."""

import re

import pytest

from models.series_card import limit_in

SAID = {
    "company: the 80 % ranges held 94% of the outcomes, they are too wide": "全公司：80% 区间命中 94%，过宽",
    "region_line: the 80 % ranges held 70% of the outcomes, they are too narrow": "区域×产品线：80% 区间命中 70%，过窄",
    "bookings: 12% of the amounts name no region or no product line": "合同额：12% 的金额没有区域或产品线",
    "receipts, company: worse than seasonal naive, which answers there": "回款额，全公司：差于去年同月，由后者作答",
}


@pytest.mark.parametrize(("english", "chinese"), SAID.items())
def test_limits_of_the_forecast_are_told_in_both_languages(english, chinese):
    assert limit_in("en", english) == english
    assert limit_in("zh", english) == chinese


def test_the_running_month_is_a_limit_in_chinese_too():
    told = limit_in("zh", "the first month ahead is the running one; what it already holds is not used yet")
    assert not re.search("[A-Za-z]", told)
