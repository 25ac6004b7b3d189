"""QwenVL HTML: what is read from a page, its plain HTML and its Markdown."""

import pytest

from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame, Size
from vlm.markdown import to_markdown
from vlm.qwen_html import parse_document, plain_html

SIZE = Size(280, 140)
SAME = Frame(SIZE, SIZE)

PAGE = """```html
<html><body>
<h2 data-bbox="10 20 30 40">Report &amp; more</h2>
 <p data-bbox="50 60 70 80">First <b>bold</b> a < b <you><br>second</p>
 <ol data-bbox="0 0 9 9"><li data-bbox="1 1 9 5">one<ul><li>in it</li></ul></li><li>two</li></ol>
 <style>table1{color: red}</style><table data-bbox="0 0 99 99" class="table1"><tr><th>a|b</th><th>c</th></tr>
 <tr><td rowspan="2">1<td style="color: red">2</tr><tr><td>3</td></tr></table>
 <div class="image caption" data-bbox="1 2 30 40"><img data-bbox="1 2 30 40"/><p>A cake</p></div>
 <div class="chart" data-bbox="1 2 30 40"><img data-bbox="1 2 30 40"/><table><tr><td>x</td></tr></table></div>
 <div class="formula" data-bbox="1 2 30 40"><img data-bbox="1 2 30 40"/><div>$$x^2$$</div></div>
 <div class="music sheet" format="abc notation" data-bbox="1 2 30 40">X:1</div>
 <a href="javascript:alert(1)" onclick="x()">bad</a> <a href="https://x.org/a b">good</a><script>alert(1)</script>
</body></html>
```
"""


def test_document() -> None:
    page = parse_document(PAGE, SAME)
    kinds = [block.kind for block in page.blocks]
    assert kinds == ["h2", "p", "li", "table", "image", "chart", "formula", "music sheet"]
    assert (page.blocks[0].box, page.blocks[0].text) == (Box(10, 20, 30, 40), "Report & more")
    assert "```" not in page.html and page.html.endswith("</html>")
    assert parse_document(page.html, SAME) == page


def test_plain_html() -> None:
    plain = plain_html(parse_document(PAGE, SAME).html)
    for gone in ("data-bbox", "class=", "style", "color", "javascript", "onclick", "script", "format", "<you>"):
        assert gone not in plain, gone
    for kept in ("<h2>Report &amp; more</h2>", "a &lt; b", "&lt;you&gt;", "rowspan", r"<p>\[x^2\]</p>", "A cake"):
        assert kept in plain, kept
    assert "<figure>" in plain and "<pre>X:1</pre>" in plain and "https://x.org/a b" in plain


def test_markdown() -> None:
    assert to_markdown(PAGE.removeprefix("```html\n").removesuffix("```\n")) == (
        "## Report & more\n\nFirst **bold** a < b &lt;you>\nsecond\n\n1. one\n   - in it\n2. two\n\n"
        "| a\\|b | c |\n| --- | --- |\n| 1 | 2 |\n|  | 3 |\n\n![A cake]()\n\n![image]()\n\n| x |\n| --- |\n\n"
        "$$\nx^2\n$$\n\n```\nX:1\n```\n\nbad [good](https://x.org/a%20b)\n"
    )


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("<p># no heading</p><p>1. no item</p>", "\\# no heading\n\n1\\. no item\n"),
        ("<ul><li>a<li>b</ul>", "- a\n- b\n"),
        ("<p>cut off here", "cut off here\n"),
        ('<p>whole</p><p data-bbox="1 2', "whole\n"),
        ("<table></table>", "\n"),
        ("<td colspan=9999999>x", "x\n"),
        ("<table><tr><td colspan=2>x<tr><td>1<td>2</table>", "| x |  |\n| --- | --- |\n| 1 | 2 |\n"),
        ("<pre>a\n  b ``` c</pre>", "````\na\n  b ``` c\n````\n"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b\n"),
    ],
)
def test_small_markdown(text: str, markdown: str) -> None:
    assert to_markdown(text) == markdown


def test_a_cut_off_document_is_kept_as_far_as_it_goes() -> None:
    for end in range(PAGE.index(">Report") + 1, len(PAGE)):
        page = parse_document(PAGE[:end], SAME)
        assert to_markdown(page.html) and plain_html(page.html)


def test_a_blank_page() -> None:
    page = parse_document("```html\n<html><body>\n</body></html>\n```", SAME)
    assert (page.html, page.blocks) == ("<html><body>\n</body></html>", ())


def test_boxes_are_brought_into_the_picture() -> None:
    frame = Frame(SIZE, Size(560, 560))
    page = parse_document('<p data-bbox="10 20 30 40">a</p><p data-bbox="900 900 950 950">off it</p>', frame)
    assert [block.box for block in page.blocks] == [Box(20, 80, 60, 160)]
    assert '<p data-bbox="20 80 60 160">a</p>' in page.html and "<p>off it</p>" in page.html


@pytest.mark.parametrize(
    "reply", ["", "no page", "```html\n```", "a < b", "<think><p>x</p>", '<html><body>\n<h2 data-bbox="10 2']
)
def test_no_document(reply: str) -> None:
    with pytest.raises(InvalidAction, match="HTML"):
        parse_document(reply, SAME)
