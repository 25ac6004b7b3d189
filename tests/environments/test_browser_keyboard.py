"""Typing and chords in a real Chromium."""

import pytest

from action_space.actions import Click, Open, Press, Type
from action_space.errors import InvalidAction, UnsupportedAction
from action_space.geometry import Point
from environments.typed import typed_parts
from tests.environments.conftest import MakeBrowser, PageServer

pytestmark = pytest.mark.browser

TEXTS = [
    "plain text, with 100% of <punctuation> & 'quotes' \"too\"",
    "Schwarzwälder Kirschtorte, Orléans centre, Karin’s",
    "日本語と中文 한국어, שלום עולם مرحبا",
    "👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 𝒳, e\u0301 combining, a\u00a0b",
    "  spaces  at both ends  ",
    "long " * 200,
]
FIELDS = {
    "input": "<input autofocus style='width:300px'>",
    "textarea": "<textarea autofocus></textarea>",
    "editable": "<div contenteditable style='white-space:pre-wrap;min-height:30px'></div>",
}
VALUE = (
    "(() => { const e = document.querySelector('input,textarea,[contenteditable]'); return e.value ?? e.innerText })()"
)


@pytest.mark.parametrize("field", FIELDS)
def test_text_arrives_exactly(make_browser: MakeBrowser, field: str) -> None:
    environment = make_browser(FIELDS[field])
    for text in TEXTS:
        environment.execute(Click(point=Point(15, 10)))
        environment.execute(Press(keys=("ctrl", "a")))
        environment.execute(Type(text=text))
        value = environment.page.evaluate(VALUE)
        # White space in editable text is kept as no-break spaces, by every browser.
        assert value.replace("\xa0", " ") == text.replace("\xa0", " ")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_newline_presses_enter(make_browser: MakeBrowser, newline: str) -> None:
    environment = make_browser(
        "<form onsubmit='document.title=i.value;return false'><input id=i autofocus></form><textarea>"
    )
    environment.execute(Click(point=Point(10, 10)))
    environment.execute(Type(text=f"tea{newline}"))
    assert environment.page.title() == "tea"
    environment.page.focus("textarea")
    environment.execute(Type(text=f"a{newline}{newline}b"))
    assert environment.page.input_value("textarea") == "a\n\nb"


def test_a_tab_goes_to_the_next_field(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input autofocus id=a><input id=b>")
    environment.page.focus("#a")
    environment.execute(Type(text="Ada\tLovelace"))
    assert environment.page.evaluate("[a.value, b.value]") == ["Ada", "Lovelace"]


def test_typing_sends_key_events(make_browser: MakeBrowser) -> None:
    environment = make_browser(
        "<input id=a><script>window.k=[];a.onkeydown=e=>k.push(e.key);a.onkeyup=e=>k.push('-')</script>"
    )
    environment.page.focus("#a")
    environment.execute(Type(text="aB"))
    assert environment.page.evaluate("k") == ["a", "-", "B", "-"]


def test_what_cannot_be_typed_is_told_to_the_model(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input id=a autofocus>")
    for text in ("a\x00b", "\x1b[A", "\ud83d", "del\x7f"):
        with pytest.raises(InvalidAction, match="cannot be typed"):
            environment.execute(Type(text=text))
    assert environment.page.input_value("#a") == ""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\nb", ["a", "\n", "b"]),
        ("\t\n", ["\t", "\n"]),
        ("a\r\n\r\nb", ["a", "\n", "\n", "b"]),
    ],
)
def test_typed_parts(text: str, parts: list[str]) -> None:
    assert typed_parts(text) == parts


def test_select_all_copy_and_paste(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input id=a value='first one'><input id=b>")
    environment.page.focus("#a")
    for keys in (("ctrl", "a"), ("ctrl", "c"), ("tab",), ("ctrl", "v"), ("home",), ("shift", "end"), ("ctrl", "x")):
        environment.execute(Press(keys=keys))
    environment.page.focus("#a")
    environment.execute(Press(keys=("backspace",)))
    environment.execute(Press(keys=("ctrl", "v")))
    environment.execute(Press(keys=("ctrl", "v")))
    assert environment.page.evaluate("[a.value, b.value]") == ["first onefirst one", ""]


CHORDS = [
    (("enter",), "Enter"),
    (("a",), "a"),
    (("shift", "a"), "Shift+A"),
    (("ctrl", "shift", "k"), "Control+Shift+K"),
    (("alt", "f1"), "Alt+F1"),
    (("page_down",), "PageDown"),
    (("space",), " "),
    (("+",), "+"),
    (("ctrl", "+"), "Control++"),
    (("escape",), "Escape"),
    (("menu",), "ContextMenu"),
    (("f12", "shift"), "Shift+F12"),
    (("shift",), "Shift"),
    (("shift", "1"), "Shift+!"),
    (("shift", "/"), "Shift+?"),
    (("?",), "?"),
    (("\\",), "\\"),
]


def test_chords(make_browser: MakeBrowser) -> None:
    environment = make_browser(
        "<script>window.k=[];window.up=0;onkeydown=e=>{k.push(e.key);e.preventDefault()};onkeyup=e=>up++</script>"
    )
    for keys, expected in CHORDS:
        environment.execute(Press(keys=keys))
        assert "+".join(environment.page.evaluate("k.splice(0)")) == expected
        assert environment.page.evaluate("[up, up = 0][0]") == len(keys)


def test_a_key_of_another_alphabet_is_typed(make_browser: MakeBrowser) -> None:
    environment = make_browser("<input id=a>")
    environment.page.focus("#a")
    environment.execute(Press(keys=("é",)))
    assert environment.page.input_value("#a") == "é"


def test_keys_that_a_browser_does_not_have(make_browser: MakeBrowser) -> None:
    environment = make_browser("<p>x")
    chords = [("recents",), ("device_home",), ("volume_up",), ("ctrl", "é"), ("f13",), ("ctrl", "l"), ("alt", "f4")]
    for keys in chords:
        with pytest.raises(UnsupportedAction) as caught:
            environment.execute(Press(keys=keys))
        assert "\n" not in str(caught.value)
    # And nothing of the chords stays pressed.
    environment.page.evaluate("void (onclick = e => window.held = [e.ctrlKey, e.altKey])")
    environment.execute(Click(point=Point(5, 5)))
    assert environment.page.evaluate("held") == [False, False]


def test_back_forward_and_reload(make_browser: MakeBrowser, server: PageServer) -> None:
    environment = make_browser(url=server.url("/one"))
    environment.execute(Open(target=server.url("/two")))
    environment.observe()
    for keys, path in ((("back",), "/one"), (("forward",), "/two"), (("alt", "left"), "/one"), (("f5",), "/one")):
        environment.execute(Press(keys=keys))
        assert environment.observe().details["url"] == server.url(path)
    environment.execute(Press(keys=("back",)))
    observation = environment.observe()
    assert observation.details["url"] == server.url("/one")
    assert "There is no earlier page in this tab." in observation.context


def test_tabs_by_keyboard(make_browser: MakeBrowser) -> None:
    environment = make_browser("<title>first</title>")
    with pytest.raises(UnsupportedAction, match="only tab"):
        environment.execute(Press(keys=("ctrl", "w")))
    environment.execute(Press(keys=("ctrl", "t")))
    assert environment.observe().details["url"] == "about:blank"
    environment.execute(Press(keys=("ctrl", "tab")))
    assert environment.observe().details["title"] == "first"
    environment.execute(Press(keys=("ctrl", "tab")))
    environment.execute(Press(keys=("ctrl", "w")))
    assert environment.observe().details["title"] == "first"
