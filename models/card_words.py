"""The words of a model card, in English and Chinese."""

from __future__ import annotations

from features.labels import EVENTS

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Model card: {task}",
        "question": "Question",
        "asks": "{question} Event: {event}.",
        "window": "The event counts when it happens within {horizon} days, from {gap} day(s) after the "
        "moment of scoring.",
        "given": "The outcomes come with the source; it states no moment of scoring and no horizon.",
        "status": "Status: **{status}**. {reason}",
        "trained": "trained",
        "fallback": "fallback",
        "refused": "refused",
        "data": "Data",
        "rows": "{n_train} rows to learn from, {n_test} rows of the test window, {n_censored} rows left "
        "out because their "
        "outcome is not known yet. Event rate {rate}.",
        "period": "Learned from {train_from} on; tested from {test_from} to {test_to}; the test window was "
        "opened once.",
        "refit": "The figures are those of the model that had seen nothing of the test window. The "
        "published model is the "
        "same recipe fitted on all {n} rows with known outcomes, up to {until}.",
        "figures": "Figures on the test window",
        "columns": "figure | this model | 95 % interval | baseline ({baseline}) | constant",
        "difference": "Difference to the baseline on the same rows: {name} {low} to {high}.",
        "baseline_note": "The baseline is the better of an untuned logistic regression and an untuned LightGBM, "
        "chosen on "
        "the test window itself.",
        "calibration": "Calibration",
        "calibrator": "Calibrator: {calibrator}, learned from predictions on later windows than the model had seen.",
        "calibration_columns": "tenth of the rows | rows | said | happened",
        "segments": "Segments of the test window",
        "segment_columns": "segment | rows | event rate | said | ranking (AUC) | said minus happened",
        "origins": "Earlier windows",
        "origins_note": "The learner was chosen here, before the test window was opened.",
        "origin_columns": "from | rows before | rows judged | event rate | AUC | log loss",
        "candidate_columns": "learner | log loss, level matched | AUC | chosen",
        "yes": "yes",
        "hit_at_1": "first line bought (hit@1)",
        "hit_at_3": "bought among the first three (hit@3)",
        "reciprocal_rank": "mean reciprocal rank",
        "ranking_note": "Of the accounts that bought something in the window, the best-ranked line that they bought:",
        "ranking_columns": "figure | this model | 95 % interval | popularity | what was bought last",
        "replay": "What the top of the list would have held",
        "replay_wins": "Of the window from {start} to {end}, the top {share} by score held {held} of the events "
        "({low} to "
        "{high})",
        "replay_value": " and {value} of their value ({low} to {high})",
        "left_out": "Left out, and why",
        "left_out_columns": "column | verdict | evidence",
        "not_used": "not a field",
        "nothing": "Nothing was left out.",
        "quarantined": "quarantined",
        "suspected": "suspected",
        "leakage_measures": "Whether the judging itself leaks",
        "measure_columns": "measured | found | verdict",
        "ok": "in order",
        "review": "look at it",
        "fails": "fails",
        "limits": "Limits",
        "gap": "A random split of the same rows, rows of one entity on both sides, would have shown AUC {random}; "
        "in time it is {in_time}. The difference of {gap} is what ignoring time would have promised too much.",
        "no_gap": "A random split of the same rows shows no more: AUC {random}; in time it is {in_time}.",
        "segments_off": "The level is off beyond chance (5 % over all segments together) in: {segments}.",
        "no_time": "The source has no order in time. Rows were split by a hash: the figures are optimistic.",
        "few": "There are {events} events. Intervals are wide; the model is shrunk to the base rate as "
        "far as the evidence "
        "does not reach, and boosting waits for {needed} events.",
        "strong": "AUC above .95 is rare without a leak. Look at the strongest reasons before you trust it.",
        "shaky": "The probabilities are off by more than the bound ({ece}): trust the order before the level.",
        "association": "Reasons say what goes together with the outcome, never what causes it.",
        "effort_gain": "Scores were learned from what was worked as it was; what nobody worked looks worse than it is.",
        "effort_loss": "Scores were learned from customers as they were looked after; one who stayed because "
        "somebody did looks safer than without.",
        "no_test": "There is no test window with both outcomes.",
    },
    "zh": {
        "title": "模型卡：{task}",
        "question": "问题",
        "asks": "{question}目标事件：{event}。",
        "window": "评分时刻 {gap} 天之后的 {horizon} 天内发生的事件计为“是”。",
        "given": "结果随数据给出；数据没有说明评分时刻和期限。",
        "status": "状态：**{status}**。{reason}",
        "trained": "已训练",
        "fallback": "退回简单模型",
        "refused": "拒绝训练",
        "data": "数据",
        "rows": "学习 {n_train} 行，测试窗口 {n_test} 行，另有 {n_censored} 行因结果未知而不使用。事件率 {rate}。",
        "period": "学习数据自 {train_from} 起；测试窗口为 {test_from} 至 {test_to}，只打开一次。",
        "refit": "指标来自完全没有见过测试窗口的模型。发布的模型用同一配方在全部 {n} "
        "行已知结果的数据上重新拟合，截至 {until}。",
        "figures": "测试窗口上的指标",
        "columns": "指标 | 本模型 | 95% 区间 | 基线（{baseline}） | 常数",
        "difference": "在相同行上与基线之差：{name} {low} 至 {high}。",
        "baseline_note": "基线取未调参的逻辑回归与未调参的 LightGBM 中在测试窗口上较好的一个。",
        "calibration": "校准",
        "calibrator": "校准器：{calibrator}，由模型未见过的更晚窗口上的预测学得。",
        "calibration_columns": "十分位 | 行数 | 预测 | 实际",
        "segments": "测试窗口的分组",
        "segment_columns": "分组 | 行数 | 事件率 | 预测 | 排序（AUC） | 预测减实际",
        "origins": "更早的窗口",
        "origins_note": "学习器在这里选定，当时测试窗口尚未打开。",
        "origin_columns": "起点 | 之前的行数 | 评判行数 | 事件率 | AUC | 对数损失",
        "candidate_columns": "学习器 | 对数损失（水平对齐） | AUC | 选中",
        "yes": "是",
        "hit_at_1": "首位命中率（hit@1）",
        "hit_at_3": "前三命中率（hit@3）",
        "reciprocal_rank": "平均倒数排名",
        "ranking_note": "在窗口内有购买的客户中，其所购产品线的最好名次：",
        "ranking_columns": "指标 | 本模型 | 95% 区间 | 按热门程度 | 按最近购买",
        "replay": "若按评分排序跟进，前列会占多少",
        "replay_wins": "在 {start} 至 {end} 的窗口中，评分最高的 {share} 占全部事件的 {held}（{low} 至 {high}）",
        "replay_value": "，占其金额的 {value}（{low} 至 {high}）",
        "left_out": "排除的列及原因",
        "left_out_columns": "列 | 结论 | 证据（括号后为检查输出原文）",
        "not_used": "不作为特征",
        "nothing": "没有排除任何列。",
        "quarantined": "隔离",
        "suspected": "存疑",
        "leakage_measures": "评判过程本身是否泄漏",
        "measure_columns": "检查项 | 结果 | 结论",
        "ok": "正常",
        "review": "请查看",
        "fails": "不通过",
        "limits": "局限",
        "gap": "若随机划分同样的行（同一对象的行落在两侧），AUC 会显示为 {random}；按时间划分为 {in_time}。差值 {gap} "
        "就是忽略时间会多许诺的部分。",
        "no_gap": "随机划分同样的行并不更高：AUC {random}；按时间划分为 {in_time}。",
        "segments_off": "以下分组的预测水平偏差超出偶然（全部分组合计 5%）：{segments}。",
        "no_time": "数据没有时间顺序，按哈希划分：指标偏乐观。",
        "few": "只有 {events} 个事件。区间很宽；证据不足的部分收缩到基准率，事件达到 {needed} 个后才使用提升树。",
        "strong": "AUC 高于 0.95 而没有泄漏的情况很少见。请先查看最强的理由再相信它。",
        "shaky": "概率偏差超过界限（{ece}）：先信排序，后信水平。",
        "association": "理由说明与结果同时出现的因素，不说明因果。",
        "effort_gain": "评分学自当时的跟进情况；无人跟进的对象看起来比实际更差。",
        "effort_loss": "评分学自当时的维护情况；因有人维护而留下的客户，看起来比无人维护时更安全。",
        "no_test": "没有同时包含两种结果的测试窗口。",
    },
}

