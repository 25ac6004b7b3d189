"""A model that says what a script says: deterministic runs of everything around the model.

A script is a text file with one reply per line (blank lines are skipped), or, when its name ends in `.jsonl`, one JSON
value per line: a string, or an object with the fields of `ScriptLine`, for replies with newlines or a cost.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from action_space.errors import ConfigError, ModelError
from action_space.messages import Message
from vlm.backends.base import Hear, Reply


class ScriptLine(BaseModel):
    """One reply and what it is said to have cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    tokens_in: int = Field(default=0, ge=0)
    tokens_out: int = Field(default=0, ge=0)
    prefill_s: float = Field(default=0.0, ge=0)
    decode_s: float = Field(default=0.0, ge=0)
    finished: bool = True
    forced_tokens: int = Field(default=0, ge=0)


_LINE: TypeAdapter[str | ScriptLine] = TypeAdapter(str | ScriptLine)


class ScriptedModel:
    """Gives its replies in order. `asked`, `constraints` and `attempts` keep what every call gave, newest last."""

    name = "scripted"
    dialect = "computer_use"
    constrained = False
    looks = 0

    def __init__(self, replies: Iterable[str | ScriptLine]) -> None:
        self._lines = tuple(ScriptLine(text=line) if isinstance(line, str) else line for line in replies)
        self.asked: list[tuple[Message, ...]] = []
        self.constraints: list[str | None] = []
        self.attempts: list[int] = []

    def generate(
        self,
        messages: Sequence[Message],
        *,
        min_pixels: int | None = None,  # noqa: ARG002 (a script sees no pictures)
        max_pixels: int | None = None,  # noqa: ARG002
        constraint: str | None = None,
        max_new_tokens: int = 256,  # noqa: ARG002
        attempt: int = 0,
        heard: Hear | None = None,
    ) -> Reply:
        """The next reply of the script. Raises ModelError when there is none left."""
        position = len(self.asked)
        self.asked.append(tuple(messages))
        self.constraints.append(constraint)
        self.attempts.append(attempt)
        if position >= len(self._lines):
            raise ModelError(f"the script has no reply left after {len(self._lines)}: add lines to it")
        line = self._lines[position]
        if heard is not None:
            heard(line.text)
        return Reply(
            text=line.text,
            tokens_in=line.tokens_in,
            tokens_out=line.tokens_out,
            prefill_s=line.prefill_s,
            decode_s=line.decode_s,
            finished=line.finished,
            forced_tokens=line.forced_tokens,
        )


def load_script(path: str | Path) -> ScriptedModel:
    """The model that plays the script at `path`. Raises ConfigError naming the file, and the line that is malformed."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the script {str(path)!r}: {error}") from error
    # Not splitlines(): it would also cut a reply at U+2028 and its kin.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if path.suffix != ".jsonl":
        return ScriptedModel(line.rstrip("\r") for _, line in lines)
    return ScriptedModel(_parse(path, number, line) for number, line in lines)


def _parse(path: Path, number: int, line: str) -> str | ScriptLine:
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        raise ConfigError(
            f"{path}:{number}: {line[:80]!r} is neither a JSON string nor an object with a 'text'"
        ) from error
