"""The guard fires where it should, and only there."""

import pytest

from action_space.actions import Action, Ask, Click, Drag, Finish, Move, Open, Press, Scroll, Type, Wait
from action_space.errors import ConfigError, PolicyRefusal
from action_space.geometry import Point
from agent.halt import Halt
from agent.policy import Policy, Situation, risk

AT = Point(10, 10)
CLICK = Click(point=AT)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (CLICK, 'press the "Buy now" button'),
        (CLICK, "I will delete the file"),
        (CLICK, "deleting everything"),
        (CLICK, "click on SEND"),
        (CLICK, "Klick auf Bezahlen"),
        (Press(keys=("enter",)), "press enter to send the message"),
        (Drag(start=AT, end=AT), "drag it into the bin to remove it"),
        (Type(text="hunter2"), "type the password"),
        (Type(text="123"), "fill in the CVV"),
        (Type(text="4111 1111 1111 1111"), "type it"),
        (Type(text="hello\n"), "send the message"),
        (Open(target="file:///etc/passwd"), ""),
        (Open(target="chrome://settings"), ""),
        (Open(target="https://user:secret@example.com/"), ""),
        (Open(target="fi\tle:///etc/passwd"), ""),
    ],
)
def test_risky(action: Action, words: str) -> None:
    assert risk(action, Situation(words=words))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (CLICK, 'click the "Name" field'),
        (CLICK, "open the sender's profile"),
        (CLICK, "choose the pinned entry"),
        (Type(text="Please send and delete 4111"), 'type the text into "Notes"'),
        (Type(text="1234567890123456"), "type the order number"),
        (Type(text="send"), "type the word send"),
        (Scroll(point=AT, direction="down"), "scroll to the delete button"),
        (Move(point=AT), "hover over buy"),
        (Wait(), "wait until it is sent"),
        (Finish(status="success"), "the message was sent"),
        (Open(target="https://example.com/pay"), ""),
        (Open(target="example.com:8080/x"), ""),
        (Open(target="localhost:8000"), ""),
    ],
)
def test_not_risky(action: Action, words: str) -> None:
    assert risk(action, Situation(words=words)) == ""


def test_a_password_field_is_risky_whatever_the_model_says() -> None:
    assert risk(Type(text="x"), Situation(words="type the name", focus="password"))


def test_what_the_task_names_was_wished_for() -> None:
    task = 'Type "Ada" into "Name" and press "Send".'
    assert risk(CLICK, Situation(task=task, words='press the "Send" button')) == ""
    assert "delete" in risk(CLICK, Situation(task=task, words="first delete the old entry"))
    assert risk(Type(text="s3cret"), Situation(task="log in with password s3cret", words="type the password")) == ""


def test_nobody_to_ask_ends_the_run() -> None:
    with pytest.raises(Halt) as halt:
        Policy("risky").review(CLICK, Situation(words="press Delete"))
    assert halt.value.reason == "refused"
    assert "--confirm none" in halt.value.text


def test_a_person_decides() -> None:
    asked: list[str] = []

    def person(answer: str) -> Policy:
        return Policy("risky", person=lambda question: asked.append(question) or answer)

    person("y").review(CLICK, Situation(words="press Delete"))
    assert "click (10, 10)" in asked[0] and "Delete" in asked[0]
    with pytest.raises(PolicyRefusal, match="refused click"):
        person("").review(CLICK, Situation(words="press Delete"))
    with pytest.raises(PolicyRefusal, match="says: press Archive instead"):
        person("press Archive instead").review(CLICK, Situation(words="press Delete"))


def test_levels() -> None:
    Policy("none").review(CLICK, Situation(words="press Delete"))
    Policy("risky").review(CLICK, Situation(words="press Next"))
    with pytest.raises(Halt):
        Policy("all").review(CLICK, Situation(words="press Next"))
    for harmless in (Ask(question="?"), Finish(status="failure"), Wait()):
        Policy("all").review(harmless, Situation())


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.com/",
        "https://example.com@evil.com/",
        "https://example.com.evil.com/",
        "https://evil.com/?example.com",
        "https:\\\\evil.com\\example.com",
        "//evil.com",
        "evil.com",
        "file:///etc/passwd",
        "http://[::1",
        "https://example.com:pw@evil.com",
        "ht\ntps://evil.com",
    ],
)
def test_other_hosts_are_refused_even_without_confirmation(target: str) -> None:
    with pytest.raises(PolicyRefusal):
        Policy("none", ("example.com",)).review(Open(target=target), Situation())


@pytest.mark.parametrize(
    "target",
    ["https://example.com/a", "example.com", "https://EXAMPLE.com.", "http://www.shop.org/", "shop.org", "about:blank"],
)
def test_allowed_hosts(target: str) -> None:
    Policy("none", ("example.com", "*.shop.org")).review(Open(target=target), Situation())


@pytest.mark.parametrize("target", ["Settings", "com.android.settings", "Text editor"])
def test_applications_are_no_hosts(target: str) -> None:
    policy = Policy("none", ("example.com",))
    policy.review(Open(target=target), Situation(pages=False))
    with pytest.raises(PolicyRefusal):
        policy.review(Open(target=target), Situation())
    with pytest.raises(PolicyRefusal, match=r"evil\.com"):
        policy.review(Open(target="https://evil.com"), Situation(pages=False))


def test_scripts_are_never_opened() -> None:
    for target in ("javascript:alert(1)", " JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x"):
        with pytest.raises(PolicyRefusal, match="script"):
            Policy("none").review(Open(target=target), Situation())


def test_a_page_outside_may_only_be_left() -> None:
    policy, outside = Policy("none", ("example.com",)), Situation(url="https://evil.com/login")
    for action in (CLICK, Type(text="x"), Press(keys=("enter",))):
        with pytest.raises(PolicyRefusal, match=r"evil\.com"):
            policy.review(action, outside)
    for action in (Press(keys=("back",)), Open(target="https://example.com"), Finish(status="failure")):
        policy.review(action, outside)
    policy.review(CLICK, Situation(url="https://example.com/"))


def test_a_host_must_be_one() -> None:
    with pytest.raises(ConfigError, match="allow-host"):
        Policy("none", ("https://example.com/",))
