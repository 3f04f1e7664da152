"""The fine-tuning embedding: 79 expression coefficients -> the 30 numbers that are sent.

003 section 3.1 asks for "an attention-based encoder network"; this is its numpy forward, all
that a sender needs.  Each coefficient is a token; 30 learned queries attend over the 79 tokens;
a linear path beside the attention carries the identity at the start of the fit.

Tensors (w = token width): scale, place [79, w], keys, values [w, w], queries [30, w],
out [30, w], linear [30, 79], bias [30].
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def embed(
    tensors: Mapping[str, NDArray[np.floating]], expression: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Coefficients [F, 79] in standard deviations -> codes [F, 30], dimensionless."""
    t = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
    x = np.asarray(expression, np.float32)
    tokens = x[:, :, None] * t["scale"] + t["place"]  # [F, 79, w]
    logits = t["queries"] @ np.swapaxes(tokens @ t["keys"], 1, 2)  # [F, 30, 79]
    logits /= np.sqrt(np.float32(t["queries"].shape[1]))
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    attended = weights @ (tokens @ t["values"])  # [F, 30, w]
    codes = (attended * t["out"]).sum(axis=-1) + x @ t["linear"].T + t["bias"]
    return codes.astype(np.float32)
