"""`agent ask`: a question about a picture, and the answer as text, places, values or a document."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from action_space.errors import ConfigError
from agent.cli import Json, Spec
from agent.draw import Shape, draw_shapes, require_drawable
from agent.models import load_model
from agent.results import results_only
from vlm.markdown import to_markdown
from vlm.qwen_html import Document, plain_html
from vlm.spans import Span
from vlm.tasks import (
    Count,
    LabelledBox,
    LabelledPoint,
    Task,
    TextLine,
    ask,
    boxes,
    counting,
    document,
    key_values,
    ocr,
    plain,
    points,
    spans,
)

app = typer.Typer(name="ask", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

_VIDEOS = frozenset(
    f".{name}" for name in "mp4 m4v mov mkv webm avi mpg mpeg wmv flv 3gp ogv ts mts m2ts".split()
)
