"""The one configuration file, `salescast.yaml`, validated; the environment stands above it.

An environment variable `SALESCAST_<SECTION>__<KEY>` (for instance `SALESCAST_DATABASE__URL`) replaces the
value of the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from crm.yaml_file import BadYaml, Section, parse_yaml

PREFIX = "SALESCAST_"
# Variables under our prefix that are no settings: the settings file, and what tests are told.
_NO_SETTINGS = frozenset({f"{PREFIX}CONFIG", f"{PREFIX}REQUIRE_ALL", f"{PREFIX}SHARED_DATA"})
DEFAULT_FILE = Path("salescast.yaml")

Days = Annotated[int, Field(ge=0, le=3660)]


class StoreSection(Section):
    """Where the record and everything derived from it lie."""

    folder: Path = Field(default=Path("var"), description="Record, models, scores and rejected rows lie below it.")
    keep_generations: int = Field(
        default=30, ge=2, le=100_000, description="States of the record that stay after an ingest, the newest first."
    )


class DatabaseSection(Section):
    """Where the application keeps users, keys, predictions and decisions."""

    url: str = Field(default="sqlite:///var/salescast.db", description="SQLAlchemy URL: SQLite or PostgreSQL.")


class MlflowSection(Section):
    """Where training runs are tracked."""

    tracking_uri: str = Field(default="sqlite:///var/mlflow.db", description="A database or an MLflow server.")
    artifacts: Path = Field(default=Path("var/mlflow-artifacts"), description="Artefacts, unless a server keeps them.")
    experiment: str = Field(default="salescast", description="Experiment of all training runs.")


class CompanySection(Section):
    """How the company counts money and time."""

    name: str = Field(default="My company", description="As it stands on cards and pages.")
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$", description="Reporting currency, ISO 4217.")
    amounts: Literal["net", "gross"] = Field(
        default="net",
        description="Bookings and revenue without tax or with it; margins are always net, receipts gross.",
    )
    time_zone: str = Field(default="Asia/Shanghai", description="Where the company's days begin, an IANA name.")
    fiscal_year_starts: int = Field(default=1, ge=1, le=12, description="First month of the fiscal year.")
    holidays: str = Field(default="CN", description="Country code of the holiday calendar.")
    corrects_reps: bool = Field(
        default=True,
        description="Correct what salespeople say of open deals by their own past, shrunk to that of their peers.",
    )
    languages: tuple[Literal["en", "zh"], ...] = Field(default=("en", "zh"), description="Languages of cards.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("expected an IANA time zone such as Asia/Shanghai") from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.time_zone)


class TaskSection(Section):
    """Overrides one task's own file."""

    event: str | None = Field(default=None, description="The outcome that counts, one that the task file lists.")
    horizon_days: Days | None = Field(default=None, description="Days within which it has to happen.")
    gap_days: Days | None = Field(default=None, description="Days between the score and the window.")


class GradesSection(Section):
    """Lowest score of each grade; a retraining never moves them."""

    A: int = Field(default=75, ge=1, le=100, description="Lowest score of grade A.")
    B: int = Field(default=50, ge=1, le=100, description="Lowest score of grade B.")
    C: int = Field(default=25, ge=1, le=100, description="Lowest score of grade C.")

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if not self.A > self.B > self.C:
            raise ValueError("expected A above B above C")
        return self

    def grade(self, score: int) -> str:
        """The grade of a score.

        Examples
        --------
        >>> GradesSection().grade(50)
        'B'
        """
        return "A" if score >= self.A else "B" if score >= self.B else "C" if score >= self.C else "D"


class ServingSection(Section):
    """How the API listens."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    key_cache_seconds: float = Field(default=1.0, ge=0, le=60, description="How long a revoked key may still open.")
    most_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024, description="Largest request that is read.")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in {"127.0.0.1", "::1", "localhost"}


class CollectionSection(Section):
    """When an invoice counts as late and very late, in days past due."""

    late_days: Days = Field(default=1, description="Days past due from which it is late.")
    very_late_days: Days = Field(default=30, description="Days past due from which it is very late.")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.late_days < self.very_late_days:
            raise ValueError("expected very_late_days above late_days")
        return self


class Config(Section):
    """Everything that can be set."""

    store: StoreSection = StoreSection()
    database: DatabaseSection = DatabaseSection()
    mlflow: MlflowSection = MlflowSection()
    company: CompanySection = CompanySection()
    tasks: dict[str, TaskSection] = Field(default_factory=dict)
    grades: GradesSection = GradesSection()
    collection: CollectionSection = CollectionSection()
    serving: ServingSection = ServingSection()
    seed: int = Field(default=20260101, description="Random state of trainings.")

    @property
    def record_folder(self) -> Path:
        """Where the record's generations lie."""
        return self.store.folder / "record"

    @property
    def scores_folder(self) -> Path:
        """Where the scores of the last refresh lie."""
        return self.store.folder / "scores"

    @property
    def forecasts_folder(self) -> Path:
        """Where the published forecasts lie."""
        return self.store.folder / "forecasts"

    @property
    def spool_folder(self) -> Path:
        """Where predictions wait while the database is away."""
        return self.store.folder / "spool"

    @property
    def champions_folder(self) -> Path:
        """Where the published models lie."""
        return self.store.folder / "champions"


def read_config(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of a file, with the environment on top.

    Parameters
    ----------
    path : Path or None
        The file; None reads `salescast.yaml` when it exists and the defaults otherwise.
    environment : mapping or None
        Variables; None takes the process's own.

    Raises
    ------
    BadYaml
        A setting is unknown or has a wrong value; the message names the line or the variable.
    """
    variables = os.environ if environment is None else environment
    if path is None and not DEFAULT_FILE.exists():
        content, name = "", DEFAULT_FILE.name
    else:
        path = path or DEFAULT_FILE
        try:
            content, name = path.read_text(encoding="utf-8"), path.name
        except FileNotFoundError:
            raise BadYaml(f"{path.name}: no such file; --config names an existing one") from None
        except OSError as error:
            raise BadYaml(f"{path.name}: cannot be read ({error.strerror}); --config names a YAML file") from None
        except UnicodeDecodeError as error:
            raise BadYaml(f"{path.name}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    config = parse_yaml(content, Config, name=name)
    return _with_environment(config, variables)


def _with_environment(config: Config, variables: Mapping[str, str]) -> Config:
    values = config.model_dump(exclude_unset=True)
    used: list[str] = []
    for variable, text in sorted(variables.items()):
        if not variable.startswith(PREFIX) or variable in _NO_SETTINGS:
            continue
        _set(values, variable, text)
        used.append(variable)
    if not used:
        return config
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        # The value is not repeated: it may be a password.
        faults = [f"environment, {_variable_of(fault['loc'], used)}: {fault['msg']}" for fault in error.errors()]
        raise BadYaml("\n".join(faults)) from None


def _set(values: dict[str, Any], variable: str, text: str) -> None:
    parts = variable.removeprefix(PREFIX).lower().split("__")
    section = values
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise BadYaml(f"environment, {variable}: {part} has no settings below it")
    try:
        section[parts[-1]] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise BadYaml(f"environment, {variable}: no valid YAML; put the text in quotes") from None


def _variable_of(location: tuple[int | str, ...], used: list[str]) -> str:
    """The variable that set what stands at a location of the settings; the location itself when none did."""
    name = PREFIX + "__".join(str(part) for part in location).upper()
    return next((one for one in used if name.startswith(one) or one.startswith(name)), ".".join(map(str, location)))
