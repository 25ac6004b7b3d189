"""How sure a success rate is."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""

RESAMPLES = 1000


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval for `successes` of `trials`, both ends between 0 and 1. Raises ValueError."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} of {trials} is no success rate: need 0 <= successes <= trials, trials >= 1")
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def bootstrap(
    strata: Sequence[tuple[Floats, Floats]], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the mean over strata of sum(totals) / sum(weights).

    strata: the totals and weights of what is drawn with replacement, within its stratum: episodes, since the steps of
    one episode succeed and fail together. The same seed draws the same. Raises ValueError without strata.
    """
    if not strata:
        raise ValueError("nothing to draw from: need at least one stratum")
    rng = np.random.default_rng(seed)
    means = np.zeros(resamples)
    for totals, weights in strata:
        for number in range(resamples):
            drawn = np.bincount(rng.integers(0, len(totals), len(totals)), minlength=len(totals))
            means[number] += (drawn @ totals) / (drawn @ weights)
    low, high = np.quantile(means / len(strata), [0.025, 0.975])
    return float(low), float(high)
