"""`agent eval BENCHMARK --model SPEC`: ask a model everything a benchmark asks, and score its answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from action_space.errors import ConfigError
from agent.models import BUNDLED, check_spec
from agent.session import default_folder
from evals import asking, journal, runner
from evals.asking import Answer, Drawing, Plan, Question, drawn, questions
from evals.benchmarks import load_source
from evals.benchmarks.reading import Broken, read
from evals.inside import PICTURES, with_pictures
from evals.outcome import Outcome, read_steps
from evals.predictions import Line, Predictions, in_units
from evals.protocols import rules_of
from evals.protocols.values import Act, Step
from evals.scoring import compare
from evals.tables import beside_the_model, notes_console
from evals.work import Done, Item, Work

PAGES = "pages"
"""Where pages are drawn, below the folder of the answers."""


@dataclass(frozen=True, slots=True)
class Exam:
    """What is asked. broken: rows that cannot be read, and steps whose pictures cannot be shown. pictures: the folder
    that their names are below."""

    plan: Plan
    steps: Sequence[Step]
    questions: Sequence[Question]
    broken: Sequence[Broken]
    pictures: Path


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asked for; what is None or empty was left out."""

    data: Path | None
    model: str
    limit: int | None
    out: Path | None
    resume: Path | None
    drawing: Drawing | None = None


def begin(benchmark: str, wish: Wish) -> tuple[Exam, Path]:
    """What is asked, and the folder of the answers, new or to go on in. Raises ConfigError, RecordingError."""
    if wish.resume is None:
        folder = wish.out or default_folder(f"eval {benchmark}")
        return _begin_anew(_new_plan(benchmark, wish, folder), folder), folder
    if wish.data or wish.model or wish.limit or wish.out:
        raise ConfigError("--resume goes on with its own settings: leave out --data, --model, --limit and --out")
    plan = journal.read_plan(wish.resume, Plan)
    if plan.benchmark != benchmark:
        raise ConfigError(f"{str(wish.resume)!r} measures {plan.benchmark!r}: use agent eval {plan.benchmark}")
    if plan.drawing is not None:
        # By where the folder is now: what is there may be deleted and drawn anew.
        plan = plan.model_copy(update={"data": str((wish.resume / PAGES).absolute())})
    return prepare(plan, wish.resume), wish.resume


def _begin_anew(plan: Plan, folder: Path) -> Exam:
    """There is no folder yet when what is wrong with the data is told, unless pictures have to be put there first."""
    source = load_source(plan.benchmark)
    if plan.drawing is None and source.pictures is None:
        exam = prepare(plan, folder)
        journal.start(folder, plan)
        return exam
    if plan.drawing is None:
        next(read(source, Path(plan.data)), None)  # tells at least that there is no data
    journal.start(folder, plan)
    return prepare(plan, folder)


def _new_plan(benchmark: str, wish: Wish, folder: Path) -> Plan:
    data = folder / PAGES if wish.drawing else wish.data
    if data is None:
        raise ConfigError(f"{benchmark} needs --data DIR, the folder with its files")
    spec = wish.model or BUNDLED
    check_spec(spec)
    return Plan(benchmark=benchmark, data=str(data.absolute()), model=spec, limit=wish.limit, drawing=wish.drawing)


def prepare(plan: Plan, out: Path) -> Exam:
    """Find out what can be asked. out: the folder of the answers, where pictures are put that are no files yet. Raises
    ConfigError if nothing can be asked, RecordingError, and DeviceError where pages cannot be drawn."""
    source, folder = load_source(plan.benchmark), Path(plan.data)
    if plan.drawing is not None:
        # A browser, which no other benchmark needs.
        from evals.drawing import draw

        draw(folder, plan.drawing)
    steps, broken = read_steps(source, folder)
    if source.pictures is not None:
        wanted = {step.id for step in drawn(steps, plan.limit)}
        steps = with_pictures(source, source.pictures, folder, steps, wanted, out / PICTURES)
        folder = out / PICTURES
    found = {step.id: each for step, each in zip(steps, questions(source, steps, folder), strict=True)}
    chosen = drawn(steps, plan.limit)
    asked = [each for step in chosen if isinstance(each := found[step.id], Question)]
    unasked = [each for step in chosen if isinstance(each := found[step.id], Broken)]
    if not asked:
        raise ConfigError(f"nothing of {plan.benchmark} can be asked: {unasked[0].where}: {unasked[0].why}")
    return Exam(plan, chosen, asked, [*broken, *unasked], folder)


def ask_all(exam: Exam, folder: Path, crew: runner.Crew) -> bool:
    """Ask what `folder` has no answer to yet, or only an error. False when interrupted. Raises as `runner.run`."""
    notes = notes_console()
    notes.print(f"results: {folder / journal.RESULTS}", markup=False)
    finished = {name for name, answer in asking.read_answers(folder).items() if not answer.error}
    items = [Item(question.id, question) for question in exam.questions if question.id not in finished]

    told: list[Answer] = []

    def tell(done: Done) -> runner.Told:
        answer: Answer = Answer(id=done.item.key, error=done.error) if done.error else done.result
        told.append(answer)
        return runner.Told(answer, f"{answer.id}: {answer.error}" if answer.error else "")

    whole = runner.run(Work("evals.asking:opened", exam.plan.model), items, crew, folder, tell)
    if told:
        took, model_s = sum(each.took for each in told), sum(each.seconds for each in told)
        notes.print(f"{len(told)} questions: {beside_the_model(took, model_s)}")
    return whole


def score(exam: Exam, answers: dict[str, Answer], protocols: tuple[str, ...] = ()) -> Outcome:
    """Score what was answered. A question that met with an error is left out, and named. Raises ConfigError."""
    rules = rules_of(exam.plan.benchmark, protocols)
    answered = [step for step in exam.steps if step.id in answers and not answers[step.id].error]
    if exam.plan.limit is not None:  # no episode is whole, so none is filled up
        answered = [replace(step, steps=0) for step in answered]
    joined = load_source(exam.plan.benchmark).joined
    acts = {step.id: joined(_acts(answers[step.id], step)) for step in answered}
    asked = {question.id for question in exam.questions}
    errors = [Broken(name, each.error) for name, each in answers.items() if each.error and name in asked]
    predict = Predictions(acts, errors, [])
    comparisons = compare(rules, answered, predict)
    name, model = exam.plan.benchmark, exam.plan.model
    return Outcome(name, model, len(answered), comparisons, exam.broken, errors, [], answered, predict)


def _acts(answer: Answer, step: Step) -> tuple[Act, ...]:
    said = [answer.action, *answer.more] if answer.action is not None else []
    return in_units(Line(id=step.id, actions=said, size=answer.size if step.size else None), step)


def as_json(exam: Exam, answers: dict[str, Answer], outcome: Outcome) -> dict[str, object]:
    """Everything, for a file."""
    return outcome.as_json() | {
        "plan": exam.plan.model_dump(mode="json"),
        "answers": [answer.model_dump(mode="json") for answer in answers.values()],
    }
