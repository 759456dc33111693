"""The card of the forecast, in English and Chinese: accuracy beside seasonal naive, measured ranges, limits."""

from __future__ import annotations

import re

from models.series_bundle import COMPONENTS, FAN, SeriesModel
from models.series_judge import ALL, Accuracy
from models.series_report import SeriesReport
from models.series_task import SeriesTask
from models.series_words import LEVELS, MEASURES, measure_words

LANGUAGES = ("en", "zh")

_WORDS = {
    "en": {
        "title": "Sales forecast",
        "status": "Status: {status}. {reason}",
        "data": "{n_series} series, closed months {first} to {last}, replayed from the ends of {origins}. At each of "
        "them only what was recorded by then was known. Figures are of the newest {n_test} origins of every distance; "
        "weights and ranges there came from earlier ones.",
        "accuracy": "Accuracy beside seasonal naive (the same month of the year before)",
        "columns": "measure | level | months ahead | points | WAPE | seasonal naive | difference (95 %) | bias | "
        "inside the 80 % range (95 %) | verdict",
        "note": "WAPE is the sum of absolute errors over the sum of amounts; bias is positive when the forecast is too "
        "high. Differences are paired block bootstraps of months. {n_months} different months were judged.",
        "weights": "What counts how much (months 1-3)",
        "weights_columns": "measure | level | answer | weights | times",
        "fan": "The next months",
        "parts": "What they are made of",
        "limits": "Limits",
        "silent": "without a series",
        "revision": "{measure}: a month's amount changed by {share:.1%} on average since it closed",
        "causes": "It tells what comes when things go on as they did; it knows no open deal, price change or plan.",
        "sum": "Nodes are forecast one by one: parts need not add up to the whole.",
        "joint_causes": "It knows what is signed, open, due for renewal and usual; it knows no price change and no "
        "plan.",
        "joint_sum": "All nodes and months are summed from one joint sample: in every draw parts add up to the whole.",
        "veto": "Where it was clearly worse than seasonal naive on the tested months, seasonal naive answers: a gate, "
        "decided on the very months that are shown.",
    },
    "zh": {
        "title": "销售预测",
        "status": "状态：{status}。{reason}",
        "data": "{n_series} 条序列，已结月份 {first} 至 {last}，分别回到以下月末重放：{origins}。"
        "每个时点只用当时已入账的数据。指标取自各预测距离上最新的 {n_test} 个时点，其权重与区间只由更早的时点得出。",
        "accuracy": "准确度，与季节性朴素法（去年同月）对照",
        "columns": "指标 | 层级 | 提前月数 | 点数 | WAPE | 去年同月 | 差异（95%） | 偏差 | 80%区间命中（95%） | 结论",
        "note": "WAPE 为绝对误差之和除以金额之和；偏差为正表示预测偏高。差异为按月分块的配对自助法区间。"
        "共评估 {n_months} 个不同月份。",
        "weights": "各方法权重（提前1-3个月）",
        "weights_columns": "指标 | 层级 | 作答 | 权重 | 倍数",
        "fan": "未来各月",
        "parts": "预测构成",
        "limits": "局限",
        "silent": "没有序列",
        "revision": "{measure}：月结之后金额平均变动 {share:.1%}",
        "causes": "预测假设一切照旧；不知道未结商机、调价或计划。",
        "sum": "各节点分别预测，部分之和未必等于整体。",
        "joint_causes": "预测已考虑已签、在谈、待续约与常规业务；不知道调价或计划。",
        "joint_sum": "所有节点与月份均由同一联合样本汇总：每次抽样中部分之和恒等于整体。",
        "veto": "在所评估月份上明显差于去年同月之处，由去年同月作答：这是一道关口，依据的正是所展示的这些月份。",
    },
}
_VERDICTS = {
    "en": {"better": "better", "no_better": "no better than seasonal naive", "worse": "worse than seasonal naive"},
    "zh": {"better": "更优", "no_better": "不优于去年同月", "worse": "差于去年同月"},
}
_STATUSES = {
    "en": {"trained": "trained", "fallback": "no signal, seasonal naive answers", "refused": "refused"},
    "zh": {"trained": "已训练", "fallback": "无信号，按去年同月作答", "refused": "拒绝训练"},
}


# What a training says of its limits -> the same in Chinese, with the parts in their order.
_LIMITS_ZH = (
    (r"^(\w+): the 80 % ranges held (\d+%) of the outcomes, they are too wide$", r"\1：80% 区间命中 \2，过宽"),
    (r"^(\w+): the 80 % ranges held (\d+%) of the outcomes, they are too narrow$", r"\1：80% 区间命中 \2，过窄"),
    (r"^(\w+): (\d+%) of the amounts name no region or no product line$", r"\1：\2 的金额没有区域或产品线"),
    (r"^(\w+), (\w+): worse than seasonal naive, which answers there$", r"\1，\2：差于去年同月，由后者作答"),
    (
        r"^the first month ahead is the running one; what it already holds is not used yet$",
        "提前一个月即当月；当月已发生的金额尚未用上",
    ),
)


