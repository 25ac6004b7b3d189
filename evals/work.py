"""Values that travel between the runner and its workers; all of them can be pickled."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from action_space.errors import ClickwrightError, ConfigError, DeviceError, ModelError

Do = Callable[[Any], Any]
"""Does one item: from its data to its result."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker does. opens: module:attr of a function that takes `settings` and opens what all items need, the
    model above all: a context that gives a `Do`."""

    opens: str
    settings: Any

    def open(self) -> AbstractContextManager[Do]:
        """Raises ClickwrightError when it is entered."""
        context: AbstractContextManager[Do] = resolve_name(self.opens)(self.settings)
        return context


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do. key: its name, for people. data: what `Do` takes."""

    key: str
    data: Any


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an item: a result, or why there is none.

    cause: the error behind it, where it was a readable one. hopeless: no other item would fare better, so the
    measurement ends with the cause. broken: the worker is of no use any more.
    """

    item: Item
    result: Any = None
    error: str = ""
    cause: ClickwrightError | None = None
    hopeless: bool = False
    broken: bool = False


def attempt(do: Do, item: Item) -> Done:
    """Do one item. A model or device that fails costs this item; what the operator has to change ends it all."""
    try:
        return Done(item, do(item.data))
    except (ModelError, DeviceError) as error:
        return Done(item, error=str(error), cause=error)
    except ConfigError as error:
        return Done(item, error=str(error), cause=error, hopeless=True)
