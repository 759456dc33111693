"""Words that name what happened after somebody was contacted: sent, opened, called, unreachable, won.

A form that a lead fills in holds names and choices; a column whose values are such events is written, and
overwritten, by the process that follows. The list is general sales language in English and Chinese.
"""

from __future__ import annotations

import re

_ENGLISH = (
    "sent opened clicked bounced unsubscribed visited called ringing unreachable voicemail busy replied reverted "
    "contacted modified converted submitted scheduled rescheduled attended completed cancelled canceled approached "
    "won lost closed signed paid qualified disqualified rejected accepted delivered answered conversation"
)
_PHRASES = (
    "switched off",
    "not reachable",
    "no answer",
    "not answering",
    "follow up",
    "marked spam",
    "will revert",
    "not interested",
    "wrong number",
    "invalid number",
)
_CHINESE = (
    "已发送 已打开 已点击 已回复 已拨打 未接 无人接听 关机 停机 占线 空号 已联系 已拜访 "
    "已成交 已签约 已付款 已流失 赢单 输单 无意向 跟进中"
)
_EVENT = re.compile(
    rf"\b(?:{'|'.join(_ENGLISH.split())})\b|{'|'.join(map(re.escape, _PHRASES))}|{'|'.join(_CHINESE.split())}",
    re.IGNORECASE,
)


def names_an_event(value: str) -> bool:
    """Whether a category's value names something that was done, or came back, after a contact.

    Examples
    --------
    >>> [names_an_event(value) for value in ("Email Opened", "Landing Page", "无人接听")]
    [True, False, True]
    """
    return _EVENT.search(value.replace("_", " ")) is not None
