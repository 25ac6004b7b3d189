"""The language model of a checkpoint as a GGUF file for llama.cpp, written by the `gguf` package.

The vision tower is another file there (`mmproj`), which llama.cpp's own converter makes.
"""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from action_space.errors import ConfigError, ModelError
from vlm.chat import load_tokenizer
from vlm.convert import Source, open_source
from vlm.names import published_name
from vlm.stored import DTYPES, Stored, read

_ARCHITECTURE = "qwen2vl"
"""llama.cpp's name for Qwen2-VL and Qwen2.5-VL: their language models differ in nothing."""

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
"""Kinds of tokens, in GGUF's numbers."""


def write_gguf(folder: Path, out: Path, *, dtype: str = "") -> int:
    """Write the language model of the checkpoint in `folder` to the new file `out`; returns its size in bytes.

    dtype: of the matrices, by default as they are stored; norms and biases are float32, as llama.cpp wants them. Raises
    ConfigError without the `gguf` package or where the file cannot be written, ModelError for a checkpoint that is not
    whole, is quantised, or has a tokenizer that llama.cpp cannot follow.
    """
    package = _package()
    source = open_source(folder)
    if source.config.quantization is not None:
        raise ModelError(f"the checkpoint {str(folder)!r} is quantised: take the one it was made from")
    if out.exists():
        raise ConfigError(f"{str(out)!r} exists already: give another name")
    unfinished = out.with_name(f"{out.name}.unfinished")
    writer = package.GGUFWriter(unfinished, _ARCHITECTURE)
    _add_settings(writer, source)
    _add_tokenizer(writer, folder, source.config.text.vocab_size)
    try:
        _write_tensors(writer, package, source, dtype)
        unfinished.replace(out)
    except OSError as error:
        raise ConfigError(f"cannot write {str(out)!r}: {error.strerror}") from None
    finally:
        writer.close()
        unfinished.unlink(missing_ok=True)
    return out.stat().st_size


def _package() -> Any:  # noqa: ANN401 (an optional package)
    try:
        return import_module("gguf")
    except ImportError:
        raise ConfigError("writing GGUF needs the package gguf: pip install 'clickwright[gguf]'") from None


def _add_settings(writer: Any, source: Source) -> None:  # noqa: ANN401
    text = source.config.text
    writer.add_name(source.folder.resolve().name)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_block_count(text.num_hidden_layers)
    writer.add_feed_forward_length(text.intermediate_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_head_count_kv(text.num_key_value_heads)
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)
    writer.add_rope_freq_base(text.rope_theta)
    writer.add_rope_dimension_sections([*text.mrope_section, 0])


def _add_tokenizer(writer: Any, folder: Path, vocab_size: int) -> None:  # noqa: ANN401
    tokenizer = load_tokenizer(folder)
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if not (merges := data["model"].get("merges")):
        raise ModelError("its tokenizer has no merges, as the bundled model's has none: llama.cpp cannot follow it")
    added = {token["id"]: _CONTROL if token["special"] else _USER_DEFINED for token in data.get("added_tokens", [])}
    known = {number: token for token, number in tokenizer.get_vocab().items()}
    if max(known) >= vocab_size:
        raise ModelError(f"the tokenizer has {max(known) + 1} tokens, the network {vocab_size}: they do not match")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    # The network's table is padded to a round number, and llama.cpp wants a name for every row.
    writer.add_token_list([known.get(number, f"[PAD{number}]") for number in range(vocab_size)])
    writer.add_token_types([added.get(n, _NORMAL if n in known else _UNUSED) for n in range(vocab_size)])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_add_bos_token(False)
    for add, token in ((writer.add_eos_token_id, "<|im_end|>"), (writer.add_pad_token_id, "<|endoftext|>")):
        if (number := tokenizer.token_to_id(token)) is not None:
            add(number)
    if template := _chat_template(folder):
        writer.add_chat_template(template)


def _chat_template(folder: Path) -> str:
    """From the file that has it in this version of transformers, "" if none has."""
    jinja = folder / "chat_template.jinja"
    if jinja.is_file():
        return jinja.read_text(encoding="utf-8")
    for path in (folder / "chat_template.json", folder / "tokenizer_config.json"):
        try:
            data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise ModelError(f"cannot read {str(path)!r}: {error}") from None
        if isinstance(template := data.get("chat_template"), str):
            return template
    return ""


def _write_tensors(writer: Any, package: Any, source: Source, dtype: str) -> None:  # noqa: ANN401
    """First what there is, then tensor after tensor, so that one at a time is in memory."""
    kinds, plan = package.GGMLQuantizationType, list(_plan(package, source, dtype))
    for name, stored, kind in plan:
        length = stored.values * kind.itemsize
        raw = {torch.float32: kinds.F32, torch.float16: kinds.F16, torch.bfloat16: kinds.BF16}[kind]
        # numpy has no bf16: the type of its bits does not count beside raw_dtype.
        numpy_kind = torch.empty(0, dtype=_bits(kind)).numpy().dtype
        writer.add_tensor_info(name, stored.shape, numpy_kind, length, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, stored, kind in plan:
        tensor: Tensor = read(stored, kind)
        if not tensor.isfinite().all():
            raise ModelError(f"the tensor {stored.key} holds values that {str(kind).removeprefix('torch.')} cannot")
        writer.write_tensor_data(tensor.view(_bits(kind)).numpy())


def _plan(package: Any, source: Source, dtype: str) -> Iterator[tuple[str, Stored, torch.dtype]]:  # noqa: ANN401
    """(its name for llama.cpp, the tensor, the dtype to write) for all of the language model."""
    table = package.get_tensor_name_map(package.MODEL_ARCH.QWEN2VL, source.config.text.num_hidden_layers)
    for name, stored in source.tensors.items():
        if name.startswith("visual."):
            continue
        kept = DTYPES[stored.dtype] if DTYPES[stored.dtype] is not torch.float64 else torch.float32
        matrix: torch.dtype = getattr(torch, dtype) if dtype else kept
        kind = torch.float32 if len(stored.shape) == 1 else matrix
        yield table.get_name(published_name(name, "legacy"), try_suffixes=(".weight", ".bias")), stored, kind


def _bits(kind: torch.dtype) -> torch.dtype:
    return torch.int16 if kind is torch.bfloat16 else kind
