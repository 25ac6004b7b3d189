"""How a model did in a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from action_space.actions import ACTION
from agent.describe import describe
from evals.acts import acts_of
from evals.outcome import comparison_as_json
from evals.protocols.values import Act, Rule, Score
from evals.protocols.values import Step as Scored
from evals.recordings import Question
from evals.replay import Answer
from evals.scoring import Comparison, compare

METRICS = {
    "type": "type",
    "grounding": "grounding",
    "step_success": "",
    "episode_success": "success_rate",
    "progress": "goal_progress",
}
"""Name of a replay's number -> the part of the rule `recorded` that it is; "" is the rule's result itself."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One model. verdicts: step -> its score by `recorded`, steps that a semi-online replay did not reach included.

    complete: False if the replay was cut short.
    """

    label: str
    dialect: str
    answers: Mapping[str, Answer]
    comparisons: Sequence[Comparison]
    verdicts: Mapping[str, Score]
    complete: bool

    @property
    def metrics(self) -> dict[str, float | None]:
        result = self.comparisons[0].model
        return {name: result.parts.get(part) if part else result.value for name, part in METRICS.items()}

    @property
    def tokens(self) -> tuple[int, int]:
        """In, out."""
        answers = self.answers.values()
        return sum(each.tokens_in for each in answers), sum(each.tokens_out for each in answers)

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.answers.values())

    @property
    def model_s(self) -> float:
        """Of the seconds, the model's own."""
        return sum(each.model_s for each in self.answers.values())


def stand(
    label: str,
    dialect: str,
    rules: Sequence[Rule],
    questions: Sequence[Question],
    answers: Mapping[str, Answer],
    unreached: frozenset[str],
    *,
    complete: bool,
) -> Standing:
    """Score what a model said. rules: `recorded` first. unreached: steps after a semi-online miss; they count as
    missed."""

    def predict(step: Scored) -> Sequence[Act] | None:
        if step.id in answers:
            return acts_of(answers[step.id].action)
        return () if step.id in unreached else None

    steps = [question.scored for question in questions]
    verdicts = {}
    for step in steps:
        if (acts := predict(step)) is not None:
            verdicts[step.id] = Score(0, "not reached") if step.id in unreached else rules[0].score(step, acts)
    return Standing(label, dialect, answers, compare(rules, steps, predict), verdicts, complete)


def standing_as_json(standing: Standing, questions: Sequence[Question], *, times: bool) -> dict[str, object]:
    """The same for the same answers, unless times are asked for."""
    tokens_in, tokens_out = standing.tokens
    measured = {"seconds": round(standing.seconds, 3)} if times else {}
    return {
        "model": standing.label,
        "dialect": standing.dialect,
        "complete": standing.complete,
        "asked": len(standing.answers),
        "metrics": standing.metrics,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        **measured,
        "protocols": {each.rule.name: comparison_as_json(each) for each in standing.comparisons},
        "steps": [_step_as_json(each, standing) for each in questions if each.scored.id in standing.verdicts],
    }


def _step_as_json(question: Question, standing: Standing) -> dict[str, object]:
    name = question.scored.id
    score, answer = standing.verdicts[name], standing.answers.get(name)
    row: dict[str, object] = {"id": name, "recorded": _action_as_json(question.step.action)}
    if answer is not None:
        row |= {
            "action": _action_as_json(answer.action),
            "plan": answer.plan,
            "reply": answer.reply,
            "mistake": answer.mistake,
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
        }
    return row | {"value": score.value, "why": score.why}


def _action_as_json(action: Any) -> object:  # noqa: ANN401 (the union of actions is no class)
    return None if action is None else ACTION.dump_python(action, mode="json")


def said(answer: Answer | None) -> str:
    """What a model did, in a few words."""
    if answer is None:
        return "not asked"
    return describe(answer.action) if answer.action is not None else f"no action: {answer.mistake}"
