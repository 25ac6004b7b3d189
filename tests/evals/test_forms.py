"""Every form is a fair question: distinct labels, a task that names what has to be done, a verdict that is right."""

import json
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Locator, Page

from evals.online.forms import Deed, Form, draw_form, render
from evals.online.server import FormPage, serve
from evals.online.topics import TOPICS


@dataclass(frozen=True)
class Hand:
    """Does deeds as a person would: with the mouse at the middle of what is seen, and the keyboard."""

    page: Page

    def do(self, deed: Deed) -> None:
        match deed.kind:
            case "text":
                self.click(self.page.locator(f'[data-field="{deed.label}"]'))
                self.page.keyboard.type(deed.value)
            case "tick":
                self.click(self.page.locator(f'[data-tick="{deed.label}"]'))
            case "choice":
                self.click(self.page.locator(f'[data-choice="{deed.label}"][value="{deed.value}"]'))
            case "press":
                self.click(self.page.get_by_role("button", name=deed.label, exact=True))

    def click(self, target: Locator) -> None:
        box = target.bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def result(self) -> str:
        return self.page.locator("#result .note").inner_text()


def one_of_each(kind: str) -> Form:
    """The first form whose task holds a deed of this kind."""
    return next(form for form in map(draw_form, range(100)) if any(deed.kind == kind for deed in form.deeds))


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.title)
def test_labels_of_a_topic_are_distinct(topic: object) -> None:
    options = [label for labels in topic.choices.values() for label in labels]  # type: ignore[attr-defined]
    labels = [*topic.fields, *topic.ticks, *topic.choices, *options, *topic.submit, *topic.other]  # type: ignore[attr-defined]
    folded = [label.casefold() for label in labels]
    assert sorted(folded) == sorted(set(folded))


def test_same_seed_same_form_other_seed_other_form() -> None:
    assert [draw_form(seed) for seed in range(20)] == [draw_form(seed) for seed in range(20)]
    assert len({render(draw_form(seed)) for seed in range(200)}) == 200
    assert len({draw_form(seed).task for seed in range(200)}) > 190


def test_task_names_every_deed_and_nothing_else() -> None:
    for form in map(draw_form, range(300)):
        assert len(form.deeds) >= 3
        assert {"text", "press"} < {deed.kind for deed in form.deeds}
        for deed in form.deeds:
            assert (deed.value if deed.kind == "choice" else deed.label) in form.task
            assert deed.value in form.task
        for label in {*form.fields, *form.ticks, *form.buttons} - {deed.label for deed in form.deeds}:
            assert f'"{label}"' not in form.task


def test_some_of_everything_is_left_alone() -> None:
    """A page on which everything has to be set would not show that the agent can choose."""
    forms = [draw_form(seed) for seed in range(100)]
    assert all(len(form.buttons) == 2 for form in forms)
    assert all(any(not value for value in form.wanted()["ticks"].values()) for form in forms)  # type: ignore[attr-defined]
    assert sum(any(not value for value in form.wanted()["fields"].values()) for form in forms) > 70  # type: ignore[attr-defined]


def test_everything_is_visible_without_scrolling(browser_page: Page) -> None:
    script = """() => {
        const seen = (e) => {
            const r = e.getBoundingClientRect();
            const hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
            const large = r.width >= 16 && r.height >= 16;
            return large && r.bottom < 720 && r.right < 1280 && (hit === e || e.contains(hit));
        };
        const root = document.documentElement;
        const parts = [...document.querySelectorAll('input, button')];
        return root.scrollHeight <= 720 && root.scrollWidth <= 1280 && parts.length >= 6 && parts.every(seen);
    }"""
    for seed in range(16):
        browser_page.set_content(render(draw_form(seed)))
        assert browser_page.evaluate(script), f"seed {seed}"


@pytest.mark.parametrize("seed", range(6))
def test_page_says_done_when_everything_was_done(seed: int, browser_page: Page) -> None:
    form = draw_form(seed)
    with serve(form) as served:
        browser_page.goto(served.url)
        hand = Hand(browser_page)
        for deed in form.deeds:
            hand.do(deed)
        assert hand.result() == form.topic.thanks
        assert served.verdict().done and served.verdict().mistakes == ()
        assert browser_page.locator("input").count() == 0


