"""How the shoulders of a call are held, looked for (`service.posture`).

Shoulders move as a whole: shift, roll, scale, for every frame.  Who leans on an arm holds one of
them higher for all of a call.  That is a displacement of the torso's plane, on a coarse grid, the
same in all frames.  Minimised is, over a call's frames t and rays r,

    sum [ w_tr |C_t(r; s) - I_t(r)|^2 / (2 n^2) ] + |s|^2 / (2 b^2) + |grad s|^2 / (2 g^2)

by Gauss-Newton steps: as a head hides what it hides whatever the shoulders do, a step looks at the
torso alone, three times.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.avatar import Avatar
from avatar.face import FaceStates, FaceTrack
from codec.packet import PosturePacket
from render.person import Drive, Person, SamplingSettings
from render.posture import bent_plane
from render.tensors import fields_of
from service.looks import Looks
from service.posture import offsets_of, packet_of
from service.windows import crops_of_video, spread

Array = NDArray[Any]


@dataclass(frozen=True)
class PostureSettings:
    """frames: that are looked at.  size: pixels of the pictures' side.  rays: a frame, at edges.
    side: of the grid, nodes.  steps: of Gauss and Newton.  noise: deviation of a colour, 0..1.
    correlation: rays that count as one observation.  outlier: colour distance of weight 1/2.
    top: of the window, above which nothing is moved.  bend, stiff: deviation of an offset, and of
    its difference to its neighbour's, window sides.  least: squared levels, mean over the window,
    that it must save, and price: beyond that, a byte.
    """

    frames: int = 24
    size: int = 256
    rays: int = 768
    side: int = 8
    steps: int = 4
    noise: float = 0.2
    correlation: float = 16.0
    outlier: float = 1.0
    top: float = 0.4
    bend: float = 0.02
    stiff: float = 0.01
    least: float = 0.5
    price: float = 0.01
    sampling: SamplingSettings = SamplingSettings(16, 8)


def changed_posture(
    source: str | Path,
    track: FaceTrack,
    states: FaceStates,
    avatar: Avatar,
    frames: slice | None = None,
    settings: PostureSettings = PostureSettings(),
) -> PosturePacket | None:
    """Of a tracked video, or a range of its frames; None where nothing worth sending has changed.

    states: of the track's frames, for this avatar, which is in the call's light."""
    crop_of = crops_of_video(source, track, settings.size, frames)
    seen = SeenPosture(settings)
    for row in spread(states.visible, settings.frames):
        seen.look(crop_of(row), track.mask[row], states.values[row])
    return seen.posture(avatar)


class SeenPosture:
    """What is looked at to know how shoulders are held."""

    def __init__(self, settings: PostureSettings = PostureSettings()) -> None:
        self._settings = settings
        self._windows: deque[NDArray[np.uint8]] = deque(maxlen=settings.frames)
        self._masks: deque[NDArray[np.uint8]] = deque(maxlen=settings.frames)
        self._values: deque[Array] = deque(maxlen=settings.frames)

    def look(self, window: NDArray[np.uint8], mask: NDArray[np.uint8], values: Array) -> None:
        """window: [S, S, 3] of the settings' size.  mask: [M, M] 0..255 where the person is.
        values: [D] the state."""
        self._windows.append(window)
        self._masks.append(mask)
        self._values.append(values)

    @property
    def full(self) -> bool:
        """Whether it has seen as many frames as it keeps."""
        return len(self._windows) == self._settings.frames

    @torch.no_grad()
    def posture(self, avatar: Avatar, held: PosturePacket | None = None) -> PosturePacket | None:
        """held: what a receiver has, which stays where another saves less than it costs."""
        if not self._windows:
            return held
        settings = self._settings
        pictures = Looks(
            np.stack(self._windows), np.stack(self._masks), torch.Generator().manual_seed(0)
        )
        rows = np.arange(len(self._windows))
        person = fields_of(avatar)
        values = torch.from_numpy(np.stack(self._values)).float()
        edges = _Scene(person, values, *pictures.rays(rows, settings.rays), settings.sampling)
        evenly = pictures.evenly(rows, settings.rays)
        judged = _Scene(person, values, *evenly, settings.sampling)
        found = packet_of(_offsets(edges, settings))

        def error(packet: PosturePacket | None) -> float:
            return judged.error(None if packet is None else offsets_of(packet))

        stays = error(held)
        if held is not None and error(None) - stays < settings.least:
            held, stays = None, error(None)  # they are held as enrolled again
        saved = stays - error(found) - settings.price * len(bytes(found))
        return found if saved >= settings.least else held


class _Scene:
    """Rays of some frames, and what stands before and behind the shoulders there."""

    def __init__(
        self,
        person: Person,
        values: Tensor,  # [F, D]
        points: Tensor,  # [F, R, 2]
        filmed: Tensor,  # [F, R, 3]
        sampling: SamplingSettings,
    ) -> None:
        self._torso, self._plane = person.torso, person.torso.plane.data
        self.points, self.filmed = points, filmed
        self._drive: Drive = person.drive(values)
        self._consistency = person.consistency(self._drive.motion)
        driven = person.head.drive(self._drive.expression, self._consistency)
        layers = person.head_layers(driven, self._drive, points, sampling)
        self._head, self._through = layers.head, 1.0 - layers.head_opacity[..., None]
        self._person, self._wall = person, person.background(points)

    @property
    def at_rest(self) -> Tensor:
        """Where the points lie on shoulders that have not moved, [F, R, 2] window."""
        return self._torso.at_rest(self.points, self._drive.torso)

    def bend(self, offsets: Array | None) -> None:
        """From the torso as it was learned; None: that."""
        plane = self._plane
        if offsets is not None:
            plane = bent_plane(plane, torch.from_numpy(offsets))
        self._torso.plane.data = plane

    def colours(self, moved: Tensor | None = None) -> Tensor:
        """[F, R, 3].  moved: [2] by how far beside each point its torso is looked at, on the torso
        at rest."""
        points = self.points if moved is None else self.points + self._in_window(moved)
        colour, opacity = self._person.shoulders(self._consistency, self._drive, points)
        behind = self._wall + opacity[..., None] * (colour - self._wall)
        return self._head + self._through * behind

    def error(self, offsets: Array | None) -> float:
        """Squared levels, mean over the rays."""
        self.bend(offsets)
        off = 255.0 * (self.colours().clamp(0, 1) - self.filmed)
        self.bend(None)
        return float(off.square().mean())

    def _in_window(self, moved: Tensor) -> Tensor:
        """[2] on the torso at rest -> [F, 1, 2] in the window."""
        roll, scale = self._drive.torso[:, 2], torch.exp(self._drive.torso[:, 3])
        cos, sin = torch.cos(roll), torch.sin(roll)
        x, y = moved
        return (scale[:, None] * torch.stack([cos * x - sin * y, sin * x + cos * y], -1))[:, None]


def _offsets(scene: _Scene, settings: PostureSettings) -> Array:
    """[G, G, 2]"""
    side, small = settings.side, 0.002
    share = _shares(scene.at_rest.reshape(-1, 2), side)  # [N, G * G]
    prior = np.kron(np.eye(2), _prior(settings))  # all that go right, then all that go down
    known = 1.0 / (settings.correlation * settings.noise**2)
    found = np.zeros(2 * side * side)
    for _ in range(settings.steps):
        scene.bend(_grid(found, side))
        seen = scene.colours()
        off = (seen - scene.filmed).flatten(0, 1)
        weight = 1.0 / (1.0 + off.square().sum(-1, keepdim=True) / settings.outlier**2)
        slopes = [(scene.colours(small * way) - seen).flatten(0, 1) / small for way in torch.eye(2)]
        pull = [share.T @ (weight * slope * off).sum(-1) for slope in slopes]
        curvature = [
            [share.T @ ((weight * one * other).sum(-1, keepdim=True) * share) for other in slopes]
            for one in slopes
        ]
        matrix = known * np.block([[part.numpy() for part in row] for row in curvature]) + prior
        right = known * torch.cat(pull).double().numpy() + prior @ found
        found = found - np.linalg.solve(matrix, right)
    scene.bend(None)
    return _grid(found, side)


def _grid(numbers: Array, side: int) -> Array:
    return np.ascontiguousarray(numbers.reshape(2, side, side).transpose(1, 2, 0), np.float32)


def _shares(places: Tensor, side: int) -> Tensor:
    """How much each node of the grid counts at places [N, 2] of the window, [N, G * G]."""
    axis = torch.arange(side)
    at = (places.clamp(0, 1) * (side - 1))[..., None]  # [N, 2, 1]
    x, y = (1.0 - (at - axis).abs()).clamp(min=0).unbind(1)
    return (y[:, :, None] * x[:, None, :]).flatten(1)


def _prior(settings: PostureSettings) -> Array:
    """Precision [G * G, G * G] of the offsets one way."""
    side = settings.side
    steps = np.diff(np.eye(side), axis=0)
    bends = steps.T @ steps / settings.stiff**2
    still = np.eye(side)
    # What the plane holds behind a head is not to come out above it.
    free = np.where(np.linspace(0, 1, side) < settings.top, 1e-5, settings.bend)
    return np.kron(bends, still) + np.kron(still, bends) + np.kron(np.diag(free**-2.0), still)
