"""The evidence of the search for leaks in Chinese, word for word as the search states it in English."""

from __future__ import annotations

import re

_AUC = r"AUC ([\d.]+)"
# What the English says -> the same in Chinese, with the parts in their order.
_EVIDENCE: tuple[tuple[str, str], ...] = (
    (r"the mapping says it is written after the outcome", "映射文件注明在结果之后写入"),
    (
        rf"alone it ranks its ([\d,]+) filled rows with {_AUC}, above ([\d.]+) \(the others ([\d.]+)\)",
        r"单独一列对其 \1 个有值行的排序 AUC 为 \2，高于 \3（其余各列为 \4）",
    ),
    (
        rf"whether it is filled ranks the rows with {_AUC}, above ([\d.]+)",
        r"仅凭是否填写，排序 AUC 就达 \1，高于 \2",
    ),
    (
        r"([\d.]+%) of the ([\d,]+) rows where it is filled end alike, ([\d.]+%) of all rows",
        r"填写的 \2 行中有 \1 结果相同，全部行中为 \3",
    ),
    (
        r"(\d+%) of all events have one of (\d+) values whose rows all end so, against (\d+%) of all rows",
        r"全部事件中有 \1 落在 \2 个取值上，这些取值的行结果完全一致；全部行中事件占 \3",
    ),
    (
        r"filled in (\d+%) of a part of the rows and in (\d+%) of a later one: not written when the row was",
        r"一部分行有 \1 填写，较新的一部分只有 \2：不是随行写入的",
    ),
    (rf"filled in (\d+%) of the rows, where it alone has {_AUC}", r"\1 的行有值，在这些行上单独一列 AUC 为 \2"),
    (rf"whether it is filled has {_AUC}: filling depends on the outcome", r"仅凭是否填写 AUC 为 \1：填写与结果有关"),
    (
        rf"(\d+%) of its values name what follows a contact \((.*?)\); {_AUC}",
        r"\1 的取值描述联系之后才发生的事（\2）；AUC 为 \3",
    ),
    (
        rf"shares (\d+) values with ('.*?'): a running state, read at an unknown moment; {_AUC}",
        r"与 \2 共用 \1 个取值：是随时变化的状态，读取时间不明；AUC 为 \3",
    ),
    (
        r"takes away (\d+%) of the log loss ([\d.]+) that all others leave \(with (.*?)\)",
        r"消除了其余各列留下的对数损失 \2 中的 \1（连同 \3）",
    ),
    (
        r"takes away (\d+%) of the log loss ([\d.]+) that all others leave",
        r"消除了其余各列留下的对数损失 \2 中的 \1",
    ),
    (r"filled in the same rows as ('.*?')", r"与 \1 在相同的行填写"),
    (
        r"AUC falls from ([\d.]+) to ([\d.]+) when the window begins 7 days later",
        r"窗口推迟 7 天后 AUC 从 \1 降到 \2",
    ),
    (r"is made of (\S+), which knows the outcome", r"由 \1 计算而来，而后者含有结果信息"),
)


def evidence_in_chinese(evidence: str) -> str:
    """The evidence in Chinese; what has no translation stays as it is.

    Examples
    --------
    >>> evidence_in_chinese("is made of stage, which knows the outcome")
    '由 stage 计算而来，而后者含有结果信息'
    """
    for english, chinese in _EVIDENCE:
        evidence = re.sub(english, chinese, evidence)
    return evidence.replace("; ", "；")
