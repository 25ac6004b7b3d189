"""How likely a reply was, where numbers that hardly differ say the same."""

import pytest
import torch
from PIL import Image

import vlm
from action_space.dialects import load_dialect
from action_space.dialects.base import Turn
from action_space.geometry import Frame, Size
from action_space.messages import Message
from vlm.backends.engine import Engine
from vlm.backends.sureness import Sureness
from vlm.training.tokenizer import byte_tokenizer, token_id


def test_places_close_by_are_the_same_place() -> None:
    tokens = byte_tokenizer()
    logits = torch.full((tokens.get_vocab_size(),), float("-inf"))
    for text, share in (("click(70", 0.3), ("click(98", 0.2), ("click(42", 0.1), ("click(105", 0.15), (", 70)", 0.25)):
        logits[token_id(tokens, text)] = torch.tensor(share).log()
    sureness = Sureness(tokens)
    assert sureness.share(logits, token_id(tokens, "click(70")) == pytest.approx(0.6)
    assert sureness.share(logits, token_id(tokens, ", 70)")) == pytest.approx(0.25)


def test_a_place_is_in_the_middle_of_what_is_likely() -> None:
    tokens = byte_tokenizer()
    sureness = Sureness(tokens)

    def middle(said: str, **shares: float) -> str:
        logits = torch.full((tokens.get_vocab_size(),), float("-inf"))
        for number, share in shares.items():
            logits[token_id(tokens, f"click({number[1:]}")] = torch.tensor(share).log()
        token = sureness.middle(logits, token_id(tokens, said))
        text = tokens.id_to_token(token)
        assert text is not None
        return text

    assert middle("click(70", _70=0.4, _84=0.3, _91=0.3) == "click(84", "81 is the mean"
    assert middle("click(70", _70=0.4, _77=1e-6, _91=0.3) == "click(77", "of what may be said the nearest to the mean"
    assert middle("click(70", _70=0.4, _91=0.3) == "click(70"
    assert middle("click(70", _70=0.4, _105=0.6) == "click(70", "what is further away is another place"
    assert middle("5") == "5"


def test_digits_and_letters_are_what_they_are() -> None:
    tokens = byte_tokenizer()
    logits = torch.zeros(tokens.get_vocab_size())
    for char in "5a":
        assert Sureness(tokens).share(logits, ord(char)) == pytest.approx(1 / len(logits))


def test_the_bundled_model_says_how_sure_it_is() -> None:
    engine = vlm.load("bundled")
    assert isinstance(engine, Engine)
    reply = engine.generate([Message("user", ('click "OK" button',))], max_new_tokens=2)
    assert reply.sure is not None
    assert 0 < reply.sure <= 1


def test_only_a_reply_held_to_a_grammar_is_moved_to_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, dialect = vlm.load("bundled"), load_dialect("compact")
    assert isinstance(engine, Engine)
    screen = Size(280, 140)
    turn = Turn('click "OK" button', Image.new("RGB", (screen.width, screen.height), "white"), Frame(screen, screen))
    prompt = dialect.prompt(turn, turn.task)
    greedy = engine.generate(prompt, max_new_tokens=2).text
    other = "click(98" if not greedy.startswith("click(98,") else "click(70"
    wanted = token_id(engine.tokenizer, other)

    def middle(_self: Sureness, _logits: torch.Tensor, token: int) -> int:
        text = engine.tokenizer.id_to_token(token)
        return wanted if text and text.startswith("click(") else token

    monkeypatch.setattr(Sureness, "middle", middle)
    assert engine.generate(prompt, max_new_tokens=2).text == greedy
    held = engine.generate(prompt, max_new_tokens=2, constraint=dialect.grammar(turn.frame))
    assert held.text.startswith(f"{other}, ")
