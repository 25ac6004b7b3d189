"""What looking again is worth: rates of every way to look, from answers at every offset."""

from io import StringIO

import pytest
from rich.console import Console

from evals.looking import Seen, main, table_of

FOUND = (
    Seen(plain=False, right=(False, True, True, False), sure=(0.3, 0.9, 0.5, 0.95), used=(True, 2)),
    Seen(plain=True, right=(True, False, False, False), sure=(0.85, 0.1, 0.2, 0.3), used=(False, 7)),
)


def test_looking_ends_with_the_first_sure_answer_or_with_the_surest() -> None:
    assert FOUND[0].until(0.8) == (True, 2)
    assert FOUND[0].until(0.93) == (False, 4)
    assert FOUND[1].until(0.8) == (True, 1)
    assert FOUND[1].until(2.0) == (True, 4)


def test_the_table_counts_every_way_to_look() -> None:
    told = StringIO()
    Console(file=told, width=80).print(table_of(FOUND))
    found = {" ".join(line.replace("│", " ").split()) for line in told.getvalue().splitlines()}
    assert "as it is, resized 1 (50.0%) 1.00" in found
    assert "any of these 2 (100.0%) 4.00" in found
    assert "until 0.8 sure 2 (100.0%) 1.50" in found
    assert "as in use, every second one from closer 1 (50.0%) 4.50" in found
    assert {"looks of at least 0.95 0 of 1 (0.0%)", "looks of less than 0.95 3 of 7 (42.9%)"} <= found


@pytest.mark.slow
@pytest.mark.browser
def test_the_bundled_model_is_asked_at_every_offset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pages", "1", "--size", "400x400"]) == 0
    assert "any of these" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pages", "1", "--model", "nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
