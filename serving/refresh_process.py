"""The refresh as a process of its own, so that answering requests does not wait for it.

`python -m serving.refresh_process <task>` with the configuration as JSON on standard input; `sales_forecast` publishes
a forecast, every other task its scores.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from crm.config import Config
from models.task_files import entity_task
from models.tasks.sales_forecast import TASK as FORECAST


def main() -> None:
    """Refresh once."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from serving.logs import configure_logs

    configure_logs()
    # Behind whoever answers requests: on a busy machine a refresh may take longer, an answer may not.
    os.nice(5)
    config, task = Config.model_validate_json(sys.stdin.read()), sys.argv[1]
    if task == FORECAST.name:
        _forecast(config)
    else:
        from serving.refresh import refresh_scores

        refresh_scores(config, entity_task(task))


def _forecast(config: Config) -> None:
    from crm.app_database import open_database
    from serving.forecasting import publish_forecast

    engine = open_database(config.database.url)
    try:
        publish_forecast(config, FORECAST, engine, now=datetime.now(UTC), by="service")
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
