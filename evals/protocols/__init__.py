"""Named and versioned scoring rules, one file each.

Rules of the same benchmark disagree with each other widely, so a number without its rule says nothing. Each follows its
source exactly, dead code and holes included; the docstring of its file says which. `recorded` and `point-in-box` are
our own.
"""

from pkgutil import resolve_name

from action_space.errors import ConfigError
from evals.protocols.values import Rule

PROTOCOLS: dict[str, str] = {
    "recorded": "evals.protocols.recorded:RULE",
    "point-in-box": "evals.protocols.point_in_box:RULE",
    "screenspot": "evals.protocols.screenspot:RULE",
    "screenspot-pro": "evals.protocols.screenspot_pro:RULE",
    "osworld-g": "evals.protocols.osworld_g:RULE",
    "qwen-androidcontrol": "evals.protocols.qwen_androidcontrol:RULE",
    "agentcpm": "evals.protocols.agentcpm:RULE",
    "osatlas-14": "evals.protocols.osatlas_14:RULE",
    "uground-androidcontrol": "evals.protocols.uground_androidcontrol:RULE",
    "seeclick-mind2web": "evals.protocols.seeclick_mind2web:RULE",
    "uground-mind2web": "evals.protocols.uground_mind2web:RULE",
    "aitw": "evals.protocols.aitw:RULE",
    "gui-odyssey": "evals.protocols.gui_odyssey:RULE",
    "agentnet": "evals.protocols.agentnet:RULE",
    "omniact": "evals.protocols.omniact:RULE",
}
"""Name -> module:attr of its Rule."""


def load_rule(name: str) -> Rule:
    """The rule of a name. Raises ConfigError."""
    if name not in PROTOCOLS:
        raise ConfigError(f"the protocol {name!r} is unknown: choose one of {', '.join(PROTOCOLS)}")
    rule: Rule = resolve_name(PROTOCOLS[name])
    return rule


def rules_of(benchmark: str, names: tuple[str, ...] = ()) -> list[Rule]:
    """All rules of a benchmark, or the named ones. Raises ConfigError for one that does not apply."""
    rules = [
        rule for rule in map(load_rule, dict.fromkeys(names or PROTOCOLS)) if names or benchmark in rule.benchmarks
    ]
    for rule in rules:
        if benchmark not in rule.benchmarks:
            valid = ", ".join(name for name in PROTOCOLS if benchmark in load_rule(name).benchmarks)
            raise ConfigError(f"the protocol {rule.name!r} does not score {benchmark!r}: choose one of {valid}")
    return rules
