"""AgentNet's two forms, written: training data (PyAutoGUI code) and the benchmark's (see `evals.exchange.agentnet`)."""

from action_space.actions import Action, Click, Drag, Finish, Move, Press, Scroll, Type, Wait
from action_space.errors import ModelMistake, UnsupportedAction
from action_space.geometry import Point, Size
from agent.describe import describe
from agent.trajectory import STEPS, Step, Trajectory
from evals.benchmarks.reading import Broken
from evals.exchange.exporting import Exporter, Rows, Words
from evals.exchange.pyautogui_words import write_code

DIGITS = 6
"""Of coordinates; enough to tell the pixels of any screen apart."""

_CLICK_NAMES = {("left", 1): "click", ("left", 2): "doubleClick", ("left", 3): "tripleClick"} | {
    ("right", 1): "rightClick",
    ("middle", 1): "middleClick",
}


def fraction(point: Point, size: Size) -> tuple[float, float]:
    """The middle of a pixel, as fractions of the screen."""
    return round((point.x + 0.5) / size.width, DIGITS), round((point.y + 0.5) / size.height, DIGITS)


def training_rows(trajectory: Trajectory, name: str, _words: Words) -> Rows:
    traj: list[dict[str, object]] = []
    for step in trajectory.steps:
        if step.action is None:
            continue
        try:
            traj.append({"index": len(traj), "image": _image(trajectory, step), "value": _value(step, step.action)})
        except ModelMistake as error:
            yield Broken(f"{trajectory.folder / STEPS}:{step.number}", str(error))
    if traj:
        completed = trajectory.reason == "success"
        yield {"task_id": name, "instruction": trajectory.header.task, "task_completed": completed, "traj": traj}


def _value(step: Step, action: Action) -> dict[str, object]:
    size = step.frame.screen

    def write(point: Point) -> str:
        x, y = fraction(point, size)
        return f"x={x:g}, y={y:g}"

    correct = step.error is None and step.effect != "none"
    return {
        "observation": "",
        "thought": step.reply,
        "action": step.plan or describe(action),
        "code": write_code(action, write),
        "last_step_correct": correct,
        "last_step_redundant": step.effect == "reached",
        "reflection": step.note,
    }


def bench_rows(trajectory: Trajectory, name: str, _words: Words) -> Rows:
    steps: list[dict[str, object]] = []
    for step in trajectory.steps:
        if step.action is None or step.error is not None:
            continue
        try:
            steps.append(
                {
                    "step_num": step.number,
                    "image": _image(trajectory, step),
                    "inner_monologue": {"thought": step.reply, "low_level_instruction": step.plan},
                    "ground_truth_actions": _truth(step, step.action),
                }
            )
        except ModelMistake as error:
            yield Broken(f"{trajectory.folder / STEPS}:{step.number}", str(error))
    if steps:
        yield {"task_id": name, "high_level_task_description": trajectory.header.task, "steps": steps}


def _truth(step: Step, action: Action) -> list[dict[str, object]]:
    """Raises UnsupportedAction for what the benchmark has no type for."""
    size = step.frame.screen
    boxes = [_box(box.left, box.top, box.right, box.bottom, size) for box in step.targets]

    def given(kind: str, point: Point | None = None, **params: object) -> dict[str, object]:
        place = {"position": dict(zip("xy", fraction(point, size), strict=True))} if point else {}
        return {"type": kind, "params": {**place, **params}, "metadata": {"bboxes": boxes if point else []}}

    match action:
        case Click(modifiers=()) if (action.button, action.count) in _CLICK_NAMES:
            return [given(_CLICK_NAMES[action.button, action.count], action.point)]
        case Move():
            return [given("moveTo", action.point)]
        case Drag():
            return [given("moveTo", action.start), given("dragTo", action.end)]
        case Scroll() if action.direction in ("up", "down"):
            return [given("scroll", action.point, direction=action.direction)]
        case Type():
            return [given("write", text=action.text)]
        case Press():
            return [given("press" if len(action.keys) == 1 else "hotkey", keys=list(action.keys))]
        case Wait():
            return [given("wait")]
        case Finish():
            return [given("terminate", status=action.status)]
        case _:
            raise UnsupportedAction(f"AgentNetBench has no type for this: {describe(action)}")


def _box(left: int, top: int, right: int, bottom: int, size: Size) -> dict[str, object]:
    wide, high = (right - left) / size.width, (bottom - top) / size.height
    return {"rel_bbox": [left / size.width, top / size.height, wide, high]}


def _image(trajectory: Trajectory, step: Step) -> str:
    """Raises UnsupportedAction if it is gone: a row without its picture is of no use."""
    if not trajectory.image_path(step.image).is_file():
        raise UnsupportedAction(f"its screenshot {step.image[:12]} is gone")
    return f"{step.image}.png"


TRAINING = Exporter("agentnet", "agentnet.jsonl", training_rows, only_successful=False)
BENCH = Exporter("agentnet-bench", "agentnet_bench.jsonl", bench_rows, trains=False)
