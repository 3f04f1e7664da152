"""The embedding's two forms: numpy for a sender, torch for the fit."""

import numpy as np
import torch

from avatar.embedding import embed
from enroll.embedding import AttentionEmbedding


def test_numpy_and_torch_agree():
    torch.manual_seed(0)
    module = AttentionEmbedding(torch.randn(30, 79) * 0.2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    expression = torch.randn(40, 79) * 2
    theirs = module(expression).detach().numpy()
    arrays = {k: v.numpy() for k, v in module.state_dict().items()}
    np.testing.assert_allclose(embed(arrays, expression.numpy()), theirs, atol=1e-5)


def test_it_starts_as_the_linear_path():
    linear = torch.randn(30, 79)
    expression = torch.randn(5, 79)
    module = AttentionEmbedding(linear)
    torch.testing.assert_close(module(expression), expression @ linear.T)


def test_it_is_an_attention_over_tokens():
    """Not a linear map: doubling the input does not double what the attention adds."""
    torch.manual_seed(1)
    module = AttentionEmbedding(torch.zeros(30, 79))
    torch.nn.init.normal_(module.out)
    x = torch.randn(1, 79)
    once, twice = module(x), module(2 * x)
    assert (twice - 2 * once).abs().max() > 0.05
