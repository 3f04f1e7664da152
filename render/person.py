"""A whole person: head over torso over background, for any set of window points.

The one place where the fields meet; the fit and the portrait renderer both call it.

Letters: B frames, R rays a frame, K driving numbers, S samples a ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avatar.camera import Pinhole
from avatar.face import StateLayout
from render.fields.background import Background
from render.fields.head import DrivenHead, HeadField
from render.fields.settings import FieldSettings
from render.fields.torso import ConsistencyCode, TorsoField
from render.rays import box_bounds, head_rays
from render.sampling import even_edges, weighted_edges
from render.volume import accumulate, ray_weights


@dataclass(frozen=True)
class SamplingSettings:
    coarse: int = 24  # samples a ray in the first stage
    fine: int = 8  # and in the second


@dataclass
class Drive:
    """What drives a frame, B rows each."""

    expression: Tensor  # [B, K]: code, gaze, lids, each about 0 with deviation 1 or less
    rotation: Tensor  # [B, 3] rotation vector camera <- head, radians
    translation: Tensor  # [B, 3] camera <- head, metres
    torso: Tensor  # [B, 4]

    @property
    def motion(self) -> Tensor:
        """What the consistency code listens to, [B, 10]."""
        return torch.cat([self.rotation, self.translation, self.torso], dim=-1)


@dataclass
class Layers:
    """What is seen at R points of B frames.  Colours 0..1, not clipped."""

    head: Tensor  # [B, R, 3] times opacity
    head_opacity: Tensor  # [B, R]
    coarse: Tensor  # [B, R, 3] head by the coarse stage alone, over black
    coarse_opacity: Tensor  # [B, R]
    depth: Tensor  # [B, R] metres along the ray, weighted by opacity


class Person(nn.Module):
    """All fields of a person.  `mean` and `scale` [K] bring code, gaze and lids to one unit."""

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: FieldSettings, camera: Pinhole, layout: StateLayout) -> None:
        super().__init__()
        self.camera = camera
        self.settings = settings
        self.layout = layout
        drivers = layout.code + layout.gaze + layout.lids
        self.register_buffer("mean", torch.zeros(drivers))
        self.register_buffer("scale", torch.ones(drivers))
        self.head = HeadField(settings, drivers)
        self.torso = TorsoField(settings)
        self.background = Background(settings)
        self.consistency = ConsistencyCode(settings)

    def drive(self, values: Tensor) -> Drive:
        """State rows [B, D] in the layout's order -> what drives the fields."""
        columns = self.layout.groups
        expression = torch.cat([values[:, columns[n]] for n in ("code", "gaze", "lids")], dim=-1)
        torso = values[:, columns["torso"]]
        if torso.shape[1] != 4:
            torso = values.new_zeros(len(values), 4)  # switched off: shoulders at rest
        return Drive(
            expression=(expression - self.mean) / self.scale,
            rotation=values[:, columns["rotation"]],
            translation=values[:, columns["translation"]],
            torso=torso,
        )

    def head_layers(
        self,
        driven: DrivenHead,
        drive: Drive,
        points: Tensor,  # [B, R, 2] window
        sampling: SamplingSettings,
        jitter: torch.Generator | None = None,
    ) -> Layers:
        """The head alone, by coarse and fine sampling."""
        origins, directions = head_rays(self.camera, points, drive.rotation, drive.translation)
        with torch.no_grad():
            near, far = box_bounds(self.head.box, origins, directions)
            edges = even_edges(near, far, sampling.coarse, jitter)
            bent = self.head.bend(driven, self._between(edges, origins, directions)[0])
        density, colour = self.head.coarse_samples(bent)
        shape = edges.shape[:-1]
        coarse_weights = ray_weights(density.view(*shape, -1), edges)
        edges = weighted_edges(edges, coarse_weights, sampling.fine, jitter)
        samples, middle = self._between(edges, origins, directions)
        density, features = self.head.fine_samples(driven, self.head.bend(driven, samples))
        weights = ray_weights(density.view(*shape, -1), edges)
        features = accumulate(weights, features.view(*shape, sampling.fine, -1))
        opacity = weights.sum(-1)
        return Layers(
            head=self.head.shade(driven, features, opacity, directions),
            head_opacity=opacity,
            coarse=accumulate(coarse_weights, colour.view(*shape, sampling.coarse, 3)),
            coarse_opacity=coarse_weights.sum(-1),
            depth=(weights * middle).sum(-1),
        )

    def colours(
        self,
        values: Tensor,  # [B, D] states
        points: Tensor,  # [B, R, 2] window
        sampling: SamplingSettings,
    ) -> Tensor:  # [B, R, 3], not clipped
        """What is seen at some points: head over torso over background."""
        drive = self.drive(values)
        consistency = self.consistency(drive.motion)
        behind, _ = self.behind(consistency, drive, points)
        driven = self.head.drive(drive.expression, consistency)
        layers = self.head_layers(driven, drive, points, sampling)
        return layers.head + (1.0 - layers.head_opacity[..., None]) * behind

    def behind(
        self,
        consistency: Tensor,  # [B, consistency]
        drive: Drive,
        points: Tensor,  # [B, R, 2] window
        background: Tensor | None = None,  # [B, R, 3], in place of the learned one
    ) -> tuple[Tensor, Tensor]:
        """Torso over background [B, R, 3], and the torso's opacity [B, R]."""
        colour, opacity = self.torso(points, drive.torso, consistency)
        if background is None:
            background = self.background(points)
        return background + opacity[..., None] * (colour - background), opacity

    def _between(self, edges: Tensor, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Middles of the intervals: in box units [B, R * S, 3], and as t [B, R, S]."""
        middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
        points = origins[:, :, None] + middle[..., None] * directions[:, :, None]
        return self.head.to_box(points).flatten(1, 2), middle
