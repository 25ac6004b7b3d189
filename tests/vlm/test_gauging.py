"""How many squares look so, and places that follow from others, on squares of which some are marked."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlm.acting import places_in
from vlm.gauging import FAR, Bearings, Tally

ROWS = COLUMNS = 4
FINE, WIDTH = 3, 8
SPOTS = places_in(ROWS, COLUMNS)


def marked(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Screens `[count, squares, FINE]` with one square of a first and one of a second kind, and where these are,
    `[count, 2, 2]`."""
    draw = torch.Generator().manual_seed(seed)
    numbers = torch.randint(len(SPOTS), (count, 2), generator=draw)
    fine = torch.zeros(count, len(SPOTS), FINE)
    for kind in (0, 1):
        fine[torch.arange(count), numbers[:, kind], kind] = 5
    return fine, SPOTS[numbers].float()


def test_places_that_follow_from_others_are_learned_wherever_they_are() -> None:
    torch.manual_seed(0)
    bearings, deed = Bearings(FINE, WIDTH), torch.ones(1, WIDTH)
    optimizer = torch.optim.Adam(bearings.parameters(), 0.01)
    for step in range(400):
        fine, marks = marked(64, step)
        _, place = bearings(fine, SPOTS, deed.expand(64, -1))
        F.huber_loss(place / FAR, marks.mean(1) / FAR, delta=0.1).backward()
        optimizer.step()
        optimizer.zero_grad()
    fine, marks = marked(200, 1000)
    with torch.no_grad():
        near, place = bearings(fine, SPOTS, deed.expand(200, -1))
    away = (place - marks.mean(1)).norm(dim=1)
    assert away.median() < 5, away.median()
    best = SPOTS[near.argmax(1)]
    assert ((best - place).abs().amax(1) <= 4).float().mean() > 0.9, "the nearest square fits best"


def test_how_many_squares_look_so_is_told() -> None:
    torch.manual_seed(0)
    tally, said = Tally(FINE, WIDTH), nn.Linear(WIDTH, 9)
    optimizer = torch.optim.Adam([*tally.parameters(), *said.parameters()], 0.02)
    draw = torch.Generator().manual_seed(0)

    def some(count: int) -> tuple[Tensor, Tensor]:
        numbers = torch.randint(9, (count,), generator=draw)
        order = torch.rand(count, len(SPOTS), generator=draw).argsort(1).argsort(1)
        fine = torch.zeros(count, len(SPOTS), FINE)
        fine[..., 1] = 5 * (order < numbers[:, None])
        return fine, numbers

    assert tally(some(3)[0]).std(0).max() == 0, "it says nothing before it is taught"
    for _ in range(400):
        fine, numbers = some(64)
        F.cross_entropy(said(tally(fine)), numbers).backward()
        optimizer.step()
        optimizer.zero_grad()
    fine, numbers = some(300)
    assert (said(tally(fine)).argmax(1) == numbers).float().mean() > 0.8
