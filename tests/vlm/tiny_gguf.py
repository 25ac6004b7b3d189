"""A random language model of 0.4 MB in llama.cpp's format: one token a byte, two layers."""

from pathlib import Path

import gguf
import numpy as np

from vlm.training.tokenizer import byte_tokenizer

CONTEXT = 2048
_WIDTH, _INNER, _HEADS, _LAYERS = 64, 96, 2, 2
_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_MATRICES = {
    **{f"attn_{name}": (_WIDTH, _WIDTH) for name in ("q", "k", "v", "output")},
    **{f"ffn_{name}": (_INNER, _WIDTH) for name in ("gate", "up")},
    "ffn_down": (_WIDTH, _INNER),
}


def write_gguf(path: Path) -> Path:
    rng = np.random.default_rng(0)
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(_WIDTH)
    file.add_feed_forward_length(_INNER)
    file.add_block_count(_LAYERS)
    file.add_head_count(_HEADS)
    file.add_head_count_kv(_HEADS)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_rope_dimension_count(_WIDTH // _HEADS)
    vocabulary = byte_tokenizer(phrases=())
    # llama.cpp takes no tokenizer without merges, so "he" is one.
    tokens = [str(vocabulary.id_to_token(byte)) for byte in range(256)] + ["he"]
    kinds = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(_CONTROL)
    tokens += _CONTROL
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("qwen2")
    file.add_token_list(tokens)
    file.add_token_types(kinds)
    file.add_token_merges(["h e"])
    file.add_eos_token_id(tokens.index("<|im_end|>"))
    file.add_add_bos_token(False)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    file.add_tensor("token_embd.weight", 5 * matrix(len(tokens), _WIDTH))
    output = matrix(len(tokens), _WIDTH)
    # It says ASCII only, and never stops by itself.
    output[:32], output[127:] = 0, 0
    file.add_tensor("output.weight", output)
    file.add_tensor("output_norm.weight", np.ones(_WIDTH, np.float32))
    for layer in range(_LAYERS):
        for name, shape in _MATRICES.items():
            file.add_tensor(f"blk.{layer}.{name}.weight", matrix(*shape))
        for name in ("attn_norm", "ffn_norm"):
            file.add_tensor(f"blk.{layer}.{name}.weight", np.ones(_WIDTH, np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path