def write_series_cards(task: SeriesTask, report: SeriesReport, model: SeriesModel) -> dict[str, str]:
    """The card as Markdown by language, `en` and `zh`."""
    return {language: _write(task, report, model, language) for language in LANGUAGES}


def _write(task: SeriesTask, report: SeriesReport, model: SeriesModel, language: str) -> str:
    words = _WORDS[language]
    question = task.question_en if language == "en" else task.question_zh
    reason = report.reason if language == "en" else ""
    lines = [f"# {words['title']} ({report.task})", "", question, ""]
    lines += [words["status"].format(status=_STATUSES[language][report.status], reason=reason).strip(), ""]
    lines += [
        words["data"].format(
            n_series=report.n_series,
            first=report.train_from,
            last=model.fitted_until,
            origins=", ".join(report.origins),
            n_test=task.origins.n_test,
        ),
        "",
        f"## {words['fan']}",
        "",
        f"![{words['fan']}]({FAN[language]})",
        "",
        *_parts(model, language),
        f"## {words['accuracy']}",
        "",
        *_table(words["columns"], [_row(one, language) for one in report.accuracy]),
        "",
        words["note"].format(n_months=max((one.n_months for one in report.accuracy), default=0)),
        "",
        f"## {words['weights']}",
        "",
        *_table(words["weights_columns"], _weights(model, language)),
        "",
        f"## {words['limits']}",
        "",
    ]
    lines += [f"- {words['revision'].format(measure=measure_words(m, language), share=s)}" for m, s in _sorted(report)]
    lines += [f"- {limit_in(language, limit)}" for limit in report.limits]
    if report.silent:
        lines.append(f"- {words['silent']}: {len(report.silent)}")
    told = ("joint_sum", "joint_causes") if model.joint.methods else ("sum", "causes")
    lines += [f"- {words[name]}" for name in ("veto", *told)]
    return "\n".join(lines).strip() + "\n"


def _parts(model: SeriesModel, language: str) -> list[str]:
    """The picture of the parts, where a joint sample tells them."""
    name = _WORDS[language]["parts"]
    return [f"## {name}", "", f"![{name}]({COMPONENTS[language]})", ""] if model.joint.methods else []


def _sorted(report: SeriesReport) -> list[tuple[str, float]]:
    return sorted(report.revisions.items())


def _row(one: Accuracy, language: str) -> list[str]:
    inside = one.coverage[80]
    bucket = {"en": "all", "zh": "全部"}[language] if one.bucket == ALL else one.bucket
    return [
        measure_words(one.measure, language),
        LEVELS[language].get(one.level, one.level),
        bucket,
        f"{one.n:,}",
        f"{one.wape:.3f}",
        f"{one.baseline_wape:.3f}",
        f"{one.gain.value:+.3f} ({one.gain.low:+.3f} – {one.gain.high:+.3f})",
        f"{one.bias:+.1%}",
        f"{inside.value:.0%} ({inside.low:.0%} – {inside.high:.0%})",
        _VERDICTS[language][one.verdict],
    ]


def _weights(model: SeriesModel, language: str) -> list[list[str]]:
    rows = []
    for (measure, level), status in sorted(model.answers.items()):
        rule = model.rule(measure, level, 1)
        if rule is not None:
            told = ", ".join(f"{name} {weight:.2f}" for name, weight in rule.weights.items())
            rows.append(
                [
                    measure_words(measure, language),
                    LEVELS[language].get(level, level),
                    status,
                    told,
                    f"{rule.factor:.2f}",
                ]
            )
    return rows


def limit_in(language: str, sentence: str) -> str:
    """A sentence of the report in the card's language; one without a translation stays as it is."""
    if language == "en":
        return sentence
    for english, chinese in _LIMITS_ZH:
        sentence = re.sub(english, chinese, sentence)
    called = LEVELS["zh"] | MEASURES["zh"]
    return re.sub(
        r"^\w+(?:，\w+)?(?=：)", lambda found: "，".join(called.get(n, n) for n in found[0].split("，")), sentence
    )


def _table(columns: str, rows: list[list[str]]) -> list[str]:
    n = columns.count("|") + 1
    return [f"| {columns} |", "|" + "---|" * n, *("| " + " | ".join(row) + " |" for row in rows)]
