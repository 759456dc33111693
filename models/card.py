"""The model card, in English and Chinese: what was asked, what was found, what to beware of."""

from __future__ import annotations

import math

from models.bundle import PLOT
from models.card_evidence import evidence_in_chinese
from models.card_reasons import in_chinese
from models.card_words import CHECKS_ZH, EVENTS_ZH, MEASURE_WORDS, METRIC_WORDS, WORDS
from models.judge import segments_off
from models.metrics import Interval
from models.ranking import BOUGHT_LAST, NAMES, POPULAR
from models.report import TrainReport
from models.scorer import Scorer
from models.task import BaseTask
from models.value import CAVEATS

LANGUAGES = ("en", "zh")
TOO_GOOD = 0.95


def write_cards(task: BaseTask, report: TrainReport, predictor: Scorer) -> dict[str, str]:
    """The card as Markdown by language, `en` and `zh`."""
    return {language: _Card(task, report, predictor, language).write() for language in LANGUAGES}


class _Card:
    """One card in one language."""

    def __init__(self, task: BaseTask, report: TrainReport, predictor: Scorer, language: str) -> None:
        self._task, self._report, self._predictor, self._language = task, report, predictor, language
        self._lines: list[str] = []

    def write(self) -> str:
        self._add("# ", "title", task=self._report.task)
        for section in (
            self._question,
            self._data,
            self._figures,
            self._calibration,
            self._segments,
            self._origins,
            self._replay,
            self._left_out,
            self._leakage_measures,
            self._limits,
        ):
            section()
        return "\n".join(self._lines).strip() + "\n"

    def _word(self, word: str, **values: object) -> str:
        return WORDS[self._language][word].format(**values)

    def _add(self, prefix: str, word: str, **values: object) -> None:
        self._lines += [prefix + self._word(word, **values), ""]

    def _table(self, columns: str, rows: list[list[str]], **values: object) -> None:
        heads = self._word(columns, **values).split(" | ")
        self._lines += [_row(heads), _row(["---"] * len(heads)), *map(_row, rows), ""]

    def _question(self) -> None:
        report, task = self._report, self._task
        self._add("## ", "question")
        question = task.question_en if self._language == "en" else task.question_zh
        self._add("", "asks", question=question, event=self._event())
        if report.horizon_days is None:
            self._add("", "given")
        else:
            self._add("", "window", horizon=report.horizon_days, gap=report.gap_days)
        self._add("", "status", status=self._word(report.status), reason=self._said(report.reason))

    def _called(self, name: str) -> str:
        """A field as the language calls it; by its name when it has no phrase."""
        field = next((one for one in self._predictor.encoder.fields if one.name == name), None)
        phrase = "" if field is None else field.phrase_zh if self._language == "zh" else field.phrase_en
        return phrase or name

    def _said(self, sentence: str) -> str:
        return in_chinese(sentence) if self._language == "zh" else sentence

    def _event(self) -> str:
        event = self._report.event
        return EVENTS_ZH.get(event, event) if self._language == "zh" else event

    def _data(self) -> None:
        report, about = self._report, self._predictor.about
        self._add("## ", "data")
        self._add(
            "",
            "rows",
            n_train=f"{report.n_train:,}",
            n_test=f"{report.n_test:,}",
            n_censored=f"{report.n_censored:,}",
            rate=_percent(report.base_rate),
        )
        if report.has_time:
            self._add("", "period", train_from=report.train_from, test_from=report.test_from, test_to=report.test_to)
        self._add("", "refit", n=f"{about.n_rows:,}", until=about.fitted_until or "-")

    def _figures(self) -> None:
        report = self._report
        self._add("## ", "figures")
        if math.isnan(report.metrics["test"]["auc"]):
            self._add("", "no_test")
            return
        rows = []
        for name, words in METRIC_WORDS[self._language].items():
            test, baseline, constant = (report.metrics[who][name] for who in ("test", "baseline", "constant"))
            low, high = report.intervals[name]
            rows.append(
                [words, _figure(test), f"{_figure(low)} – {_figure(high)}", _figure(baseline), _figure(constant)]
            )
        self._table("columns", rows, baseline=report.baseline_learner)
        for name in ("auc", "log_loss"):
            low, high = report.intervals[f"{name}_minus_baseline"]
            words = METRIC_WORDS[self._language][name]
            self._add("- ", "difference", name=words, low=f"{low:+.4f}", high=f"{high:+.4f}")
        self._add("", "baseline_note")
        self._ranking()

    def _ranking(self) -> None:
        """Where rows are alternatives: how often the first ones hold what was chosen, beside the rules."""
        report = self._report
        if NAMES[0] not in report.metrics["test"]:
            return
        rows = []
        for name in NAMES:
            (low, high), figures = report.intervals[name], report.metrics
            others = [_figure(figures[rule][name]) if rule in figures else "-" for rule in (POPULAR, BOUGHT_LAST)]
            rows.append(
                [self._word(name), _figure(figures["test"][name]), f"{_figure(low)} – {_figure(high)}", *others]
            )
        self._add("", "ranking_note")
        self._table("ranking_columns", rows)

    def _calibration(self) -> None:
        self._add("## ", "calibration")
        self._add("", "calibrator", calibrator=self._report.calibrator)
        self._lines += [f"![{self._word('calibration')}]({PLOT[self._language]})", ""]
        rows = [
            [
                str(number),
                f"{tenth.n:,}",
                _percent(tenth.mean_probability),
                f"{_percent(tenth.event_rate)} ({_percent(tenth.low)} – {_percent(tenth.high)})",
            ]
            for number, tenth in enumerate(self._report.calibration, start=1)
        ]
        self._table("calibration_columns", rows)

    def _segments(self) -> None:
        if not self._report.segments:
            return
        self._add("## ", "segments")
        rows = [
            [
                f"{self._called(segment.field)} = {segment.category}",
                f"{segment.n:,}",
                _percent(segment.base_rate),
                _percent(segment.mean_probability),
                _spread(segment.auc),
                _spread(segment.calibration_gap),
            ]
            for segment in self._report.segments
        ]
        self._table("segment_columns", rows)

    def _origins(self) -> None:
        report = self._report
        self._add("## ", "origins")
        self._add("", "origins_note")
        chosen = {True: self._word("yes"), False: ""}
        rows = [
            [entry.learner, _figure(entry.log_loss), _figure(entry.auc), chosen[entry.chosen]]
            for entry in report.candidates
        ]
        self._table("candidate_columns", rows)
        if report.has_time:
            folds = [
                [
                    fold.origin,
                    f"{fold.n_fit:,}",
                    f"{fold.n_judged:,}",
                    _percent(fold.base_rate),
                    _figure(fold.auc),
                    _figure(fold.log_loss),
                ]
                for fold in report.folds
            ]
            self._table("origin_columns", folds)

    def _replay(self) -> None:
        if not self._report.value_replay:
            return
        self._add("## ", "replay")
        for replay in self._report.value_replay:
            line = self._word(
                "replay_wins",
                start=replay.from_position or "-",
                end=replay.to_position or "-",
                share=f"{replay.share:.0%}",
                held=_percent(replay.events.value),
                low=_percent(replay.events.low),
                high=_percent(replay.events.high),
            )
            if replay.value is not None:
                money = replay.value
                line += self._word(
                    "replay_value", value=_percent(money.value), low=_percent(money.low), high=_percent(money.high)
                )
            self._lines.append(f"- {line}")
        self._lines += ["", CAVEATS[self._task.tells_of][self._language], ""]

    def _left_out(self) -> None:
        report = self._report
        self._add("## ", "left_out")
        rows = [
            [finding.column, self._word(finding.verdict), self._evidence(finding.check, finding.evidence)]
            for finding in report.leakage
        ]
        rows += [[column, self._word("not_used"), self._said(reason)] for column, reason in report.left_out.items()]
        if rows:
            self._table("left_out_columns", rows)
        else:
            self._add("", "nothing")

    def _evidence(self, check: str, evidence: str) -> str:
        if self._language == "en" or check not in CHECKS_ZH:
            return f"{check}: {evidence}"
        return f"{CHECKS_ZH[check]}（{check}）：{evidence_in_chinese(evidence)}"

    def _leakage_measures(self) -> None:
        if not self._report.leakage_measures:
            return
        self._add("## ", "leakage_measures")
        words = MEASURE_WORDS[self._language]
        rows = [
            [words[one.name], one.text if self._language == "en" else one.text_zh, self._word(one.verdict)]
            for one in self._report.leakage_measures
        ]
        self._table("measure_columns", rows)

    def _limits(self) -> None:
        report, gates = self._report, self._task.gates
        self._add("## ", "limits")
        gap = report.random_split_gap
        if gap is not None:
            figures = {"random": _figure(gap.auc_random), "in_time": _figure(gap.auc_in_time)}
            if gap.gap > 0:
                self._add("- ", "gap", gap=f"{gap.gap:.3f}", **figures)
            else:
                self._add("- ", "no_gap", **figures)
        off = segments_off(report.segments)
        if off:
            named = "; ".join(f"{self._called(one.field)} = {one.category}" for one in off)
            self._add("- ", "segments_off", segments=named)
        # The first is said by the card's own words.
        for limit in report.limits if report.has_time else report.limits[1:]:
            self._lines += [f"- {self._said(limit)}", ""]
        if not report.has_time:
            self._add("- ", "no_time")
        events = self._predictor.about.n_positives
        if events < gates.min_positives_for_boosting:
            self._add("- ", "few", events=events, needed=gates.min_positives_for_boosting)
        if report.metrics["test"]["auc"] > TOO_GOOD:
            self._add("- ", "strong")
        if report.intervals.get("ece", (0.0, 0.0))[0] > gates.max_ece:
            self._add("- ", "shaky", ece=_figure(report.metrics["test"]["ece"]))
        self._add("- ", "association")
        self._add("- ", f"effort_{self._task.tells_of}")


def _row(cells: list[str]) -> str:
    # A bar inside a category would end the cell.
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def _spread(value: Interval) -> str:
    return f"{_figure(value.value)} ({_figure(value.low)} – {_figure(value.high)})"