METRIC_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "auc": "AUC",
        "average_precision": "average precision",
        "log_loss": "log loss",
        "brier": "Brier score",
        "ece": "calibration error",
        "lift_at_10": "lift of the top 10 %",
        "lift_at_20": "lift of the top 20 %",
    },
    "zh": {
        "auc": "AUC",
        "average_precision": "平均精度",
        "log_loss": "对数损失",
        "brier": "Brier 分数",
        "ece": "校准误差",
        "lift_at_10": "前 10% 提升度",
        "lift_at_20": "前 20% 提升度",
    },
}

MEASURE_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "permuted_labels_auc": "shuffled labels",
        "noise_column_share": "a column of noise (negative control)",
        "random_split_gap": "random split against time",
        "shared_accounts": "accounts on both sides",
        "back_dated_share": "back-dated events",
    },
    "zh": {
        "permuted_labels_auc": "打乱标签",
        "noise_column_share": "噪声列（阴性对照）",
        "random_split_gap": "随机划分与按时间划分",
        "shared_accounts": "新旧两侧的相同客户",
        "back_dated_share": "倒填日期的事件",
    },
}

# The English card shows the name of the check, which is English already.
CHECKS_ZH: dict[str, str] = {
    "strong_alone": "单独一列就有整个模型的排序能力",
    "filled_after_the_outcome": "几乎只在一种结果下才填写",
    "holds_pure_values": "多数事件集中在结果完全一致的取值上",
    "filled_in_batches": "较早的行有值、较新的行没有：不是当时写入的",
    "strong_where_filled": "只有部分行填写，填写处与结果关系很强",
    "names_events": "取值描述的是联系之后才发生的事",
    "mirrors": "与另一列共用一套取值：是读取时间不明的状态",
    "dominates": "其余各列留下的损失有很大一部分由它一列消除",
    "companions": "与已发现的列在相同的行填写",
    "near_the_label": "窗口推迟 7 天后排序能力消失",
    "built_on": "由已发现的列计算而来",
    "stated": "映射文件注明在结果之后写入",
}

EVENTS_ZH: dict[str, str] = {event.phrase_en: event.phrase_zh for event in EVENTS.values()} | {
    "the outcome of the source": "数据来源给出的结果",
    # What hazards are asked about that is no event: that the payment stays away.
    "unpaid": "到下一个期限仍未付款",
    "late": "逾期未付款",
    "very_late": "严重逾期未付款",
}
