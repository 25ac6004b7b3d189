"""Benchmarks: one loader a file, all scored by named rules."""

from pkgutil import resolve_name

from action_space.errors import ConfigError
from evals.benchmarks.reading import Source

BENCHMARKS: dict[str, str] = {
    "screenspot": "evals.benchmarks.screenspot:V1",
    "screenspot-v2": "evals.benchmarks.screenspot:V2",
    "screenspot-pro": "evals.benchmarks.screenspot_pro:SOURCE",
    "osworld-g": "evals.benchmarks.osworld_g:SOURCE",
    "androidcontrol": "evals.benchmarks.android_control:SOURCE",
    "androidcontrol-tfrecord": "evals.benchmarks.android_control_tfrecord:SOURCE",
    "mind2web": "evals.benchmarks.mind2web:JSON",
    "multimodal-mind2web": "evals.benchmarks.mind2web:PARQUET",
    "aitw": "evals.benchmarks.aitw:SOURCE",
    "gui-odyssey": "evals.benchmarks.gui_odyssey:SOURCE",
    "agentnet": "evals.benchmarks.agentnet:SOURCE",
    "omniact": "evals.benchmarks.omniact:SOURCE",
    "generated": "evals.benchmarks.generated:SOURCE",
}
"""Name -> module:attr of its Source."""


def load_source(name: str) -> Source:
    """The format of a benchmark. Raises ConfigError."""
    if name not in BENCHMARKS:
        raise ConfigError(f"the benchmark {name!r} is unknown: choose one of {', '.join(BENCHMARKS)}")
    source: Source = resolve_name(BENCHMARKS[name])
    return source
