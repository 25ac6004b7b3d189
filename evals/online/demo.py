"""The main job, shown: a form in a real browser, a task in plain words, and the page's own word on whether it was done.

    python -m evals.online.demo [--seed N | --seeds A-B] [--headed] [--model SPEC] [--out DIR] [--max-steps N] [--json]

Everything goes the way of `agent run`; nothing there knows more about the task than its words. Exit status: 0 if the
page (with --seeds: every page) says that the task was done, 1 if not, otherwise as `agent run`.
"""

import sys
from collections.abc import Sequence

from rich.markup import escape

import agent
from agent.terminal import Terminal
from evals.online.demo_table import Attempt, Demo, Job, attempt_of, demo_parser, read_seeds, run_demo
from evals.online.forms import draw_form
from evals.online.server import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status; see above."""
    parser = demo_parser("demo", "A model fills a form in a real browser.")
    parser.add_argument("--headed", action="store_true", help="show the browser's window")
    return run_demo(Demo("demo", "page", attempt), read_seeds(parser, arguments))


def attempt(job: Job) -> Attempt:
    """Let the agent work on one page, and ask the page."""
    form = draw_form(job.seed)
    with serve(form) as page:
        job.console.print(f"\n[bold]Page {job.seed}[/] [dim]{page.url}[/]\n[bold]Task[/]   {escape(form.task)}")
        trajectory = agent.run(
            form.task,
            model=job.model,
            url=page.url,
            out=job.folder,
            watch=Terminal().step,
            headed=job.options.headed,
            max_steps=job.options.max_steps,
            confirm="none",  # the page is ours: nothing is sold or deleted
        )
        verdict = page.verdict()
    return attempt_of(job, form.task, trajectory, verdict.mistakes, done=verdict.done)


if __name__ == "__main__":
    sys.exit(main())
