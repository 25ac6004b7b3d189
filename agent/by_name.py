"""What is asked for by its name, when no look at a screen was sure: where the name fits.

A model that also tells how well a name fits a place (`vlm.backends.base.Names`) is asked where on the whole screen the
name fits best, and, of "Delete Smith", where "Delete" does on the line on which "Smith" is found. Of these places and
those of the looks that one counts whose look and name together are likeliest. What fits nowhere is not there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, log

from action_space.actions import Action, Click, Finish
from action_space.dialects.base import NOT_THERE, Dialect, SaysNames, Turn
from action_space.geometry import Point
from agent.look import NEAR, Look, Placed, are_near, density_of, sureness
from vlm.backends.base import Model, Names, NamesOn, Reply

APART = 14, 10
"""Places within these are one to ask about; of two small icons side by side the middles are further apart."""
SEARCHED = 4
"""Places where a name is searched for."""
AROUND = (-12, -6, 0, 6, 12)
"""CSS pixels from a place, across and down, at which a name is held against the screen to find the middle."""
BESIDE = 5.0
"""How much better, in logits, the first words of a name have to fit beside the others than on them: "Tab" is where the
"#3" of "Tab #3" is, "Delete" is not on "Smith" (docs/experiments.md, thirty-second session)."""
LEAST = 0.01
"""How likely a place is taken to be at least, to the model that looks (docs/experiments.md, thirty-first session)."""
ABSENT = -5.0
"""The logarithm of how likely look and name together find the best place, below which it is taken for not there."""


@dataclass(frozen=True, slots=True)
class Called:
    """What is asked for by its name, of a model that knows names. plan_for: the plan to click what reads so."""

    name: str
    model: Names
    dialect: Dialect
    plan_for: Callable[[str], str]

    def on(self, look: Look) -> NamesOn:
        """The picture of a look, to be asked for names. Raises ModelError."""
        min_pixels, max_pixels = self.dialect.min_pixels, self.dialect.max_pixels
        return self.model.names_on(look.turn.screenshot, min_pixels=min_pixels, max_pixels=max_pixels)


def called_by(model: Model | None, dialect: Dialect, plan: str) -> Called | None:
    """None where a plan names nothing, or the model knows no names."""
    if model is None or not isinstance(dialect, SaysNames):
        return None
    name = dialect.named(plan)
    if name is None or not isinstance(model, Names) or not model.knows_names:
        return None
    return Called(name, model, dialect, dialect.naming)


def place_by_name(
    found: Sequence[Placed],
    whole: Sequence[Look],
    called: Called,
    find: Callable[[str], Placed],
    turn: Turn,
    *,
    may_be_absent: bool,
) -> Placed:
    """Of the places that were found, and of those where the name is searched for, the one whose look and name together
    are likeliest, or that it is not there.

    whole: looks at the whole screen. find: what reads so. may_be_absent: not after a place that was right perhaps was
    tried in vain.
    """
    density, places = density_of(turn), list[tuple[Click, Placed]]()
    pictures = [called.on(look) for look in whole]
    words, searched = _searched(pictures[0], whole[0], called, find, turn)
    for each in sorted((*found, *searched), key=sureness, reverse=True):
        click = each.action
        if isinstance(click, Click) and not any(are_near(click.point, old.point, APART, density) for old, _ in places):
            places.append((click, each))
    told = [
        picture.fits(called.name, [look.there(click.point) for click, _ in places])
        for picture, look in zip(pictures, whole, strict=True)
    ]
    means = [sum(logits) / len(logits) for logits in zip(*told, strict=True)]
    likely = [log(max(LEAST, sureness(each))) + mean for (_, each), mean in zip(places, means, strict=True)]
    click, best = places[likely.index(max(likely))]
    action: Action = Finish(status="failure", text=NOT_THERE)
    if not may_be_absent or max(likely) >= ABSENT:
        point = _middle(pictures[0], whole[0], called.name, click.point)
        action = click.model_copy(update={"point": point})
    return replace(best, action=action, asked=words.asked if words else ())


def _searched(
    picture: NamesOn, look: Look, called: Called, find: Callable[[str], Placed], turn: Turn
) -> tuple[Placed | None, list[Placed]]:
    """Places where a name is likeliest in a look at the whole screen, as if the model had said so, not at all sure, and
    where its first words are beside the others, as sure as these were found; in front, what was found of these."""
    places, words = [(point, 0.0) for point in picture.search(called.name, SEARCHED)], None
    if parts := picture.parted(called.name):
        here, beside = parts
        words = find(beside)
        point = _beside(picture, look, here, words)
        places += [(point, sureness(words))] if point else []
    density, searched = density_of(turn), list[Placed]()
    for point, sure in places:
        there = look.back(point)
        spent = any(are_near(there, other, NEAR, density) for other in turn.spent)
        if turn.frame.screen.contains(there) and not spent:
            said = called.dialect.render(Click(point=point), look.turn.frame)
            searched.append(Placed(Reply(said, sure=sure), (), Click(point=there)))
    return words, searched


def _beside(picture: NamesOn, look: Look, here: str, words: Placed) -> Point | None:
    """Where the first words of a name fit best on the line where the others were found; None if they fit on these about
    as well: then all are on one control."""
    if not isinstance(words.action, Click):
        return None
    others = look.there(words.action.point)
    point = picture.along(here, others.y)
    if point is None:
        return None
    on_them, beside = picture.fits(here, [others, point])
    return point if beside - on_them > BESIDE else None


def _middle(picture: NamesOn, look: Look, name: str, point: Point) -> Point:
    """A place, moved towards the middle of what is called so around it: an icon's edge may fit as well."""
    at, (width, height) = look.there(point), look.turn.screenshot.size
    around = [Point(at.x + dx, at.y + dy) for dx in AROUND for dy in AROUND]
    around = [each for each in around if 0 <= each.x < width and 0 <= each.y < height]
    likely = [1 / (1 + exp(-logit)) for logit in picture.fits(name, around)]
    x, y = (
        round(sum(by * side for by, side in zip(likely, sides, strict=True)) / sum(likely))
        for sides in ([each.x for each in around], [each.y for each in around])
    )
    return look.back(Point(x, y))
