"""Errors, classed by who must act.

ClickwrightError
 +-- ModelMistake          the model: the text goes back to it, and the run goes on
 |    +-- InvalidAction      the reply is not an action, or a coordinate is outside the screen
 |    +-- UnsupportedAction  a valid action that this environment cannot carry out
 |    +-- PolicyRefusal      an action that the policy or the person refused
 +-- ConfigError           the operator: wrong option, missing file, unwritable folder (exit 2)
 |    +-- RecordingError     the trajectory could not be written, e.g. a full disk (exit 2)
 +-- Paused                the person: somebody else uses the mouse or the keyboard, so the run waits for a word
 +-- DeviceError           the device: closed page, crashed browser, failed screenshot (exit 3)
 +-- ModelError            the model or its server: bad checkpoint, no answer (exit 4)

Anything else is a bug and is not caught. Every text is one line: what happened, and what to do.
"""


class ClickwrightError(Exception):
    """Root of every error that is meant for a person or a model to read."""


class ModelMistake(ClickwrightError):  # noqa: N818 (the model errs, not the program)
    """The model did something that cannot be carried out; the text tells it what would be valid."""


class InvalidAction(ModelMistake):
    """The reply does not hold exactly one valid action."""


class UnsupportedAction(ModelMistake):
    """The environment has no such action."""


class PolicyRefusal(ModelMistake):
    """The policy or a person refused the action."""


class ConfigError(ClickwrightError):
    """Usage or configuration: the operator has to change something."""


class RecordingError(ConfigError):
    """The trajectory could not be written; what was written before is intact."""


class Paused(ClickwrightError):  # noqa: N818 (a stop, not a fault)
    """A person uses the mouse or the keyboard themselves: nothing more is done until they say so."""


class DeviceError(ClickwrightError):
    """The screen could not be read or the input not delivered."""


class ModelError(ClickwrightError):
    """The model could not be loaded or did not answer."""
