"""What measures and places are called in plots and on the card of the forecast, in English and Chinese."""

from __future__ import annotations

from features.nodes import PARTS_OF, Level, Node

MEASURES = {
    "en": {
        "bookings": "bookings",
        "receipts": "receipts",
        "revenue": "revenue",
        "gross_margin": "gross margin",
        "new_customers": "new customers",
    },
    "zh": {
        "bookings": "合同额",
        "receipts": "回款额",
        "revenue": "收入",
        "gross_margin": "毛利",
        "new_customers": "新客户数",
    },
}
LEVELS = {
    "en": {
        "company": "whole company",
        "region_line": "region and line",
        "buyer_type": "kind of customer",
        "rep": "salesperson",
    },
    "zh": {
        "company": "全公司",
        "region": "区域",
        "team": "团队",
        "line": "产品线",
        "region_line": "区域×产品线",
        "industry": "行业",
        "buyer_type": "客户类型",
        "rep": "销售人员",
        "series": "自有序列",
    },
}


def measure_words(measure: str, language: str) -> str:
    """What a measure is called; one of a panel of the company's own keeps its name."""
    return MEASURES[language].get(measure, measure)


def node_words(node: Node, language: str) -> str:
    """What a node is called.

    Examples
    --------
    >>> node_words(Node(level=Level.REGION_LINE, region="East", line="Cloud"), "en")
    'region and line: East, Cloud'
    >>> node_words(Node(level=Level.COMPANY), "zh")
    '全公司'
    """
    level = LEVELS[language].get(node.level.value, node.level.value)
    parts = [part for name in PARTS_OF[node.level] if (part := getattr(node, name)) is not None]
    if node.level is Level.COMPANY or not parts:
        return level
    return f"{level}：{'，'.join(parts)}" if language == "zh" else f"{level}: {', '.join(parts)}"
