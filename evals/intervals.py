"""How sure a success rate is."""

from math import sqrt

Z_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval for `successes` of `trials`, both ends between 0 and 1. Raises ValueError."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} of {trials} is no success rate: need 0 <= successes <= trials, trials >= 1")
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
