"""The main job on a desktop: real programs on a virtual display, and their own word on whether the task was done.

    python -m evals.online.demo_desktop [--seed N | --seeds A-B] [--model SPEC] [--out DIR] [--max-steps N] [--json]

The agent gets pixels, mouse and keyboard, as in `agent run --env desktop --display virtual`. Exit status: 0 if the
programs say that every task was done, 1 if not, otherwise as `agent run`. With --seeds, the rate of each program too.
"""

import sys
from collections.abc import Sequence

from rich.markup import escape

import agent
from agent.terminal import Terminal
from evals.online.demo_table import Attempt, Demo, Job, attempt_of, demo_parser, read_seeds, run_demo


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    parser = demo_parser("demo-desktop", "A model works with real programs on a virtual display.")
    return run_demo(Demo("demo-desktop", "desktop", attempt), read_seeds(parser, arguments))


def attempt(job: Job) -> Attempt:
    """Let the agent work on one task, and ask the programs."""
    from evals.online.desktop_tasks import draw_task, stage_for, verdict

    task = draw_task(job.seed)
    job.console.print(f"\n[bold]Desktop {job.seed}[/] [dim]{task.program}[/]\n[bold]Task[/]   {escape(task.words)}")
    with stage_for(task) as stage:
        trajectory = agent.run(
            task.words,
            model=job.model,
            env=stage.desktop,
            out=job.folder,
            watch=Terminal().step,
            max_steps=job.options.max_steps,
            confirm="none",  # the desktop is ours, and its home is empty
        )
        mistakes = verdict(task, stage)
    return attempt_of(job, task.words, trajectory, mistakes, done=not mistakes, program=task.program)


if __name__ == "__main__":
    sys.exit(main())
