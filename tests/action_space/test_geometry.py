"""Pixels: the model's, the screenshot's, the device's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame, Point, Size, smart_resize

# width, height, max_pixels (None: the checkpoints'), width and height the model sees, visual tokens
RESIZED = [
    (1080, 2400, None, 1092, 2408, 3354),
    (720, 1280, None, 728, 1288, 1196),
    (1920, 1080, None, 1932, 1092, 2691),
    (1920, 1080, 1003520, 1316, 728, 1222),
    (1920, 1080, 2048 * 784, 1680, 924, 1980),
    (2560, 1600, None, 2548, 1596, 5187),
    (3840, 2160, None, 3836, 2156, 10549),
    (5120, 2880, None, 4760, 2688, 16320),
    (1024, 768, None, 1036, 756, 999),
    (33, 20, None, 84, 56, 6),
    (14, 14, None, 56, 56, 4),
    (70, 42, None, 56, 56, 4),
    (517, 300, None, 504, 308, 198),
]


@pytest.mark.parametrize(("width", "height", "most", "new_width", "new_height", "tokens"), RESIZED)
def test_smart_resize(width: int, height: int, most: int | None, new_width: int, new_height: int, tokens: int) -> None:
    limit = {} if most is None else {"max_pixels": most}
    size = smart_resize(Size(width, height), **limit)
    assert size == Size(new_width, new_height)
    assert size.width * size.height // 28**2 == tokens


def test_smart_resize_follows_the_processor_where_the_utilities_differ() -> None:
    assert smart_resize(Size(600, 10)) == Size(448, 28)


def test_smart_resize_refuses_extreme_shapes() -> None:
    with pytest.raises(ValueError, match=r"2010x10.*aspect ratio is above 200"):
        smart_resize(Size(2010, 10))


@given(st.integers(56, 4000), st.integers(56, 4000), st.integers(200_000, 12_845_056))
def test_smart_resize_stays_in_its_limits(width: int, height: int, most: int) -> None:
    size = smart_resize(Size(width, height), max_pixels=most)
    assert size.width % 28 == size.height % 28 == 0
    assert 3136 <= size.width * size.height <= most


SCREEN = Size(1920, 1080)
MODELS = [SCREEN, Size(1932, 1092), Size(1316, 728), Size(644, 364), Size(3864, 2184), Size(28, 28), Size(1920, 28)]


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("origin", [Point(0, 0), Point(-1920, -200)])
def test_every_model_pixel_survives_to_the_device(model: Size, scale: float, origin: Point) -> None:
    frame = Frame(model, SCREEN, scale, origin)
    diagonal = max(model.width, model.height)
    for step in range(diagonal):
        seen = Point(min(step, model.width - 1), min(step, model.height - 1))
        pixel = frame.to_screen(seen)
        assert SCREEN.contains(pixel)
        x, y = frame.to_device(pixel)
        assert (round((x - origin.x) * scale), round((y - origin.y) * scale)) == (pixel.x, pixel.y)
        assert origin.x <= x < origin.x + SCREEN.width / scale
        assert origin.y <= y < origin.y + SCREEN.height / scale


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_there_and_back_is_at_most_one_model_cell_away(model: Size) -> None:
    frame = Frame(model, SCREEN)
    cell_x, cell_y = SCREEN.width / model.width, SCREEN.height / model.height
    for step in range(SCREEN.width):
        pixel = Point(step, min(step, SCREEN.height - 1))
        back = frame.to_screen(frame.to_model(pixel))
        assert abs(back.x - pixel.x) <= max(1, cell_x)
        assert abs(back.y - pixel.y) <= max(1, cell_y)


@pytest.mark.parametrize("model", [SCREEN, Size(1316, 728), Size(644, 364), Size(28, 28)], ids=str)
def test_a_smaller_picture_loses_no_model_pixel(model: Size) -> None:
    frame = Frame(model, SCREEN)
    for step in range(max(model.width, model.height)):
        seen = Point(min(step, model.width - 1), min(step, model.height - 1))
        assert frame.to_model(frame.to_screen(seen)) == seen


def test_equal_sizes_change_nothing() -> None:
    frame = Frame(SCREEN, SCREEN)
    for pixel in (Point(0, 0), Point(1919, 1079), Point(640, 0)):
        assert frame.to_screen(pixel) == pixel == frame.to_model(pixel)


def test_zero_is_a_coordinate() -> None:
    frame = Frame(Size(1932, 1092), SCREEN, 2.0, Point(-1920, 0))
    assert frame.to_screen(Point(0, 0)) == Point(0, 0)
    assert frame.to_device(Point(0, 0)) == (-1920.0, 0.0)


def test_the_corners_of_the_pictures_meet() -> None:
    for model in MODELS:
        frame = Frame(model, SCREEN)
        last = frame.to_screen(Point(model.width - 1, model.height - 1))
        assert last.x >= SCREEN.width - 1 - SCREEN.width / model.width
        assert last.y >= SCREEN.height - 1 - SCREEN.height / model.height


@pytest.mark.parametrize("outside", [Point(1932, 0), Point(0, 1092), Point(-1, 0), Point(0, -1), Point(10**9, 0)])
def test_outside_is_refused_with_the_valid_range(outside: Point) -> None:
    frame = Frame(Size(1932, 1092), SCREEN)
    with pytest.raises(InvalidAction, match="x must be 0 to 1931, y 0 to 1091"):
        frame.to_screen(outside)


def test_outside_of_the_screenshot_is_refused_on_the_way_out() -> None:
    frame = Frame(Size(1932, 1092), SCREEN)
    for move in (frame.to_model, frame.to_device):
        with pytest.raises(InvalidAction, match="x must be 0 to 1919, y 0 to 1079"):
            move(Point(1920, 0))


def test_a_size_has_pixels() -> None:
    with pytest.raises(ValueError, match="at least 1x1"):
        Size(0, 10)


def test_a_box_holds_its_left_top_and_not_its_right_bottom() -> None:
    box = Box(10, 20, 30, 40)
    assert box.center == Point(20, 30)
    assert box.contains(Point(10, 20))
    assert not box.contains(Point(30, 20))
    assert not box.contains(Point(10, 40))


def test_with_model_keeps_the_device() -> None:
    frame = Frame(SCREEN, SCREEN, 1.5, Point(-5, 7)).with_model(Size(644, 364))
    assert frame == Frame(Size(644, 364), SCREEN, 1.5, Point(-5, 7))
