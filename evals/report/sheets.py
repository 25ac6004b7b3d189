"""What a report shows of a replay, and of scored predictions."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from agent.trajectory import REPORT
from evals.acts import acts_of
from evals.benchmarks.reading import Broken
from evals.difference import Difference
from evals.outcome import Outcome
from evals.recordings import Question, Recording, Recordings
from evals.replay_tables import difference_counts, difference_rows
from evals.report.build import Contender, Episode, Sheet, Versus
from evals.report.cases import Case, Did
from evals.standing import Standing, said


def replay_sheet(
    recordings: Recordings,
    mode: str,
    standings: Sequence[Standing],
    differences: Sequence[Difference],
    broken: Sequence[Broken],
    path: Path,
    *,
    times: bool,
) -> Sheet:
    """path: where the report will lie, which links start from. times: say how long it took, which differs each time."""
    questions = recordings.questions
    facts = {"Mode": mode, "Runs": str(len(recordings.runs)), "Steps": str(len(questions))}
    facts |= {"Left out": f"{sum(recordings.left_out.values())} steps"} if recordings.left_out else {}
    models = ", ".join(standing.label for standing in standings)
    return Sheet(
        f"Replay: {models}",
        facts,
        [_contender(standing, times=times) for standing in standings],
        [case for question in questions if (case := _case(question, standings, path))],
        [_episode(run, standings, path) for run in recordings.runs if run.questions],
        [_versus(difference) for difference in differences],
        _titled({"runs and steps": [*recordings.broken, *broken], "steps": _without_answer(recordings)}),
    )


def _contender(standing: Standing, *, times: bool) -> Contender:
    tokens_in, tokens_out = standing.tokens
    facts = {"dialect": standing.dialect, "tokens in": f"{tokens_in:,}", "out": f"{tokens_out:,}"}
    if times and standing.answers:
        facts["seconds a step"] = f"{standing.seconds / len(standing.answers):.2f}"
    if not standing.complete:
        facts["cut short after"] = f"{len(standing.answers)} steps"
    numbers = {name.replace("_", " "): value for name, value in standing.metrics.items()}
    return Contender(standing.label, standing.comparisons, numbers, facts)


def _case(question: Question, standings: Sequence[Standing], path: Path) -> Case | None:
    """None for a step that nobody was asked."""
    name = question.scored.id
    did = [
        Did(
            each.label,
            acts_of(each.answers[name].action) if name in each.answers else None,
            each.verdicts[name],
            said(each.answers.get(name)),
        )
        for each in standings
        if name in each.verdicts
    ]
    if not did:
        return None
    picture = Path(question.scored.image)
    link = link_to(picture.parent.parent / REPORT, path)
    return Case(question.scored, picture, did, f"{link}#step-{question.step.number}" if link else "")


def _episode(run: Recording, standings: Sequence[Standing], path: Path) -> Episode:
    names = [question.scored.id for question in run.questions]
    right = [sum(each.verdicts[name].value == 1 for name in names if name in each.verdicts) for each in standings]
    return Episode(
        run.name, run.trajectory.header.task, link_to(run.trajectory.folder / REPORT, path), right, len(names)
    )


def link_to(report: Path, path: Path) -> str:
    """To a run's own report, from the folder of ours; "" where there is none."""
    if not report.is_file():
        return ""
    return quote(Path(os.path.relpath(report.absolute(), path.absolute().parent)).as_posix())


def _without_answer(recordings: Recordings) -> list[Broken]:
    return [Broken(f"{count} steps", why) for why, count in recordings.left_out.items()]


def _versus(difference: Difference) -> Versus:
    rows, counts = difference_rows(difference), difference_counts(difference)
    return Versus(difference.one.label, difference.other.label, rows, [f"{counts[0].upper()}{counts[1:]}."])


def outcome_sheet(outcome: Outcome, data: Path) -> Sheet:
    """data: the folder that the steps' pictures are below."""
    rule = outcome.comparisons[0].rule
    cases = []
    for step in outcome.data:
        acts = outcome.predict(step)
        if acts is None or rule.skips(step):
            continue
        picture = data / step.image if step.image else None
        cases.append(Case(step, picture, [Did(outcome.file, acts, rule.score(step, acts))]))
    facts = {"Benchmark": outcome.benchmark, "Steps": f"{outcome.steps:,}", "Failures are by": rule.name}
    return Sheet(
        f"{outcome.benchmark}: {outcome.file}",
        facts,
        [Contender(outcome.file, outcome.comparisons)],
        cases,
        left_out=_titled({"rows of the data": outcome.broken, "predictions": outcome.problems}),
        warnings=outcome.warnings,
    )


def _titled(left_out: Mapping[str, Sequence[Broken]]) -> dict[str, Sequence[Broken]]:
    return {title: rows for title, rows in left_out.items() if rows}
