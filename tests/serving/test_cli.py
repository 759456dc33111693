"""The command line: exit codes, messages, machine output, and the whole chain on a flat file."""

import csv
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import structlog
import typer.main
from typer.testing import CliRunner

from serving.cli import app, main
from serving.cli_errors import EXIT_CODES
from serving.score_file import safe_cell

runner = CliRunner()


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["salescast", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize("name", sorted(EXIT_CODES))
def test_every_error_in_the_table_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(import_module(module), kind), Exception)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("readiness",), "no record in record/ yet"),
        (("ingest", "--mapping", "nowhere.yaml"), "nowhere.yaml: no such file"),
        (("train", "lead_scores"), "no task 'lead_scores'; there are "),
        (("--config", "nowhere.yaml", "readiness"), "nowhere.yaml: no such file"),
        (("train", "lead_score", "--rows", "guess"), "--rows takes auto, record, observations"),
        (("refresh", "next_product"), "next_product has no scores that stand ready"),
        (("keys", "create", "x", "--role", "boss"), "roles: director"),
        (("keys", "create", " ", "--role", "director"), "a login is 1 to 100 printable characters"),
        (("--config", ".", "models"), "cannot be read (Is a directory)"),
        (("serve", "--port", "70000"), "less than or equal to 65535"),
        (("backtest", "lead_score"), "lead_score is judged when it is trained"),
        (("backtest", "sales_forecast"), "no record in record/ yet"),
        (("plot", "fan", "--out", "fan.pdf"), "--out takes a file that ends in .svg or .png"),
        (("plot", "fan", "--out", "fan.svg", "--lang", "fr"), "--lang takes en or zh"),
        (("plot", "fan", "--out", "fan.svg"), "no forecast was published yet"),
        (("plot", "components", "--out", "nowhere/parts.svg"), "--out: there is no folder nowhere"),
        (("plot", "bridge", "--out", "bridge.svg", "--since", "June"), "--since and --until take a day"),
        (("plot", "bridge", "--out", "bridge.svg", "--period", "week"), "--period takes month, quarter or year"),
        (("plot", "accuracy", "--out", "a.svg", "--source", "hopes"), "--source takes backtest or ledger"),
        (("plot", "accuracy", "--out", "a.svg", "--source", "ledger"), "no ledger of bookings at the level company"),
        (("demo", "--size", "huge", "--no-serve"), "no demo company of size 'huge'"),
        (("export", "table", "leads", "--out", "x.exe"), "ends in .csv or .parquet"),
    ],
)
def test_bad_input_ends_with_2_and_one_message_without_a_traceback(
    words: tuple[str, ...],
    message: str,
    at_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("SALESCAST_SERVING__PORT", "canary", "environment, SALESCAST_SERVING__PORT: Input should be a valid integer"),
        ("SALESCAST_SERVIN__PORT", "1", "environment, SALESCAST_SERVIN__PORT: Extra inputs are not permitted"),
        ("SALESCAST_SEED__X", "1", "environment, SALESCAST_SEED__X:"),
        ("SALESCAST_SEED", "[canary", "environment, SALESCAST_SEED: no valid YAML"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not(
    variable: str,
    text: str,
    message: str,
    at_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, text)
    assert run_main(monkeypatch, "models") == 2
    said = capsys.readouterr().err
    assert message in said
    assert "canary" not in said


def test_what_tests_are_told_is_no_setting(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESCAST_REQUIRE_ALL", "1")
    monkeypatch.setenv("SALESCAST_SHARED_DATA", "data")
    assert run_main(monkeypatch, "models") == 0


def test_a_key_of_another_role_says_what_becomes_of_the_keys_before(at_home: Path) -> None:
    (at_home / "var").mkdir()
    runner.invoke(app, ["keys", "create", "d", "--role", "director"])
    assert (
        "d was director; all its keys open as rep"
        in runner.invoke(app, ["keys", "create", "d", "--role", "rep", "--rep", "R1"]).stderr
    )


def test_a_fault_of_ours_keeps_its_traceback(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("crm.store.Store.current", fail)
    monkeypatch.setattr("sys.argv", ["salescast", "readiness"])
    with pytest.raises(ZeroDivisionError):
        main()


def test_every_command_says_what_it_does() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    expected = {"demo", "export", "identities", "ingest", "keys", "models", "promote", "readiness", "refresh"}
    assert set(commands) == expected | {
        "accuracy",
        "backtest",
        "bridge",
        "call",
        "forecast",
        "hygiene",
        "plot",
        "receivables",
        "rollback",
        "score",
        "serve",
        "train",
    }
    assert all(command.help for command in commands.values())


def test_keys_are_made_listed_and_revoked(at_home: Path) -> None:
    (at_home / "var").mkdir()
    made = json.loads(runner.invoke(app, ["keys", "create", "d", "--role", "director", "--json"]).stdout)
    assert made["text"].startswith(f"sc_{made['prefix']}_")
    assert runner.invoke(app, ["keys", "revoke", made["prefix"]]).exit_code == 0
    (listed,) = json.loads(runner.invoke(app, ["keys", "list", "--json"]).stdout)
    assert listed["revoked_at"] is not None
    assert "text" not in listed


def test_exported_settings_hold_no_password(at_home: Path) -> None:
    (at_home / "salescast.yaml").write_text("database: {url: 'postgresql+psycopg://u:secret@db/x'}\n")
    shown = runner.invoke(app, ["export", "config"]).stdout
    assert "postgresql+psycopg://u:***@db/x" in shown
    assert "secret" not in shown


MAPPING = """
sources:
  - name: past
    file: past.csv
    observations:
      task: lead_score
      entity_id: Lead
      label: {from: Won, positive: "yes"}
      order: row_number
"""


def write_past(folder: Path, n_rows: int) -> None:
    with (folder / "past.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Lead", "Visits", "Channel", "Won"])
        for n in range(n_rows):
            # Many visits win two times out of three, few one time out of four.
            visits = n * 7 % 20
            won = n * 13 % 12 < (8 if visits > 9 else 3)
            writer.writerow([f"{n:04d}", visits, ["web", "=cmd()"][n % 2], "yes" if won else "no"])


@pytest.mark.slow
def test_a_flat_file_goes_in_is_trained_promoted_and_scores_rows_never_seen(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_past(at_home, 600)
    (at_home / "mapping.yaml").write_text(MAPPING)

    def run(*words: str) -> str:
        code = run_main(monkeypatch, *words)
        said = capsys.readouterr()
        assert code == 0, f"{words}: {said.err}"
        return said.out

    taken = json.loads(run("ingest", "--mapping", "mapping.yaml", "--json"))
    assert taken["sources"][0]["inserted"] == 600
    again = json.loads(run("ingest", "--mapping", "mapping.yaml", "--json"))
    assert again["sources"][0]["unchanged"] == 600
    report = json.loads(run("train", "lead_score", "--json"))
    asked = {"task", "status", "reason", "n_train", "n_test", "base_rate", "metrics", "intervals", "leakage"}
    assert asked | {"segments", "model_version", "run_id", "alias"} <= set(report)
    assert {"test", "baseline"} <= set(report["metrics"])
    run("promote", "lead_score")
    (at_home / "new.csv").write_text("Lead,Visits,Channel\nn1,19,web\nn2,0,=cmd()\nn3,many,web\n")
    done = json.loads(
        run("score", "lead_score", "--input", "new.csv", "--mapping", "mapping.yaml", "--out", "out.csv", "--json")
    )
    assert (done["n_rows"], [reject["line"] for reject in done["rejects"]]) == (2, [4])
    with (at_home / "out.csv").open(encoding="utf-8-sig", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["entity_id"], second["entity_id"]) == ("n1", "n2")
    assert float(first["probability"]) > float(second["probability"])
    assert not any(value.startswith("=") for value in second.values())
    run("score", "lead_score", "--input", "new.csv", "--mapping", "mapping.yaml", "--out", "out.parquet")
    rows = pq.read_table(at_home / "out.parquet").to_pylist()
    assert [row["probability"] for row in rows] == [float(first["probability"]), float(second["probability"])]
    run("refresh")
    assert "promote" in run("models")


def test_a_cell_that_begins_like_a_formula_is_made_plain_text() -> None:
    assert [safe_cell(text) for text in ("=1", "+1", "-1", "@x", "\tx")] == ["'=1", "'+1", "'-1", "'@x", "'\tx"]
    assert safe_cell(-1) == -1
