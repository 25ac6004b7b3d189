"""QwenVL HTML to Markdown: headings, paragraphs, lists, pipe tables, images, and formulas between dollars."""

import re
from collections.abc import Iterator

from vlm.qwen_html import CELLS, HEADINGS, INLINE, LISTS, Node, kept_attributes, read_tree

_IN_TEXT = frozenset((*INLINE, "br", "img", "wbr", "input"))
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "s": "~~", "del": "~~", "code": "`"}
_LOOKS_LIKE_BLOCK = re.compile(r"(#{1,6}\s|>|[-+*]\s|={3,}|-{3,}|`{3,}|~{3,})")
_LOOKS_LIKE_ITEM = re.compile(r"([0-9]{1,9})([.)]\s)")
_MOST_SPANNED = 50


def to_markdown(text: str) -> str:
    """QwenVL HTML, or plain HTML, to Markdown. Boxes are left out; HTML inside the text is escaped. Never fails."""
    return "\n\n".join(_blocks(read_tree(text))) + "\n"


def _blocks(node: Node) -> Iterator[str]:
    """The blocks inside an element; runs of text between them are paragraphs."""
    run: list[Node | str] = []
    for child in node.children:
        if isinstance(child, str) or child.tag in _IN_TEXT:
            run.append(child)
            continue
        yield from _paragraph(run)
        run = []
        yield from (block for block in _block(child) if block.strip())
    yield from _paragraph(run)


def _paragraph(run: list[Node | str]) -> Iterator[str]:
    text = _inline(run)
    if text:
        text = _LOOKS_LIKE_ITEM.sub(r"\1\\\2", text, count=1) if _LOOKS_LIKE_ITEM.match(text) else text
        yield "\\" + text if _LOOKS_LIKE_BLOCK.match(text) else text


def _block(node: Node) -> Iterator[str]:
    match node.kind:
        case tag if tag in HEADINGS:
            yield "#" * int(tag[1]) + " " + _inline(node.children).replace("\n", " ")
        case tag if tag in LISTS:
            yield "\n".join(_items(node))
        case "table":
            yield from _table(node)
        case "formula":
            yield f"$$\n{node.formula()}\n$$"
        case "chemical formula" | "music sheet" | "pre":
            yield _code(node)
        case "image" | "chart" | "figure":
            yield from _picture(node)
        case "blockquote":
            yield "\n".join(f"> {line}".rstrip() for line in "\n\n".join(_blocks(node)).split("\n"))
        case "hr":
            yield "---"
        case _:
            yield from _blocks(node)


def _picture(node: Node) -> Iterator[str]:
    """The image with its caption as its alternative text; what else was read in it below."""
    shown = next((child for child in node.elements() if child.tag == "img"), Node("img"))
    rest = Node("div", {}, [child for child in node.children if child is not shown])
    if {"image", "caption"} <= node.classes and rest.text():
        shown = Node("img", {**shown.attributes, "alt": rest.text()})
        rest = Node("div")
    yield _image(shown)
    yield from _blocks(rest)


def _image(node: Node) -> str:
    kept = kept_attributes(node)
    alt = re.sub(r"[\[\]\\\s]+", " ", kept["alt"]).strip()
    return f"![{_escaped(alt)}]({_address(kept.get('src', ''))})"


def _address(link: str) -> str:
    return re.sub(r"[\s()<>\\]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), link)


def _code(node: Node) -> str:
    text = "".join(node.texts()).strip("\n")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}" if text.strip() else ""


def _items(node: Node) -> Iterator[str]:
    first = node.attributes.get("start", "1")
    number = int(first) if re.fullmatch(r"[0-9]{1,6}", first) else 1
    items = [child for child in node.elements() if _text_or_picture(child)]
    for index, item in enumerate(items, start=number):
        mark = f"{index}. " if node.tag == "ol" else "- "
        # A list in an item follows at once, without an empty line: the list stays a tight one.
        blocks = list(_blocks(item)) if item.tag not in LISTS else ["\n".join(_items(item))]
        text = "\n".join(blocks)
        yield mark + ("\n" + " " * len(mark)).join(text.split("\n"))


def _text_or_picture(node: Node) -> bool:
    return bool(node.text()) or node.tag == "img" or any(_text_or_picture(child) for child in node.elements())


def _table(node: Node) -> Iterator[str]:
    yield from (_inline(child.children) for child in node.elements() if child.tag == "caption")
    rows = _grid(node)
    width = max((len(row) for row in rows), default=0)
    if not width:
        return
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    yield "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _grid(table: Node) -> list[list[str]]:
    """Rows of cells; a cell over several columns or rows is followed by empty ones."""
    grid: list[list[str]] = []
    below: dict[int, int] = {}  # column -> rows that a cell above still covers
    for cells in _rows(table):
        row: list[str] = []
        for cell in cells:
            _skip_covered(row, below)
            columns, rows = _span(cell, "colspan"), _span(cell, "rowspan")
            below |= {len(row) + step: rows - 1 for step in range(columns) if rows > 1}
            row += [_cell(cell), *[""] * (columns - 1)]
        _skip_covered(row, below)
        grid.append(row)
    return grid


def _skip_covered(row: list[str], below: dict[int, int]) -> None:
    while below.get(len(row), 0) > 0:
        below[len(row)] -= 1
        row.append("")


def _rows(node: Node) -> Iterator[list[Node]]:
    for child in node.elements():
        if child.tag == "tr":
            yield [cell for cell in child.elements() if cell.tag in CELLS]
        elif child.tag in ("thead", "tbody", "tfoot"):
            yield from _rows(child)


def _span(cell: Node, name: str) -> int:
    value = cell.attributes.get(name, "").strip()
    return min(max(int(value), 1), _MOST_SPANNED) if re.fullmatch(r"[0-9]{1,6}", value) else 1


def _cell(cell: Node) -> str:
    blocks = [cell.text()] if any(child.tag == "table" for child in cell.elements()) else list(_blocks(cell))
    return re.sub(r"\s*\n\s*", "<br>", "\n".join(blocks).strip()).replace("|", "\\|")


def _inline(run: list[Node | str]) -> str:
    """Text with its marks; blanks are single, `<br>` is a line of its own."""
    pieces = (_escaped(re.sub(r"\s+", " ", child)) if isinstance(child, str) else _marked(child) for child in run)
    lines = re.sub(r" {2,}", " ", "".join(pieces)).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def _marked(node: Node) -> str:
    inner = _inline(node.children)
    match node.tag:
        case "br":
            return "\n"
        case "img":
            return _image(node)
        case "a" if inner and kept_attributes(node).get("href"):
            return f"[{inner}]({_address(kept_attributes(node)['href'])})"
        case "sub" | "sup" if inner:
            return f"<{node.tag}>{inner}</{node.tag}>"
        case tag if tag in _MARKS and inner:
            return _spaced(node, f"{_MARKS[tag]}{inner}{_MARKS[tag]}")
        case _:
            return _spaced(node, inner)


def _spaced(node: Node, text: str) -> str:
    """With the blanks that stood inside the element, outside its marks."""
    first, last = (node.children[0], node.children[-1]) if node.children else ("", "")
    before = " " if isinstance(first, str) and first[:1].isspace() else ""
    return before + text + (" " if isinstance(last, str) and last[-1:].isspace() else "")


def _escaped(text: str) -> str:
    # Text, not HTML; formulas in the text keep their underscores and stars.
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
