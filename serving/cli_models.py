"""Commands about models: train, promote, roll back, list, score a file."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli_errors import REFUSED, NotPossible
from serving.cli_forecast import show_accuracy
from serving.cli_output import AsJson, config_of, note, print_json, print_rows, progress

if TYPE_CHECKING:
    from models.report import TrainReport

TaskName = Annotated[str, typer.Argument(help="The task, for instance lead_score.")]
SHOWN_METRICS = ("log_loss", "auc", "brier", "ece", "lift_at_10")


def add_commands(app: typer.Typer) -> None:
    """Let `app` know the commands of this module."""
    app.command()(train)
    app.command()(promote)
    app.command()(rollback)
    app.command("models")(list_models)
    app.command()(score)


def train(
    context: typer.Context,
    task: TaskName,
    rows: Annotated[str, typer.Option(help="auto, record (history) or observations (a flat table).")] = "auto",
    seed: Annotated[int | None, typer.Option(help="Random state; the configured one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find leaks, train, judge once on the newest rows, and register the model as a challenger."""
    from models.task_files import task_named
    from serving.training import RowSource, train_task

    try:
        source = RowSource(rows)
    except ValueError:
        raise NotPossible(f"--rows takes {', '.join(RowSource)}; came {rows!r}") from None
    config = config_of(context)
    stated = task_named(task)
    with progress(f"train {task}") as tell:
        report = train_task(config, stated, source=source, seed=seed, on_progress=tell)
    if as_json:
        print_json(report.to_dict())
    else:
        _show(report)
    if report.status == "refused":
        raise typer.Exit(REFUSED)


def _show(report: TrainReport) -> None:
    from models.series_report import SeriesReport

    typer.echo(f"{report.task}: {report.status}" + (f" ({report.reason})" if report.reason else ""))
    if report.leakage:
        typer.echo("\nleft out:")
        print_rows(
            ("column", "verdict", "check", "evidence"),
            [(one.column, one.verdict, one.check, one.evidence) for one in report.leakage],
        )
    if report.status == "refused":
        return
    typer.echo(f"\n{report.n_train:,} rows to learn from, {report.n_test:,} to be judged on, {report.learner}")
    if isinstance(report, SeriesReport):
        show_accuracy(report.accuracy)
    else:
        _show_metrics(report)
    for limit in report.limits:
        typer.echo(limit)
    version = f"version {report.model_version}, run {report.run_id}" if report.model_version else "not in MLflow"
    typer.echo(f"\nchallenger {report.digest[:12]} ({version}); `salescast promote {report.task}` lets it answer")


def _show_metrics(report: TrainReport) -> None:
    rows = [(name, *(_figure(report.metrics, side, name) for side in report.metrics)) for name in SHOWN_METRICS]
    print_rows(("", *report.metrics), rows)
    gap = report.random_split_gap
    if gap is not None and gap.gap > 0:
        typer.echo(
            f"\nA random split would show an AUC of {gap.auc_random:.3f} instead of {gap.auc_in_time:.3f}: "
            f"{gap.gap:+.3f} that the future will not give."
        )
    elif gap is not None:
        typer.echo(f"\nA random split shows no more: AUC {gap.auc_random:.3f}; in time {gap.auc_in_time:.3f}.")


def _figure(metrics: Mapping[str, Mapping[str, float]], side: str, name: str) -> str:
    value = metrics[side].get(name)
    return "" if value is None else f"{value:.4f}"


def promote(
    context: typer.Context,
    task: TaskName,
    version: Annotated[str | None, typer.Option(help="The challenger; the newest by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Promote though a gate refuses; it is written down.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a challenger answer, when every gate agrees."""
    from models.promote import promote as let_answer
    from models.task_files import task_named

    done = let_answer(task_named(task), version, config=config_of(context), by=getpass.getuser(), is_forced=force)
    if as_json:
        print_json(done)
        return
    print_rows(
        ("gate", "", "evidence"),
        [(check.name, "open" if check.passed else "closed", check.evidence) for check in done.verdict.checks],
    )
    note(f"{task}: {done.published.digest[:12]} answers now" + (" (forced)" if done.forced else ""))
    if done.registry:
        note(done.registry)


def rollback(context: typer.Context, task: TaskName, as_json: AsJson = False) -> None:
    """Let the champion before the present one answer again."""
    from models.promote import rollback as go_back
    from models.task_files import task_named

    published, registry = go_back(task_named(task), config=config_of(context), by=getpass.getuser())
    if as_json:
        print_json(published)
        return
    note(f"{task}: {published.digest[:12]} answers again")
    if registry:
        note(registry)


def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List what answered and what answers, by task."""
    from models.champions import history
    from models.task_files import task_names
    from models.tasks.sales_forecast import TASK

    config = config_of(context)
    found = {task: history(config.champions_folder, task) for task in (*task_names(), TASK.name)}
    if as_json:
        print_json(found)
        return
    rows = [
        (
            "*" if place == len(entries) else "",
            task,
            entry.action,
            entry.version,
            entry.digest[:12],
            entry.published_at,
            entry.by,
        )
        for task, entries in found.items()
        for place, entry in enumerate(entries, start=1)
    ]
    print_rows(("", "task", "action", "version", "digest", "published", "by"), rows)


def score(
    context: typer.Context,
    task: TaskName,
    source: Annotated[Path, typer.Option("--input", help="New rows, in the form of a source of the mapping.")],
    mapping: Annotated[Path, typer.Option(help="The mapping through which such rows were ingested.")],
    out: Annotated[Path, typer.Option(help="A file that ends in .csv or .parquet; replaced when it exists.")],
    as_json: AsJson = False,
) -> None:
    """Score rows never seen, without taking them in; one row out for each row in, same order."""
    from crm.mapping import read_mapping
    from models.task_files import entity_task
    from serving.score_file import score_file

    config = config_of(context)
    done = score_file(
        config, entity_task(task), mapping=read_mapping(mapping), source=source, target=out, now=datetime.now(UTC)
    )
    if as_json:
        print_json(done)
        return
    for reject in done.rejects:
        note(f"left out line {reject.line}" + (f", {reject.column}" if reject.column else "") + f": {reject.reason}")
    statuses = ", ".join(f"{count:,} {status}" for status, count in sorted(done.by_status.items()))
    note(f"{done.n_rows:,} rows in {out}: {statuses or 'none'}")
