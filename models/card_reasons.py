"""The sentences of a report in Chinese: what a training says of itself, word for word as its English one."""

from __future__ import annotations

import re

# What the English says -> the same in Chinese, with the parts in their order.
_SENTENCES: tuple[tuple[str, str], ...] = (
    (
        r"no signal: on earlier windows no learner ranks better than chance",
        "没有信号：在更早的窗口上都不优于随机",
    ),
    (
        r"no signal: no learner is better than the base rate on earlier windows",
        "没有信号：在更早的窗口上没有学习器优于基准率",
    ),
    (
        r"(\d+) events of the rarer kind; boosting needs (\d+): a shrunken model answers",
        r"较少的一类只有 \1 个，提升树需要 \2 个：由收缩模型回答",
    ),
    (r"so far the evidence does not reach beyond the base rate", "目前的证据还不足以超出基准率"),
    (r"the mapping says that it is written after the outcome", "映射文件注明在结果之后写入"),
    (r"^holds lists$", "存放的是列表"),
    (
        r"^is a date, and without the moment of the row its age cannot be told$",
        "是日期，而行没有时刻，年龄无从得知",
    ),
    (r"^is empty throughout$", "全为空"),
    (r"^holds one value only$", "只有一个取值"),
    (r"^is a different whole number in every row: an identifier$", "每行都是不同的整数：是编号"),
    (
        r"^([\d,]+) different texts in ([\d,]+) filled rows: an identifier or free text$",
        r"\2 行有值，其中 \1 种不同文本：是编号或自由文本",
    ),
    (
        r"^([\d,]+) different texts, more than (\d+): too rare each to learn from$",
        r"有 \1 种不同文本，超过 \2 种：每种太少，学不到东西",
    ),
    (r"^texts of more than (\d+) characters on average: free text$", r"平均超过 \1 个字符：是自由文本"),
    (
        r"^the level moves: the event rate of earlier windows went from ([\d.]+%) to ([\d.]+%); "
        r"trust the order before the level$",
        r"水平在移动：更早的各窗口事件率在 \1 至 \2 之间；先信排序，后信水平。",
    ),
    (
        r"^on the test window the untuned baseline has the smaller log loss \(by ([\d.]+) to ([\d.]+)\); "
        r"the learner was chosen on earlier windows alone$",
        r"测试窗口上未调参的基线对数损失更小（差 \1 至 \2）；学习器只凭更早的窗口选定。",
    ),
    (
        r"the history is too short to compare learners over time: they were compared across accounts or entities",
        "历史太短，无法按时间比较学习器：改为在不同客户或对象之间比较",
    ),
    (r"no time: rows were split by hash, so the figures are optimistic", "没有时间顺序：按哈希划分，指标偏乐观"),
    (
        r"day one: of some fields only today's values are on record, and they were left out; "
        r"docs/day-one.md shows what 30, 90 and 180 days of history give",
        "首日：部分字段只有当前值，未被使用；积累 30、90、180 天历史后的效果见 docs/day-one.md",
    ),
    (
        r"^today's value only: what it was at the row's moment is not on record$",
        "只有当前值：当时的取值没有记录",
    ),
)


def in_chinese(sentence: str) -> str:
    """The sentence in Chinese; one without a translation stays as it is.

    Examples
    --------
    >>> in_chinese("12 events of the rarer kind; boosting needs 200: a shrunken model answers")
    '较少的一类只有 12 个，提升树需要 200 个：由收缩模型回答'
    >>> in_chinese("something new")
    'something new'
    """
    for english, chinese in _SENTENCES:
        sentence = re.sub(english, chinese, sentence)
    return sentence
