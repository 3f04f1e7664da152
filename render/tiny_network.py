"""A colour network for tinycudann's fully fused kernels, with the weights of torch's.

Mueller et al. 2021, "Real-time neural radiance caching", section 4: all layers in one kernel.
Those networks have no biases and widths of 16, 32, 64 or 128 only.  The conversion is exact: one
input is always 1, its first-layer column holds the bias, and one spare hidden unit carries the 1
on, so that the later biases are its weights.  The fit, the archive and the CPU keep torch's form:
an avatar enrolled anywhere renders anywhere.

Parameter layout (one float vector): per layer a matrix [outputs, inputs], row by row, layers in
their order; the first has a multiple of 16 inputs, the last a multiple of 16 outputs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from avatar.errors import MissingError
from render.fields.colour import ColourNetwork

WIDTHS = (16, 32, 64, 128)
_STEP = 16  # what tinycudann pads the first and the last layer to
CURE = "facewire doctor says how to get it for this machine."


def tiny_config(network: ColourNetwork) -> dict[str, object]:
    """tinycudann's configuration of the network that `tiny_parameters` are for.

    Raises MissingError where the hidden layers are too wide for its kernels."""
    hidden = network.middle.out_features
    width = next((w for w in WIDTHS if w > hidden), None)
    if width is None:
        raise MissingError(
            f"tinycudann has no fused network for {hidden} hidden units and a bias",
            f"Fit with fewer than {WIDTHS[-1]}, or render with torch's networks.",
        )
    return {
        "otype": "FullyFusedMLP",
        "activation": "ReLU",
        "output_activation": "None",
        "n_neurons": width,
        "n_hidden_layers": 2,
    }


def tiny_inputs(pixels: Tensor, frames: Tensor) -> Tensor:
    """Pixels [B, N, P] and frames [B, F] -> [B * N, inputs]: both, a 1, zeros up to the step."""
    count = pixels.shape[1]
    ones = torch.ones_like(pixels[..., :1])
    joined = torch.cat([pixels, frames[:, None].expand(-1, count, -1), ones], dim=-1)
    return functional.pad(joined, (0, -joined.shape[-1] % _STEP)).flatten(0, 1)


@torch.no_grad()
def tiny_parameters(network: ColourNetwork) -> Tensor:
    """The parameter vector, float32 on the CPU."""
    width = int(tiny_config(network)["n_neurons"])  # type: ignore[call-overload]
    pixels, frames = network.pixel.in_features, network.frame.in_features
    hidden, outputs = network.middle.out_features, network.last.out_features
    one = pixels + frames  # the input that is always 1
    first = torch.zeros(width, -(-(one + 1) // _STEP) * _STEP)
    first[:hidden, :pixels] = network.pixel.weight
    first[:hidden, pixels:one] = network.frame.weight
    first[:hidden, one] = network.pixel.bias
    first[hidden, one] = 1.0  # the spare unit
    middle = torch.zeros(width, width)
    middle[:hidden, :hidden] = network.middle.weight
    middle[:hidden, hidden] = network.middle.bias
    middle[hidden, hidden] = 1.0
    last = torch.zeros(-(-outputs // _STEP) * _STEP, width)
    last[:outputs, :hidden] = network.last.weight
    last[:outputs, hidden] = network.last.bias
    return torch.cat([matrix.flatten() for matrix in (first, middle, last)])


class TinyNetwork(nn.Module):
    """In place of a `ColourNetwork` on a GPU; for pictures, not for fits.

    Raises MissingError without tinycudann or a GPU, or where its layout is not the one above.
    """

    precision = torch.float16  # what its kernels compute with, whatever is asked for

    def __init__(self, network: ColourNetwork) -> None:
        super().__init__()
        self._outputs = network.last.out_features
        try:
            import tinycudann
        except (ImportError, OSError) as error:  # it raises OSError where it sees no GPU
            raise MissingError(f"tinycudann cannot be used: {error}", CURE) from None
        parameters = tiny_parameters(network.cpu())
        config = tiny_config(network)
        width = config["n_neurons"]
        inputs = (len(parameters) - width * width) // width  # type: ignore[operator]
        inputs -= -(-self._outputs // _STEP) * _STEP
        self._network = tinycudann.Network(inputs, self._outputs, config)
        if self._network.params.numel() != len(parameters):
            raise MissingError(
                f"this tinycudann keeps {self._network.params.numel()} parameters where "
                f"{len(parameters)} were expected",
                CURE,
            )
        with torch.no_grad():
            self._network.params.copy_(parameters)
        self._network.requires_grad_(False)

    @torch.compiler.disable  # no compiler sees into it: what is around it is compiled in parts
    def forward(self, pixels: Tensor, frames: Tensor) -> Tensor:
        """As `ColourNetwork.forward`."""
        out = self._network(tiny_inputs(pixels, frames))
        return out.float().view(*pixels.shape[:2], self._outputs)
