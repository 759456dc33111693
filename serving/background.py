"""What a running service does beside answering: follow the files on disk, renew scores and forecasts out of date."""

from __future__ import annotations

import asyncio
import sys
import time

import structlog

from crm.config import Config
from models.tasks.sales_forecast import TASK as FORECAST
from serving.errors import log_failure
from serving.forecast_due import due_forecast
from serving.live import POLL_SECONDS
from serving.service import Service

log = structlog.get_logger("serving.background")

# A refresh that failed is tried again that much later, or as soon as the record or the champion changes.
RETRY_SECONDS = 300.0


async def follow(service: Service) -> None:
    """Load what changes and refresh what is out of date, task by task, until cancelled."""
    failed: dict[str, tuple[int, str]] = {}
    retry_at: dict[str, float] = {}
    while True:
        await asyncio.sleep(POLL_SECONDS)
        if not await reloaded(service):
            continue
        for task in (*service.tasks, FORECAST.name):
            wanted = await asyncio.to_thread(due, service, task)
            if wanted is None or (wanted == failed.get(task) and time.monotonic() < retry_at[task]):
                continue
            if await refresh_aside(service.config, task):
                failed.pop(task, None)
                await reloaded(service)
            else:
                failed[task], retry_at[task] = wanted, time.monotonic() + RETRY_SECONDS


def due(service: Service, task: str) -> tuple[int, str] | None:
    """The record and champion from which a task has to be refreshed; None when nothing is due."""
    if task == FORECAST.name:
        return due_forecast(service)
    state = service.live.states[task]
    if state.record is None or state.champion is None or state.is_current:
        return None
    return state.record.generation.number, state.champion.published.digest


async def reloaded(service: Service) -> bool:
    """Whether what lies on disk could be taken in; otherwise what answered goes on, and the next round tries again."""
    try:
        await asyncio.to_thread(service.reload)
    except Exception as error:
        # Following must outlive whatever a half-written or strange file does to a reader.
        service.not_followed = f"what changed on disk cannot be taken in ({type(error).__name__})"
        log_failure(error, 0)
        return False
    service.not_followed = None
    return True


async def refresh_aside(config: Config, task: str) -> bool:
    """Refresh in another process; whether it ended well. Cancelling ends the process."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serving.refresh_process", task, stdin=asyncio.subprocess.PIPE
    )
    try:
        await process.communicate(config.model_dump_json().encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    log.info("refreshed", task=task, code=process.returncode, seconds=round(time.monotonic() - started, 1))
    return process.returncode == 0
