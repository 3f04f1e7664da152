"""The torch twin of `avatar.embedding`, trained together with the fields (003 section 3.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from avatar.face import EXPRESSIONS


class AttentionEmbedding(nn.Module):
    """The same tensors, shapes and arithmetic as `avatar.embedding.embed`."""

    def __init__(
        self,
        linear: Tensor,  # [codes, 79], the linear path at the start
        width: int = 16,
    ) -> None:
        super().__init__()
        codes = len(linear)
        self.scale = nn.Parameter(torch.randn(EXPRESSIONS, width) * 0.3)
        self.place = nn.Parameter(torch.randn(EXPRESSIONS, width) * 0.3)
        self.keys = nn.Parameter(torch.randn(width, width) / math.sqrt(width))
        self.values = nn.Parameter(torch.randn(width, width) / math.sqrt(width))
        self.queries = nn.Parameter(torch.randn(codes, width))
        # Nothing flows through the attention at first: the fit starts from the linear path.
        self.out = nn.Parameter(torch.zeros(codes, width))
        self.linear = nn.Parameter(linear.clone())
        self.bias = nn.Parameter(torch.zeros(codes))

    def forward(self, expression: Tensor) -> Tensor:
        """[B, 79] -> [B, codes]."""
        tokens = expression[:, :, None] * self.scale + self.place
        logits = self.queries @ (tokens @ self.keys).transpose(1, 2)
        weights = torch.softmax(logits / math.sqrt(self.queries.shape[1]), dim=-1)
        attended = weights @ (tokens @ self.values)
        return (attended * self.out).sum(-1) + expression @ self.linear.T + self.bias
