"""The rows of money of the present record at any moment asked for, read once and kept until the record changes."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from crm.config import Config
from crm.store import BrokenStore, Generation, Store
from models.tasks.sales_forecast import TASK

# Whoever only scores does without pandas and scipy; they are loaded when the rows of money are asked for.
if TYPE_CHECKING:
    from models.bridge import Moment
    from models.deal_what_if import BookingSample

# A state of a middling company takes some tens of megabytes.
_MOST_KEPT = 6
_DRAWS = 500


class FlowViews:
    """States and samples by moment; safe to share between threads, one of which reads while the others wait.

    Parameters
    ----------
    config : Config
        The settings.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()
        self._moments: OrderedDict[tuple[str, datetime], Moment] = OrderedDict()
        self._sample: tuple[str, BookingSample] | None = None

    def moment(self, generation: Generation, as_of: datetime) -> Moment:
        """What a generation of the record knew at a moment, and what is learned of it.

        Raises
        ------
        crm.money.NoRate
            An amount's currency has no exchange rate by its day.
        """
        with self._lock:
            return self._moment(generation, as_of)

    def _moment(self, generation: Generation, as_of: datetime) -> Moment:
        from features.flow_state import read_flow_state
        from models.bridge import Moment
        from models.flow_laws import learn_flows

        key = (generation.digest, as_of)
        found = self._moments.get(key)
        if found is None:
            company = self._config.company
            state = read_flow_state(generation, as_of, zone=company.zone, currency=company.currency)
            found = self._moments[key] = Moment(
                state=state, laws=learn_flows(state, country=company.holidays, corrects_reps=company.corrects_reps)
            )
        self._moments.move_to_end(key)
        while len(self._moments) > _MOST_KEPT:
            self._moments.popitem(last=False)
        return found

    def sample(self, generation: Generation) -> BookingSample:
        """Joint draws of the bookings from the whole record; raises as `moment`."""
        from models.deal_what_if import sample_bookings

        with self._lock:
            if self._sample is None or self._sample[0] != generation.digest:
                moment = self._moment(generation, generation.recorded_to)
                drawn = sample_bookings(
                    moment.state, moment.laws, n_months=TASK.horizon_months, n_draws=_DRAWS, seed=self._config.seed
                )
                self._sample = (generation.digest, drawn)
            return self._sample[1]

    def told_then(self, generation: Generation, as_of: datetime) -> Generation:
        """The oldest generation still kept that reached a moment: what the record said then."""
        store, found = Store(self._config.record_folder), generation
        for number in range(generation.number - 1, 0, -1):
            try:
                older = store.generation(number)
            except BrokenStore:
                return found
            if older.recorded_to < as_of:
                return found
            found = older
        return found
