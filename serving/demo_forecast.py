"""The forecast of the demo company: trained, promoted and published like that of any other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine

from crm.config import Config
from models.champions import current
from models.promote import Refused, promote
from models.tasks.sales_forecast import TASK
from serving.forecasting import publish_forecast
from serving.training import train_task


def forecast_demo(config: Config, engine: Engine, *, is_new: bool, tell: Callable[[str], None]) -> None:
    """Train, promote and publish the forecast; what stands already is kept.

    Parameters
    ----------
    config : Config
        From `demo_config`.
    engine : Engine
        The application database, for the ledger.
    is_new : bool
        Whether the record changed since the last call.
    tell : callable
        Told each step as it begins.
    """
    if is_new or current(config.champions_folder, TASK.name) is None:
        tell(f"train {TASK.name}")
        trained = train_task(config, TASK)
        test, naive = (trained.metrics.get(side, {}).get("mase", float("nan")) for side in ("test", "baseline"))
        tell(f"  {trained.status}: scaled error {test:.2f} on past months not learned from, last year's {naive:.2f}")
        if trained.status != "refused":
            try:
                promote(TASK, config=config, by="demo")
            except Refused as refused:
                tell(f"  refused: {refused}")
    if current(config.champions_folder, TASK.name) is None:
        tell("  no forecast is published")
        return
    done = publish_forecast(config, TASK, engine, now=datetime.now(UTC), by="demo")
    tell(f"  {done.n_series:,} series of {len(done.company)} measures forecast, {done.n_rows:,} rows in the ledger")
