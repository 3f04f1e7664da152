"""tinycudann's layout by a plain numpy twin, and the bindings by a stand-in of the same shape."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from avatar.errors import MissingError
from render.fields.colour import ColourNetwork
from render.tiny_network import TinyNetwork, tiny_config, tiny_inputs, tiny_parameters


def fused(parameters: np.ndarray, inputs: np.ndarray, width: int, outputs: int) -> np.ndarray:
    """What the fully fused kernel computes: bias-free layers, row-major matrices, ReLU between."""
    padded = -(-outputs // 16) * 16
    shapes = [(width, inputs.shape[1]), (width, width), (padded, width)]
    assert len(parameters) == sum(a * b for a, b in shapes)
    x, at = inputs, 0
    for layer, (rows, columns) in enumerate(shapes):
        matrix = parameters[at : at + rows * columns].reshape(rows, columns)
        at += rows * columns
        x = x @ matrix.T
        if layer < 2:
            x = np.maximum(x, 0)
    return x[:, :outputs]


@pytest.fixture(params=[(27, 44, 64, 3), (12, 8, 16, 4), (8, 7, 100, 3)])
def network(request) -> ColourNetwork:
    torch.manual_seed(2)
    return ColourNetwork(*request.param).requires_grad_(False)


def test_the_converted_weights_give_the_same_colours(network):
    pixels = torch.randn(3, 40, network.pixel.in_features)
    frames = torch.randn(3, network.frame.in_features)
    inputs = tiny_inputs(pixels, frames).numpy()
    width = tiny_config(network)["n_neurons"]
    outputs = network.last.out_features
    got = fused(tiny_parameters(network).numpy(), inputs, width, outputs)
    want = network(pixels, frames).flatten(0, 1).numpy()
    np.testing.assert_allclose(got, want, atol=2e-5)
    half = fused(tiny_parameters(network).half().float().numpy(), inputs, width, outputs)
    assert np.abs(half - want).max() < 1 / 64 and np.median(np.abs(half - want)) < 1 / 255
    assert inputs.shape[1] % 16 == 0 and width > network.middle.out_features


def test_too_wide_a_network_is_refused():
    with pytest.raises(MissingError, match="128 hidden"):
        tiny_config(ColourNetwork(8, 8, 128, 3))


def test_without_tinycudann_it_says_how_to_get_it(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(MissingError) as caught:
        TinyNetwork(network)
    assert "facewire doctor" in caught.value.cure


class StandIn(torch.nn.Module):
    """tinycudann.Network as its bindings describe it, computed by the twin."""

    def __init__(self, inputs: int, outputs: int, config: dict) -> None:
        super().__init__()
        self.width, self.outputs = config["n_neurons"], outputs
        padded = -(-outputs // 16) * 16
        count = self.width * (inputs + self.width + padded)
        self.params = torch.nn.Parameter(torch.rand(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = fused(self.params.detach().numpy(), x.numpy(), self.width, self.outputs)
        return torch.from_numpy(out).half()


def test_it_stands_in_for_torchs_network(network, monkeypatch):
    module = ModuleType("tinycudann")
    module.Network = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tinycudann", module)
    pixels = torch.randn(2, 30, network.pixel.in_features)
    frames = torch.randn(2, network.frame.in_features)
    got, want = TinyNetwork(network)(pixels, frames), network(pixels, frames)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want, atol=2e-3, rtol=2e-3)
