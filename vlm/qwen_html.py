"""QwenVL HTML: a page as its parts in reading order, each with the box where it stands.

Read with the standard library's tolerant parser: a document that was cut off is kept as far as it goes. Only known
elements are elements; anything else in angle brackets is text that stood on the page.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from action_space.dialects.tool_call import without_thoughts
from action_space.errors import InvalidAction
from action_space.geometry import Box, Frame
from vlm.places import sound, to_box

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LISTS = ("ul", "ol")
CELLS = ("td", "th")
_VOID = ("br", "hr", "img", "input", "col", "wbr")
INLINE = ("a", "b", "strong", "i", "em", "u", "s", "del", "sub", "sup", "code", "span", "label", "small", "mark")
_BLOCKS = (
    *(*HEADINGS, *LISTS, "p", "div", "table", "pre", "blockquote", "figure", "figcaption", "center", "section"),
    *("article", "header", "footer", "nav", "main", "form", "dl", "hr"),
)
_INNER = ("li", "dt", "dd", "caption", "colgroup", "thead", "tbody", "tfoot", "tr", *CELLS)
_KNOWN = frozenset((*_VOID, *INLINE, *_BLOCKS, *_INNER))
_WRAPPERS = ("html", "body")
# A start tag ends these elements if one of them is the innermost: HTML lets their end tags be left out.
_ENDS: dict[str, tuple[str, ...]] = dict.fromkeys(_BLOCKS, ("p",)) | {
    "li": ("li", "p"),
    "dt": ("dt", "dd", "p"),
    "dd": ("dt", "dd", "p"),
    "td": ("td", "th", "p"),
    "th": ("td", "th", "p"),
    "tr": ("td", "th", "tr", "p"),
}
_DEEPEST = 40

_NOT_SHOWN = re.compile(
    r"<!--.*?(?:-->|\Z)|<!doctype[^<>]*>|<\?[^<>]*>|<(head|title)\b[^<>]*>.*?(?:</\1\s*>|(?=<body)|\Z)"
    r"|<(style|script)\b[^<>]*>[^<]*(?:</\2\s*>)?|</?(?:head|title|style|script|textarea|plaintext|xmp|iframe|noembed|noframes)\b[^<>]*>?",
    re.DOTALL | re.IGNORECASE,
)
_CUT_TAG = re.compile(r"</?[a-zA-Z][^<>]*\Z")
# Text, not a tag: the parser may stop at the first kind, and takes ten seconds for a page of the second.
_NO_TAG = re.compile(r"<(?=[!?])|<(?![^<>]*>)")
_FENCE = re.compile(r"```(?:html)?[ \t]*\n(.*?)(?:\n?```|\Z)", re.DOTALL | re.IGNORECASE)
_CLOSED = re.compile(r"</(?:html|body)\s*>", re.IGNORECASE)
_WHOLE = re.compile(r"<(?:html|body)\b.*?(?:</html\s*>|\n```|\Z)", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_MATH = re.compile(r"\A(?:\$\$?|\\\[|\\\()(.*?)(?:\$\$?|\\\]|\\\))\Z", re.DOTALL)
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|[^:]*\Z|[^:]*[/#?])", re.IGNORECASE)


@dataclass(slots=True)
class Node:
    """An element, or the whole page (tag "")."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(self.attributes.get("class", "").replace(".", " ").split())

    @property
    def kind(self) -> str:
        """What a part of the page is: image, chart, formula, chemical formula or music sheet, else its tag."""
        for words in ("music sheet", "chemical formula", "formula", "chart", "image"):
            if self.tag == "div" and self.classes.issuperset(words.split()):
                return words
        return self.tag

    def elements(self) -> Iterator["Node"]:
        """The elements inside, without the text between them."""
        return (child for child in self.children if isinstance(child, Node))

    def text(self) -> str:
        """All the text inside; blanks are single."""
        return " ".join(" ".join(self.texts()).split())

    def texts(self) -> Iterator[str]:
        """Every text inside as it was written; `<br>` is a newline."""
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child.texts() if child.tag != "br" else ("\n",)

    def formula(self) -> str:
        """The LaTeX inside, without its delimiters."""
        text = self.text()
        match = _MATH.match(text)
        return (match[1] if match else text).strip()


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page. kind: a tag, or image, chart, formula, chemical formula, music sheet. box: picture pixels."""

    kind: str
    box: Box
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """html: QwenVL HTML, its `data-bbox` in picture pixels. blocks: its parts with a box, in reading order."""

    html: str
    blocks: tuple[Block, ...]


def parse_document(reply: str, frame: Frame) -> Document:
    """The QwenVL HTML in a reply, with or without a fence; without blocks for a blank page.

    Raises InvalidAction if it holds no HTML, or was cut off before the first element.
    """
    text = without_thoughts(reply)
    match = _WHOLE.search(text)
    page = match[0].removesuffix("```") if match else _fenced(text)
    tree = read_tree(page)
    if not any(tree.elements()) and not _CLOSED.search(page):
        raise InvalidAction("the reply holds no HTML document")
    blocks = tuple(_place(tree, frame))
    return Document(_page(_written(child) for child in tree.children), blocks)


def _fenced(text: str) -> str:
    match = _FENCE.search(text)
    return match[1] if match else text


def _place(node: Node, frame: Frame) -> Iterator[Block]:
    """Bring every data-bbox into picture pixels, and give the blocks."""
    node.attributes.pop("data-polygon", None)
    numbers = _NUMBER.findall(node.attributes.pop("data-bbox", ""))
    box = to_box([float(number) for number in numbers], frame)
    if box is not None:
        node.attributes["data-bbox"] = f"{box.left} {box.top} {box.right} {box.bottom}"
        # A list is there as its items, as in the cookbook's drawings.
        if node.tag not in LISTS:
            yield Block(node.kind, box, node.text())
    for child in node.elements():
        inner = _place(child, frame)
        # The img in a div of an image has the same box again.
        yield from (block for block in inner if not (child.tag == "img" and box is not None))


def plain_html(text: str) -> str:
    """QwenVL HTML to HTML for any browser: no boxes, classes or styles; formulas as \\[LaTeX\\], images as figures.

    Nothing that was read is thrown away (the cookbook's cleaner, made for scoring, empties captions and charts).
    Only structure, http links and text remain, so a page cannot bring scripts along. Never fails.
    """
    return _page(_written(child) for node in read_tree(text).children for child in _plain(node))


def _plain(node: Node | str) -> list[Node | str]:
    if isinstance(node, str):
        return [node]
    match node.kind:
        case "formula":
            return [Node("p", {}, [rf"\[{node.formula()}\]"])]
        case "chemical formula" | "music sheet":
            return [Node("pre", {}, ["".join(node.texts()).strip()])]
        case "image" | "chart":
            return [Node("figure", {}, [plain for child in node.children for plain in _plain(child)])]
        case _:
            inner = [plain for child in node.children for plain in _plain(child)]
            return [Node(node.tag, kept_attributes(node), inner)]


def kept_attributes(node: Node) -> dict[str, str]:
    """The attributes that mean something without Qwen's tools, and are safe."""
    given = node.attributes
    kept = {name: value for name, value in given.items() if name in ("colspan", "rowspan", "start", "alt")}
    links = {name: value.strip() for name, value in given.items() if name in ("href", "src")}
    kept |= {name: link for name, link in links.items() if _SAFE_LINK.match(link)}
    return kept | ({"alt": "image"} if node.tag == "img" and "alt" not in kept else {})


def _page(parts: Iterator[str]) -> str:
    lines = [line for part in parts if (line := part.strip())]
    return "\n".join(["<html><body>", *lines, "</body></html>"])


def _written(node: Node | str) -> str:
    if isinstance(node, str):
        return html.escape(node, quote=False)
    start = node.tag + "".join(f' {name}="{html.escape(value)}"' for name, value in node.attributes.items())
    inner = "".join(_written(child) for child in node.children)
    return f"<{start}/>" if node.tag in _VOID else f"<{start}>{inner}</{node.tag}>"


def read_tree(text: str) -> Node:
    """The known elements of an HTML text. Never fails; what is deeper than 40 levels is flattened."""
    text = _CUT_TAG.sub("", _NOT_SHOWN.sub("", sound(text)))
    builder = _Builder()
    builder.feed(_NO_TAG.sub("&lt;", text))
    builder.close()
    return builder.root


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WRAPPERS:
            return
        if tag not in _KNOWN:
            self.handle_data(self.get_starttag_text() or "")
            return
        while self._open[-1].tag in _ENDS.get(tag, ()):
            self._open.pop()
        node = Node(tag, {name: value or "" for name, value in attrs if re.fullmatch(r"[a-z][a-z0-9-]*", name)})
        self._open[-1].children.append(node)
        if tag not in _VOID and len(self._open) < _DEEPEST:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag in _WRAPPERS or tag in _VOID:
            return
        if tag not in _KNOWN:
            self.handle_data(f"</{tag}>")
            return
        depth = next((i for i in range(len(self._open) - 1, 0, -1) if self._open[i].tag == tag), 0)
        if depth:
            del self._open[depth:]

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)