def wrong_deeds(form: Form) -> dict[str, list[Deed]]:
    """Ways to get a form wrong that still end with the right button."""
    *deeds, press = form.deeds
    other_tick = next(label for label in form.ticks if Deed("tick", label) not in deeds)
    ways = {f"without {deed.kind} {deed.label}": [d for d in deeds if d != deed] + [press] for deed in deeds}
    ways["one box too many"] = [*deeds, Deed("tick", other_tick), press]
    ways["other text"] = [Deed(d.kind, d.label, d.value + "x") if d.kind == "text" else d for d in deeds] + [press]
    ways["nothing but the button"] = [press]
    empty = [label for label in form.fields if not any(d.label == label for d in deeds)]
    if empty:
        ways["text in another field"] = [*deeds, Deed("text", empty[0], "more"), press]
    return ways


@pytest.mark.parametrize("kind", ["tick", "choice"])
def test_page_says_no_to_every_wrong_way(kind: str, browser_page: Page) -> None:
    form = one_of_each(kind)
    for name, deeds in wrong_deeds(form).items():
        with serve(form) as served:
            browser_page.goto(served.url)
            hand = Hand(browser_page)
            for deed in deeds:
                hand.do(deed)
            verdict = served.verdict(5)
            assert not verdict.done, name
            assert verdict.mistakes and "no button" not in verdict.mistakes[0], name
            assert hand.result() == "Not sent. Please check your entries.", name


def test_wrong_option_of_a_group(browser_page: Page) -> None:
    form = one_of_each("choice")
    chosen = next(deed for deed in form.deeds if deed.kind == "choice")
    other = next(value for value in form.topic.choices[chosen.label] if value != chosen.value)
    with serve(form) as served:
        browser_page.goto(served.url)
        for deed in form.deeds:
            Hand(browser_page).do(Deed("choice", deed.label, other) if deed == chosen else deed)
        assert served.verdict(5).mistakes == (f'{chosen.label} is "{other}", not "{chosen.value}"',)


def test_mistake_can_be_put_right_but_the_other_button_ends_it(browser_page: Page) -> None:
    form = one_of_each("tick")
    hand = Hand(browser_page)
    with serve(form) as served:
        browser_page.goto(served.url)
        hand.do(form.deeds[-1])
        assert not served.verdict(5).done
        for deed in form.deeds:
            hand.do(deed)
        browser_page.locator("#result .note.good").wait_for()
        assert served.verdict().done
    with serve(form) as served:
        browser_page.goto(served.url)
        for deed in form.deeds[:-1]:
            hand.do(deed)
        other = next(label for label in form.buttons if label != form.deeds[-1].label)
        hand.do(Deed("press", other))
        browser_page.locator("#result .note.bad").wait_for()
        assert served.verdict().mistakes == (f'the button "{other}" was pressed',)
        assert browser_page.locator("input").count() == 0


def test_no_button_no_verdict() -> None:
    with serve(draw_form(0)) as served:
        assert served.verdict(0).mistakes == ("no button was pressed",)


@pytest.mark.parametrize(
    ("path", "body"), [("verdict", b"{"), ("verdict", b'{"done": true, "x": 1}'), ("other", b'{"done": true}')]
)
def test_server_takes_nothing_but_verdicts(path: str, body: bytes) -> None:
    with serve(draw_form(0)) as served, pytest.raises(HTTPError, match="400"):
        post(served, path, body)
    assert not served.verdict(0).done


def test_server_takes_a_verdict() -> None:
    with serve(draw_form(0)) as served:
        post(served, "verdict", json.dumps({"done": True, "mistakes": []}).encode())
        assert served.verdict(5).done


def post(served: FormPage, path: str, body: bytes) -> None:
    with urlopen(Request(served.url + path, data=body, headers={"Content-Type": "application/json"})):
        pass
