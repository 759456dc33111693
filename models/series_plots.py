"""The plots that a trained forecast keeps: the whole company from the present record; no customer is named in them."""

from __future__ import annotations

from crm.config import CompanySection
from crm.store import Generation
from models.joint_forecast import forecast_jointly
from models.parts_plot import write_parts
from models.series_bundle import COMPONENTS, FAN, SeriesModel
from models.series_plot import write_fans
from models.series_points import Batch
from models.series_task import SeriesTask


def plot_company(
    model: SeriesModel, task: SeriesTask, batch: Batch, generation: Generation, company: CompanySection
) -> dict[str, str]:
    """The fan, and the parts where a joint sample tells them, as SVG by file name.

    Parameters
    ----------
    model : SeriesModel
        What was learned.
    task : SeriesTask
        Measures, horizon and buckets.
    batch : Batch
        Series as known now.
    generation : Generation
        The record.
    company : CompanySection
        Time zone, currency, holidays, fiscal year.
    """
    said = forecast_jointly(model, task, batch, generation, generation.recorded_to, company)
    drawn = {FAN[language]: text for language, text in write_fans(said.forecasts, batch).items()}
    if said.joint is not None:
        parts = write_parts(said.joint, batch, company.fiscal_year_starts)
        drawn |= {COMPONENTS[language]: text for language, text in parts.items()}
    return drawn
