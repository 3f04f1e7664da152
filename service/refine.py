"""Closed-loop encoding: the state whose rendered picture matches the camera best.

The sender holds the avatar, so it can look at what a receiver will see, as a video encoder does in
its motion search.  With d_t the correction of frame t's tracked state x_t, minimised is

    sum_t [ 1/(2 s^2) sum_r w_r |C(x_t + d_t, r) - I_t(r)|^2 + |d_t / u|^2 / 2
            + |(d_t - d_{t-1}) / v|^2 / 2 ]

with C the rendered colour of ray r (003 Eq. 2), I the camera's, w a Cauchy weight (a hand before
the face must not bend it), u what the tracker is off by, and v how fast that changes: what keeps
the bits few.  Gauss-Newton steps; J^T J is measured once for an avatar, over a few frames, and
taken as the same in all, as in the inverse-compositional algorithm (Baker and Matthews, IJCV
2004), so that a step costs one backward pass.

Letters: F frames, S the pictures' side in pixels, D numbers of a state, R rays a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.avatar import Avatar
from enroll.cuts import CutWatch
from render.person import SamplingSettings
from render.portrait import chosen_device
from render.tensors import fields_of
from service.trajectory import smoothest

Array = NDArray[Any]
_LOOKS = 6  # frames whose curvature is measured
SIZE = 256  # pictures looked at have at most so many pixels a side


@dataclass(frozen=True)
class RefineSettings:
    """rays: a frame.  rounds: steps of all frames of a stretch together, after the first one, in
    which each frame is looked at from where the one before it was found.  noise:
    deviation of a colour, 0..1, around that of the right state.  alike: robust deviation of colours
    at the tracked states up to which the person looks as enrolled; noise grows as it is exceeded,
    since no state makes hair grey, and a mouth bent after it is worse than the tracked one.
    correlation: rays that count as
    one observation.  outlier: colour distance of weight 1/2.  code, rotation, ...: by how much the
    tracker may be off, in deviations of the enrolment for code, gaze and lids, else rad, m, window
    sides.  steady: how much less than that it changes from frame to frame.
    """

    rays: int = 1024
    rounds: int = 0
    noise: float = 0.03
    alike: float = 0.05
    correlation: float = 8.0
    outlier: float = 0.3
    code: float = 1.0
    rotation: float = 0.01
    translation: tuple[float, float, float] = (0.001, 0.001, 0.004)
    gaze: float = 1.0
    lids: float = 1.0
    torso: tuple[float, float, float, float] = (0.004, 0.004, 0.01, 0.01)
    steady: float = 0.15
    frames: int = 12  # rendered at once
    sampling: SamplingSettings = SamplingSettings(20, 8)  # as a fit has it
    seed: int = 0


# 0 is the tracker alone; 1 looks at every frame twice; 2 and 3 look again and again.
EFFORTS = {
    1: RefineSettings(rounds=1),
    2: RefineSettings(rounds=4),
    3: RefineSettings(rays=1536, rounds=10),
}


class Refiner:
    """One avatar's refinement of one call's states, in the order of their times."""

    def __init__(
        self, avatar: Avatar, settings: RefineSettings = RefineSettings(), device: str = "auto"
    ) -> None:
        self.settings = settings
        self.size = min(SIZE, int(avatar.report.get("size", SIZE)))
        self._device = chosen_device(device)
        self._person = fields_of(avatar).to(self._device).requires_grad_(False)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._uncertain = _uncertainty(avatar, settings)
        self._prior = np.diag(self._uncertain**-2.0)
        self._steady = self._prior / settings.steady**2
        self._noise = settings.noise
        self._curvature: Array | None = None  # [D, D]
        self._last: Array | None = None  # correction [D] of the frame before
        self._cuts = CutWatch()

    def refine(
        self,
        images: NDArray[np.uint8],  # [F, S, S, 3] the window, as `Crops` has it
        masks: NDArray[np.uint8],  # [F, M, M] 0..255 where the person is
        values: Array,  # [F, D] as tracked
        visible: NDArray[np.bool_],  # [F]
    ) -> Array:  # [F, D] float32
        """The next frames of the call, better than tracked.  Frames without a face stay as they
        are, and the next one starts anew, as does the first after a cut: what the tracker was off
        by before says nothing there."""
        out = np.array(values, np.float32)
        cut = np.array([self._cuts.step(_grey(image)) for image in images], bool)
        for run in _runs(visible, cut):
            if run.start > 0 or cut[run.start]:
                self._last = None
            pictures = _Pictures(images[run], masks[run], self._generator)
            out[run] += self._corrections(pictures, out[run])
        if len(visible) and not visible[-1]:
            self._last = None
        return out

    def _corrections(self, pictures: _Pictures, values: Array) -> Array:
        if self._curvature is None:
            # Of several looks where there are any; live, there is no later frame.
            some = np.unique(np.linspace(0, len(values) - 1, _LOOKS).astype(int))
            self._curvature = self._measured(pictures, values, some)
        before = last = self._last
        rows = np.arange(len(values))
        starts, slopes = np.empty(values.shape), np.empty(values.shape)
        for t in rows:
            starts[t] = 0.0 if last is None else last
            slopes[t] = self._slopes(pictures, values, rows[t : t + 1], starts[t : t + 1])[0]
            last = self._smoothest(slopes[t : t + 1], starts[t : t + 1], last)[0]
        # Once all is seen, earlier frames learn from later ones, at no picture's cost.
        found = self._smoothest(slopes, starts, before)
        for _ in range(self.settings.rounds):
            found = self._smoothest(self._sloped(pictures, values, found), found, before)
        self._last = found[-1]
        return found

    def _smoothest(self, slopes: Array, at: Array, before: Array | None) -> Array:
        """One Gauss-Newton step of the corrections [F, D] of adjoining frames."""
        assert self._curvature is not None
        return smoothest(self._curvature, slopes, at, self._prior, self._steady, before)

    def _sloped(self, pictures: _Pictures, values: Array, at: Array) -> Array:
        """`_slopes` of all frames, some at once."""
        parts = np.array_split(np.arange(len(at)), -(-len(at) // self.settings.frames))
        return np.concatenate([self._slopes(pictures, values, part, at[part]) for part in parts])

    def _slopes(self, pictures: _Pictures, values: Array, rows: Array, moved: Array) -> Array:
        """Gradient [F, D] of the pictures' term in the states."""
        s = self.settings
        points, colour = pictures.rays(rows, s.rays)
        state = torch.from_numpy(values[rows] + moved).float().to(self._device)
        state.requires_grad_(True)
        away = self._person.colours(state, points.to(self._device), s.sampling)
        away = away - colour.to(self._device)
        with torch.no_grad():
            weight = 1.0 / (1.0 + away.square().sum(-1, keepdim=True) / s.outlier**2)
        (weight * away.square()).sum().backward()
        scale = 1.0 / (2.0 * s.correlation * self._noise**2)
        return np.asarray(scale * state.grad.cpu().numpy(), np.float64)  # type: ignore[union-attr]

    @torch.no_grad()
    def _measured(self, pictures: _Pictures, values: Array, rows: Array) -> Array:
        """J^T J [D, D] by finite differences, a mean over a few frames.  Sets the noise."""
        s = self.settings
        total = np.zeros((values.shape[1],) * 2)
        points, colours = pictures.rays(rows, s.rays)
        away = []
        for row, looked, filmed in zip(rows, points.to(self._device), colours, strict=True):
            small = 0.25 * self._uncertain
            state = np.concatenate([values[row][None], values[row] + np.diag(small)])
            states = torch.from_numpy(state).float().to(self._device)
            seen = torch.cat(
                [
                    self._person.colours(part, looked.expand(len(part), -1, -1), s.sampling)
                    for part in states.split(s.frames)
                ]
            ).cpu()
            slopes = (seen[1:] - seen[:1]).flatten(1).double().numpy() / small[:, None]
            total += slopes @ slopes.T
            away.append((seen[0] - filmed).abs())
        deviation = 1.4826 * float(torch.cat(away).median())
        self._noise = s.noise * max(1.0, deviation / s.alike)
        return np.asarray(total / (len(rows) * s.correlation * self._noise**2))


