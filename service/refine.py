"""Closed-loop encoding: the state whose rendered picture matches the camera best.

The sender holds the avatar, so it can look at what a receiver will see, as a video encoder does in
its motion search.  With d_t the correction of frame t's tracked state x_t, minimised is

    sum_t [ 1/(2 s^2) sum_r w_r |C(x_t + d_t, r) - I_t(r)|^2 + |d_t / u|^2 / 2
            + |(d_t - d_{t-1}) / v|^2 / 2 ]

with C the rendered colour of ray r (003 Eq. 2), I the camera's, w a Cauchy weight (a hand before
the face must not bend it), u what the tracker is off by, and v how fast that changes: what keeps
the bits few.  Gauss-Newton steps; J^T J is measured over a few frames, and taken as the same in
all, as in the inverse-compositional algorithm (Baker and Matthews, IJCV 2004), so that a step costs
one backward pass.  A recording's are looked at for it, in each stretch anew, for a head that is
turned is another one; who films live asks for it before the first frame, from the avatar's own
pictures.  Each step looks at other rays, and where J^T J is too small it goes too far: the mean of
the later steps is nearer than any of them (Polyak and Juditsky, SIAM J. Control Optim. 1992).

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
from avatar.face import EXPRESSION, StateLayout
from enroll.cuts import CutWatch
from render.person import SamplingSettings
from render.portrait import chosen_device
from render.tensors import fields_of
from service.features import Features
from service.looks import Looks
from service.trajectory import smoothest

Array = NDArray[Any]
_LOOKS, _LEAST = 6, 2  # frames whose curvature is measured, of a stretch; of a short one
_LOOK = 12  # frames of a stretch, of which one is
_RECENT = 0.2  # of a look that says how alike a call is, beside the looks before it
_SMALL = 128  # pixels a side of the avatar's pictures that are looked at beforehand
_APART = 5  # levels of 255 by which the person differs from the wall in their own picture
SIZE = 256  # pictures looked at have at most so many pixels a side


@dataclass(frozen=True)
class RefineSettings:
    """rays: a frame.  mouth, eye: how many times as often as elsewhere they are looked at there:
    they are a twentieth of the person, and half of what is seen of one.  rounds: steps of all
    frames of a stretch together, after the first one, in which each frame is looked at from where
    the one before it was found.  noise:
    deviation of a colour, 0..1, around that of the right state.  alike: robust deviation of colours
    at the tracked states up to which the person looks as enrolled.  As it is exceeded noise grows,
    and what an expression may be off by falls, with the square: no state makes hair grey, and a
    mouth bent after it is worse than the tracked one; where a head is its outline tells all the
    same.
    correlation: rays that count as
    one observation.  outlier: colour distance of weight 1/2.  code, rotation, ...: by how much the
    tracker may be off, in deviations of the enrolment for code, gaze and lids, else rad, m, window
    sides.  steady: how much less than that it changes from frame to frame; mobile: the same of
    code, gaze and lids, which a tracker follows late and by half.
    """

    rays: int = 1024
    mouth: float = 6.0
    eye: float = 4.0
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
    mobile: float = 0.3
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
        self._features = Features.of(avatar)
        self._uncertain = _uncertainty(avatar, settings)
        self._prior = np.diag(self._uncertain**-2.0)
        self._expressive = _expressive(avatar.layout)
        self._steady = np.diag((self._uncertain * _changes(avatar.layout, settings)) ** -2.0)
        self._mean = np.asarray(avatar.statistics.mean)
        self._deviation: float | None = None  # of colours from what is filmed, 0..1
        self._curvature: Array | None = None  # J^T J [D, D]
        self._last: Array | None = None  # correction [D] of the frame before
        self._cuts = CutWatch()

    def refine(
        self,
        images: NDArray[np.uint8],  # [F, S, S, 3] the window, as `Crops` has it
        masks: NDArray[np.uint8],  # [F, M, M] 0..255 where the person is
        values: Array,  # [F, D] as tracked
        visible: NDArray[np.bool_],  # [F]
        rounds: int | None = None,  # other than the settings'
    ) -> Array:  # [F, D] float32
        """The next frames of the call, better than tracked.  Frames without a face stay as they
        are, and the next one starts anew, as does the first after a cut: what the tracker was off
        by before says nothing there."""
        out = np.array(values, np.float32)
        cut = np.array([self._cuts.step(_grey(image)) for image in images], bool)
        for run in _runs(visible, cut):
            if run.start > 0 or cut[run.start]:
                self._last = None
            pictures = self._looks(images[run], masks[run], out[run])
            out[run] += self._corrections(pictures, out[run], rounds)
        if len(visible) and not visible[-1]:
            self._last = None
        return out

    def take(self, avatar: Avatar) -> None:
        """From now on the same person looks so (`service.surroundings.Surroundings.person`)."""
        self._person = fields_of(avatar).to(self._device).requires_grad_(False)
        self._deviation = None

    def get_ready(self) -> None:
        """Measures the curvature at states about the enrolment's mean, in the avatar's own
        pictures, and compiles what looking takes: a second or more, which a call that is filmed
        live has before its first frame."""
        rng = np.random.default_rng(self.settings.seed)
        away = self._uncertain * rng.normal(size=(_LOOKS, len(self._mean)))
        values = (self._mean + away).astype(np.float32)
        images, masks = self._seen(values)
        pictures, rows = self._looks(images, masks, values), np.arange(_LOOKS)
        points, _ = pictures.rays(rows, self.settings.rays)
        self._measure(values, points)
        self._slopes(pictures, values, rows[:1], np.zeros_like(values[:1]))

    def carried(self, values: Array, visible: NDArray[np.bool_]) -> Array:
        """A frame [1, D] that nobody looks at: what the tracker was off by in the one before, it
        mostly is in this one."""
        if not visible[0]:
            self._last = None
        if self._last is None:
            return np.array(values, np.float32)
        return (values + self._last).astype(np.float32)

    def _looks(self, images: NDArray[np.uint8], masks: NDArray[np.uint8], values: Array) -> Looks:
        oftener = (self.settings.mouth, self.settings.eye, self.settings.eye)  # as `FEATURES`
        boxes = self._features.boxes(values)
        return Looks(images, masks, self._generator, boxes, oftener)

    @torch.no_grad()
    def _seen(self, values: Array) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The avatar's own pictures [F, S, S, 3], and where the person is in them [F, S, S]."""
        side = (torch.arange(_SMALL, device=self._device) + 0.5) / _SMALL
        points = torch.cartesian_prod(side, side).flip(-1).expand(len(values), -1, -1)
        states = torch.from_numpy(values).to(self._device)
        colours = self._person.colours(states, points, self.settings.sampling)
        apart = (colours - self._person.background(points)).abs().amax(-1) > _APART / 255.0
        shape = (len(values), _SMALL, _SMALL)
        return _levels(colours).reshape(*shape, 3), _levels(apart.float()).reshape(shape)

    def _corrections(self, pictures: Looks, values: Array, count: int | None) -> Array:
        anew = self._curvature is None or len(values) >= _LOOK  # live, there is no later frame
        if self._deviation is None or anew:
            some = _looked_at(len(values), self._curvature is None)
            points, colours = pictures.rays(some, self.settings.rays)
            if anew:
                self._measure(values[some], points)
            if self._deviation is None:
                self._deviation = self._deviation_of(values[some], points, colours)
        before = last = self._last
        rows = np.arange(len(values))
        starts, slopes = np.empty(values.shape), np.empty(values.shape)
        off = np.empty(len(values))
        for t in rows:
            starts[t] = 0.0 if last is None else last
            now = slice(t, t + 1)
            slopes[now], off[t] = self._slopes(pictures, values, rows[now], starts[now])
            last = self._smoothest(slopes[t : t + 1], starts[t : t + 1], last)[0]
        # Once all is seen, earlier frames learn from later ones, at no picture's cost.
        found = self._smoothest(slopes, starts, before)
        rounds = [found]
        for _ in range(self.settings.rounds if count is None else count):
            found = self._smoothest(self._sloped(pictures, values, found), found, before)
            rounds.append(found)
        found = np.mean(rounds[len(rounds) // 2 :], axis=0)
        self._last = found[-1]
        # A first frame that a camera had not exposed yet, or a hand, is not how the call is.
        share = min(1.0, _RECENT * len(values))
        self._deviation += share * (float(np.median(off)) - self._deviation)
        return found

    def _smoothest(self, slopes: Array, at: Array, before: Array | None) -> Array:
        """One Gauss-Newton step of the corrections [F, D] of adjoining frames."""
        assert self._curvature is not None and self._deviation is not None
        unlike = max(1.0, self._deviation / self.settings.alike) ** 2
        known = 1.0 / (self.settings.correlation * (self.settings.noise * unlike) ** 2)
        curvature, slopes = known * self._curvature, known * slopes
        held = np.where(self._expressive, unlike**2, 1.0)
        return smoothest(curvature, slopes, at, held * self._prior, held * self._steady, before)

    def _sloped(self, pictures: Looks, values: Array, at: Array) -> Array:
        """`_slopes` of all frames, some at once."""
        parts = np.array_split(np.arange(len(at)), -(-len(at) // self.settings.frames))
        return np.concatenate([self._slopes(pictures, values, part, at[part])[0] for part in parts])

    def _slopes(
        self, pictures: Looks, values: Array, rows: Array, moved: Array
    ) -> tuple[Array, float]:
        """Gradient [F, D] of half the colours' weighted squares in the states, and the colours'
        deviation."""
        s = self.settings
        points, colour = pictures.rays(rows, s.rays)
        state = torch.from_numpy(values[rows] + moved).float().to(self._device)
        state.requires_grad_(True)
        away = self._person.colours(state, points.to(self._device), s.sampling)
        away = away - colour.to(self._device)
        with torch.no_grad():
            weight = 1.0 / (1.0 + away.square().sum(-1, keepdim=True) / s.outlier**2)
        (0.5 * (weight * away.square()).sum()).backward()
        assert state.grad is not None
        return np.asarray(state.grad.cpu().numpy(), np.float64), _robust(away.detach())

    @torch.no_grad()
    def _measure(self, values: Array, points: Tensor) -> None:
        """J^T J [D, D] at states [F, D] and points [F, R, 2], by finite differences, a mean over
        the frames."""
        s = self.settings
        total = np.zeros((values.shape[1],) * 2)
        small = 0.25 * self._uncertain
        for value, looked in zip(values, points.to(self._device), strict=True):
            state = np.concatenate([value[None], value + np.diag(small)])
            states = torch.from_numpy(state).float().to(self._device)
            seen = torch.cat(
                [
                    self._person.colours(part, looked.expand(len(part), -1, -1), s.sampling)
                    for part in states.split(s.frames)
                ]
            ).cpu()
            slopes = (seen[1:] - seen[:1]).flatten(1).double().numpy() / small[:, None]
            total += slopes @ slopes.T
        self._curvature = np.asarray(total / len(values))

    @torch.no_grad()
    def _deviation_of(self, values: Array, points: Tensor, colours: Tensor) -> float:
        """How far colours [F, R, 3] that are filmed are off at these states."""
        s = self.settings
        states = torch.from_numpy(values).float().to(self._device)
        return _robust(
            self._person.colours(states, points.to(self._device), s.sampling).cpu() - colours
        )


def _robust(away: Tensor) -> float:
    """The standard deviation of what is mostly normal, by the median."""
    return 1.4826 * float(away.abs().median())


def _uncertainty(avatar: Avatar, settings: RefineSettings) -> Array:
    """u [D]: what the tracker may be off by, in the states' units."""
    scale = np.asarray(avatar.statistics.scale, np.float64)
    out = np.empty(avatar.layout.width)
    for name, columns in avatar.layout.groups.items():
        own = np.asarray(getattr(settings, name), np.float64)
        if name in EXPRESSION:
            own = own * np.maximum(scale[columns], 1e-4)
        if columns.stop > columns.start:
            out[columns] = own
    return out


def _expressive(layout: StateLayout) -> NDArray[np.bool_]:
    """[D]: which numbers tell an expression."""
    out = np.zeros(layout.width, bool)
    for name in EXPRESSION:
        out[layout.groups[name]] = True
    return out


def _changes(layout: StateLayout, settings: RefineSettings) -> Array:
    """[D]: v / u."""
    return np.where(_expressive(layout), settings.mobile, settings.steady)


def _looked_at(frames: int, first: bool) -> Array:
    """Rows of a stretch whose curvature is measured.  first: of a call; short ones go by it."""
    count = _LOOKS if first else min(max(_LEAST, frames // _LOOK), _LOOKS)
    return np.unique(np.linspace(0, frames - 1, count).round().astype(int))


def _levels(picture: Tensor) -> NDArray[np.uint8]:
    return (255.0 * picture).clamp(0, 255).byte().cpu().numpy()


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
