"""Decide: the loop, the planner, the policy and what is written down.

`from agent import run` is the way in from Python; nothing heavy is loaded before it is called for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.session import resume as resume
    from agent.session import run as run

__all__ = ["resume", "run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from agent import session

        return {"run": session.run, "resume": session.resume}[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
