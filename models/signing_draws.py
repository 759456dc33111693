"""All signatures to come, of every component, from one seed."""

from __future__ import annotations

import numpy as np

from models.deal_draws import draw_direct, draw_new_deals, draw_open_deals
from models.renewal_draws import draw_renewals, draw_renewals_of
from models.signings import Setting, Signings, join_signings


def draw_signings(setting: Setting, seed: int) -> Signings:
    """All signatures to come, of every component; each has a random stream of its own, so none moves another.

    Parameters
    ----------
    setting : Setting
        Record, laws, horizon, draws, shocks.
    seed : int
        Random state.
    """
    streams = [np.random.default_rng([seed, place]) for place in range(5)]
    every = join_signings(
        [
            draw_open_deals(setting, seed),
            draw_new_deals(setting, streams[1]),
            draw_direct(setting, streams[2]),
            draw_renewals(setting, streams[3]),
        ]
    )
    return join_signings([every, draw_renewals_of(setting, every, streams[4])])
