"""What holds for every test: one thread a pool, one time zone, no setting from outside, no silent skip in test-all."""

from __future__ import annotations

import os

# Set before NumPy, Arrow or LightGBM are imported: two spinning thread pools on two cores take ten times as long.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ["OMP_WAIT_POLICY"] = "passive"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
os.environ["TZ"] = "UTC"

import gc
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

time.tzset()
# Histories are drawn the same way in every run; a new counter-example is a new test, not a coin toss.
settings.register_profile("salescast", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("salescast")

# Folders whose files share a company that takes ten seconds to make and train.
_ONE_COMPANY = ("tests/serving/routes/",)
_ABSENT_DATA = ("shared", "SALESCAST_SHARED_DATA")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No `SALESCAST_*` variable of the developer reaches a test."""
    for name in list(os.environ):
        if name.startswith("SALESCAST_") and name not in {"SALESCAST_REQUIRE_ALL", "SALESCAST_SHARED_DATA"}:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; a test that asks for it is skipped by name where it is absent."""
    folder = Path(os.environ.get("SALESCAST_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("the shared data folder is absent (SALESCAST_SHARED_DATA names it)")
    return folder


def pytest_collection_finish() -> None:
    """Spare every later collection of garbage the modules and tests that stay until the end: a tenth of the run."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Give them back: extension modules report what is left when the interpreter ends."""
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give every file to one worker, as `--dist loadfile` does, and all files that share one costly company as well."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((folder for folder in _ONE_COMPANY if file.startswith(folder)), file)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let `make test-all` fail where a system package is missing, by its name."""
    report = yield
    if os.environ.get("SALESCAST_REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(word in reason for word in _ABSENT_DATA):
            report.outcome = "failed"
            report.longrepr = f"test-all skips nothing that can be installed: {reason}"
    return report
