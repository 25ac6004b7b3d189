"""Qwen2.5-VL: visual tokens take the places of the picture's placeholders, then the decoder reads on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vlm.config import Config
from vlm.language import KVCache, LanguageModel
from vlm.rope import Grid, rope_index
from vlm.vision import VisionTower


@dataclass(frozen=True, slots=True)
class Output:
    """logits `[B, L, vocab]`; rope_deltas `[B]`: next position minus the number of tokens so far."""

    logits: Tensor
    rope_deltas: Tensor | None


class Qwen25VL(nn.Module):
    """The whole network. Weights come from `vlm.checkpoint`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.visual = VisionTower(config.vision)
        self.language_model = LanguageModel(config.text)
        self.lm_head = nn.Linear(config.text.hidden_size, config.text.vocab_size, bias=False)
        if config.text.tie_word_embeddings:
            self.lm_head.weight = self.language_model.embed_tokens.weight

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        image_grid_thw: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        video_grid_thw: Tensor | None = None,
        second_per_grid_ts: Sequence[float] | Tensor | None = None,
        *,
        image_features: Tensor | None = None,
        video_features: Tensor | None = None,
        cache: KVCache | None = None,
        last_only: bool = False,
    ) -> Output:
        """Token ids `[B, L]` to logits.

        pixel_values: `[patches, 1176]`; image_grid_thw: `[images, 3]`; likewise for videos, with second_per_grid_ts
        `[videos]` seconds for each temporal grid step. position_ids `[3, B, L]` are worked out where not given.
        image_features, video_features: `[n, hidden]`, in place of pixel values, of what was encoded before (`visual`).
        cache: filled and read; a second call must then give position_ids. last_only: logits of the last token alone.
        Raises ValueError where placeholders, grids and patches do not agree.
        """
        images, videos = grids_of(image_grid_thw), grids_of(video_grid_thw)
        deltas = None
        if position_ids is None:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            seconds = [float(s) for s in second_per_grid_ts] if second_per_grid_ts is not None else []
            position_ids, deltas = rope_index(input_ids, mask, self.config, images, videos, seconds)
        x = self.language_model.embed_tokens(input_ids)
        if pixel_values is not None:
            image_features = self.visual(pixel_values, images)
        if pixel_values_videos is not None:
            video_features = self.visual(pixel_values_videos, videos)
        x = place_features(x, input_ids == self.config.image_token_id, image_features)
        x = place_features(x, input_ids == self.config.video_token_id, video_features)
        padding = None if attention_mask is None or bool(attention_mask.all()) else attention_mask
        hidden = self.language_model(x, position_ids, padding, cache, last_only=last_only)
        if last_only:
            # As two dimensions: of `hidden[:, -1:]` torch makes a batched product, and copies the whole head for it.
            return Output(self.lm_head(hidden[:, -1]).unsqueeze(1), deltas)
        return Output(self.lm_head(hidden), deltas)


def place_features(x: Tensor, where: Tensor, features: Tensor | None) -> Tensor:
    """Rows of `x` `[B, L, hidden]` at True in `where` `[B, L]`, replaced by `features` `[n, hidden]` in order."""
    if features is None:
        return x
    if int(where.sum()) != features.shape[0]:
        raise ValueError(f"{int(where.sum())} placeholder tokens for {features.shape[0]} visual tokens")
    return x.masked_scatter(where.unsqueeze(-1), features.to(x.dtype))


def grids_of(table: Tensor | None) -> list[Grid]:
    """A `[n, 3]` tensor as tuples; [] for None."""
    return [] if table is None else [(int(t), int(h), int(w)) for t, h, w in table.tolist()]
