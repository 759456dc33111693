"""The refresh as a process of its own, so that answering requests does not wait for it.

`python -m serving.refresh_process <task>` with the configuration as JSON on standard input.
"""

from __future__ import annotations

import os
import sys

from crm.config import Config
from models.task_files import entity_task


def main() -> None:
    """Refresh once."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from serving.logs import configure_logs
    from serving.refresh import refresh_scores

    configure_logs()
    # Behind whoever answers requests: on a busy machine a refresh may take longer, an answer may not.
    os.nice(5)
    refresh_scores(Config.model_validate_json(sys.stdin.read()), entity_task(sys.argv[1]))


if __name__ == "__main__":
    main()
