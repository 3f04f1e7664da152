"""Bi-layer: Zakharov, Ivakhnenko, Shysheya and Lempitsky, "Fast Bi-layer Neural Synthesis of
One-Shot Realistic Head Avatars", ECCV 2020.  68 landmarks, 136 numbers a frame.

Once a key frame an embedding and a texture, which has the fine detail; for each frame, of its
landmarks, a coarse picture and where in the texture to look.  What is shown is the sum of both.  So
much is theirs.  Ours: the coarse picture is on the motion grid and the texture is what such a grid
cannot hold, so that no loss has to part them; both begin at the key frame's own, moved and trusted
as far as the network says, as the other methods' generator begins (`bench.generative.generator`);
layers are added before the sigmoid; the person is not cut out of the background; nothing is
trained against a discriminator, and no texture is refined for one person.

Landmarks are a tracker's, theirs and here; a key frame takes its own along, since who receives has
no tracker.  003 does not say how many it sends; its rates of Bi-layer and FOMM, PSNR over PSNR/b.r.
of Table 1, are as 2.24 to 1, where 136 numbers are to 60 as 2.27.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from avatar.errors import InputError
from bench.generative.keypoints import UNIT, points_of
from bench.generative.landmarks import PARTS, drawn, landmarks_of
from bench.generative.settings import MethodSettings
from codec.mttf.backend import Module, functional, nn, torch
from codec.mttf.blocks import (
    UNet,
    conv_block,
    doubled,
    enlarged,
    identity_grid,
    logit,
    resized,
    warped,
)
from codec.mttf.generator import Generated, Warping
from codec.mttf.guide import MARKS
from codec.mttf.motion import Motion
from codec.mttf.portraits import Portraits

Tensor = Any
_REACH = 0.2  # of the motion's network in picture halves


@dataclass(frozen=True)
class Layers:
    """What a receiver keeps of a key frame.  key: [B, 3, R, R] in 0 .. 1; small: on the grid;
    face: its numbers [B, 136], None where it shows none; embedding: [B, E, g, g]; coarse: [B, 3,
    g, g] and texture: [B, 3, R, R], which add up to it before the sigmoid, but for what the
    texture has learned."""

    key: Tensor
    small: Tensor
    face: Tensor | None
    embedding: Tensor
    coarse: Tensor
    texture: Tensor


class BiLayer(Module):
    """A `codec.mttf.kind.Network`.  x and y of 68 landmarks."""

    draws = False
    learns_motion = True

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        self.settings = settings
        self.texture = TextureGenerator(settings)
        self.inference = InferenceGenerator(settings)

    @property
    def told(self) -> int:
        return self.settings.numbers

    def prepare(self, portraits: Portraits) -> None:
        """Raises InputError for meshes that do not have the landmarks."""
        if portraits.meshes.shape[1] != MARKS:
            raise InputError(
                f"meshes of {portraits.meshes.shape[1]} marks have no 68 landmarks",
                "Prepare the crops again: facewire train-mttf CLIPS -o WEIGHTS",
            )

    def vectors(self, picture: Tensor, mesh: Tensor | None = None) -> Tensor:
        """[B, 3, R, R] and [B, 482, 2] -> [B, 136]; 0 for None."""
        if mesh is None:
            return picture.new_zeros(len(picture), self.settings.numbers)
        return self.face(mesh)

    def face(self, mesh: Tensor) -> Tensor:
        """Landmarks of a key frame, as of any other."""
        return UNIT * landmarks_of(mesh).flatten(1)

    def hold(self, key: Tensor, face: Tensor | None = None) -> Layers:
        grid = self.settings.grid
        embedding, texture = self.texture(key)
        return Layers(key, resized(key, grid), face, embedding, resized(logit(key), grid), texture)

    def own(self, held: Layers) -> Tensor:
        return self.vectors(held.key) if held.face is None else held.face

    def generate(self, held: Layers, vectors: Tensor) -> Generated:
        """Where the key frame shows no face, landmarks tell nothing."""
        side = self.settings.grid
        if held.face is None:
            lines = held.small.new_zeros(len(vectors), 2 * PARTS, side, side)
        else:
            frame, key = (drawn(points_of(x), side) for x in (vectors, held.face))
            lines = torch.cat([frame, frame - key], dim=1)
        out = self.inference(held.small, lines, held.embedding)
        offsets, shown, colours = out.split((2, 1, 3), dim=1)
        flow = identity_grid(side, out) + _REACH * offsets.permute(0, 2, 3, 1)
        trusted = torch.sigmoid(shown)
        size = held.key.shape[-1]
        coarse = colours + trusted * warped(held.coarse, flow)
        fine = enlarged(trusted, size) * warped(held.texture, flow)
        picture = torch.sigmoid(enlarged(coarse, size) + fine)
        return Generated(picture, None, Motion(flow, flow, trusted))

    def penalties(
        self, picture: Tensor, vectors: Tensor, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Nothing beside the pictures."""
        return {}


class TextureGenerator(Warping):
    """Their embedder and texture generator, which share an encoder here."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__(settings, settings.features)
        self.last = nn.Conv2d(settings.features[0], 3, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(self, key: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, R, R] -> embedding [B, E, g, g], texture [B, 3, R, R] without what the grid can
        hold."""
        side = key.shape[-1]
        doublings = self.settings.samplings(side)
        features = self.encode(key)
        x = features[-1]
        for i, block in enumerate(self.decoder):
            x = block(doubled(x) if i < doublings else x)
            if i + 1 < len(self.decoder):
                x = x + features[-2 - i]
        texture = logit(key) + self.last(x)
        return features[-1], texture - enlarged(resized(texture, self.settings.grid), side)


class InferenceGenerator(Module):
    """Once a frame: landmarks as lines, then blocks that the embedding modulates."""

    def __init__(self, settings: MethodSettings) -> None:
        super().__init__()
        width = 2 * settings.motion[0]
        self.lines = UNet(3 + 2 * PARTS, settings.motion, width)
        self.blocks = nn.ModuleList(
            Modulated(width, settings.features[-1]) for _ in range(settings.residuals)
        )
        self.last = nn.Conv2d(width, 6, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)
        self.last.bias.data[2] = 3.0  # the key frame is trusted at the start

    def forward(self, small: Tensor, lines: Tensor, embedding: Tensor) -> Tensor:
        """The key frame [B, 3, g, g] in 0 .. 1, lines [B, 18, g, g] in the frame and by how much
        they differ from the key frame's -> [B, 6, g, g]: offsets, trust before the sigmoid,
        colours."""
        x = functional.relu(self.lines(torch.cat([2 * small - 1, lines], dim=1)))
        for block in self.blocks:
            x = block(x, embedding)
        return self.last(x).float()


class Modulated(Module):
    """x + f(x), between whose convolutions the embedding scales and shifts every place: SPADE
    (T. Park et al., 2019), of which theirs is an adaptive kind."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.first = conv_block(width, width)
        self.tell = nn.Conv2d(told, 2 * width, 1)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.tell.weight)
        nn.init.zeros_(self.tell.bias)
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.tell(embedding).chunk(2, dim=1)
        return x + self.last(self.first(x) * (1 + scale) + shift)