class _Pictures:
    """What the camera saw, looked at where it tells most: at edges, of the person alone."""

    def __init__(
        self, images: NDArray[np.uint8], masks: NDArray[np.uint8], generator: torch.Generator
    ) -> None:
        self._images = torch.from_numpy(np.ascontiguousarray(images))
        self._masks = torch.from_numpy(np.ascontiguousarray(masks))
        self._generator = generator

    def rays(self, rows: Array, count: int) -> tuple[Tensor, Tensor]:
        """Window points [B, R, 2] and the colours there [B, R, 3], 0..1."""
        images = self._images[torch.from_numpy(rows)]
        size = images.shape[1]
        grey = images.float().mean(-1)
        edge = torch.full_like(grey, 2.5)  # of 255: flat skin counts, too
        edge[:, :, 1:-1] += (grey[:, :, 2:] - grey[:, :, :-2]).abs()
        edge[:, 1:-1] += (grey[:, 2:] - grey[:, :-2]).abs()
        masks = self._masks[torch.from_numpy(rows)][:, None].float()
        # Half a cell wider than the mask: outlines tell where a head is.
        wide = torch.nn.functional.max_pool2d(masks, 3, 1, 1)
        person = torch.nn.functional.interpolate(wide, size=(size, size), mode="bilinear")[:, 0]
        chance = (edge * (person > 77.0)).flatten(1) + 1e-6
        pixels = _drawn(chance, min(count, size * size), self._generator)
        points = torch.stack([pixels % size, pixels // size], dim=-1)
        flat = images.flatten(1, 2)
        colour = flat.gather(1, pixels[..., None].expand(-1, -1, 3)).float() / 255.0
        return (points.float() + 0.5) / size, colour


def _drawn(chance: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Of each row [B, N] `count` places, as often as they are likely [B, count].  Systematic
    sampling (Madow and Madow, Ann. Math. Stat. 1944): one draw a stretch of equal chance, so that
    they spread, for a twentieth of what `torch.multinomial` costs."""
    below = chance.cumsum(1)
    stretch = torch.arange(count) + torch.rand(len(chance), count, generator=generator)
    places = torch.searchsorted(below, stretch * (below[:, -1:] / count))
    return places.clamp_(max=chance.shape[1] - 1)  # rounding may go one beyond


def _uncertainty(avatar: Avatar, settings: RefineSettings) -> Array:
    """u [D]: what the tracker may be off by, in the states' units."""
    scale = np.asarray(avatar.statistics.scale, np.float64)
    out = np.empty(avatar.layout.width)
    for name, columns in avatar.layout.groups.items():
        own = np.asarray(getattr(settings, name), np.float64)
        if name in ("code", "gaze", "lids"):
            own = own * np.maximum(scale[columns], 1e-4)
        if columns.stop > columns.start:
            out[columns] = own
    return out


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[S, S, 3] -> about 64 x 64, means: what `CutWatch` looks at."""
    step = max(1, len(image) // 64)
    side = len(image) // step * step
    parts = image[:side, :side].reshape(side // step, step, side // step, step, 3)
    return np.asarray(parts.mean(axis=(1, 3, 4)), np.uint8)


def _runs(visible: NDArray[np.bool_], cut: NDArray[np.bool_]) -> Iterator[slice]:
    """Stretches of frames with a face and without a cut."""
    stretch = np.where(visible, 1 + np.cumsum(cut), 0)
    edges = np.flatnonzero(np.diff(np.r_[0, stretch, 0]))
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        if visible[start]:
            yield slice(int(start), int(stop))
