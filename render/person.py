"""A whole person: head over torso over background, for any set of window points.

The one place where the fields meet; the fit and the portrait renderer both call it.

Letters: B frames, R rays a frame, K driving numbers, S samples a ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avatar.camera import Pinhole
from avatar.face import EXPRESSION, StateLayout
from render.fields.background import Background
from render.fields.head import DrivenHead, HeadField
from render.fields.settings import FieldSettings
from render.fields.torso import ConsistencyCode, TorsoField
from render.rays import box_bounds, head_rays
from render.sampling import even_edges, weighted_edges
from render.volume import accumulate, clearness, ray_weights

ANYWHERE = 1e4  # a reach that no expression exceeds


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


class Person(nn.Module):
    """All fields of a person.  `mean` and `scale` [K] bring code, gaze and lids to one unit.
    `reach` []: how far from their mean, in that unit, an expression may be; what is farther is
    drawn as that far, in its direction, since where nothing was learned a picture falls apart."""

    mean: Tensor
    scale: Tensor
    reach: Tensor

    def __init__(self, settings: FieldSettings, camera: Pinhole, layout: StateLayout) -> None:
        super().__init__()
        self.camera = camera
        self.settings = settings
        self.layout = layout
        drivers = layout.code + layout.gaze + layout.lids
        self.register_buffer("mean", torch.zeros(drivers))
        self.register_buffer("scale", torch.ones(drivers))
        self.register_buffer("reach", torch.tensor(ANYWHERE))
        self.head = HeadField(settings, drivers)
        self.torso = TorsoField(settings)
        self.background = Background(settings)
        self.consistency = ConsistencyCode(settings)

    def compute_in(self, precision: torch.dtype) -> None:
        """What the colour networks' matrix products compute with; nothing else changes."""
        self.head.colour.precision = precision
        self.torso.colour.precision = precision

    def drive(self, values: Tensor) -> Drive:
        """State rows [B, D] in the layout's order -> what drives the fields."""
        columns = self.layout.groups
        expression = torch.cat([values[:, columns[n]] for n in EXPRESSION], dim=-1)
        expression = (expression - self.mean) / self.scale
        far = expression.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        torso = values[:, columns["torso"]]
        if torso.shape[1] != 4:
            torso = values.new_zeros(len(values), 4)  # switched off: shoulders at rest
        return Drive(
            expression=expression * (self.reach / far).clamp(max=1.0),
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
        jitter: tuple[Tensor, Tensor] | None = None,  # of the coarse and the fine stage, [B, R]
    ) -> Layers:
        """The head alone, by coarse and fine sampling."""
        first, second = jitter or (None, None)
        rays = head_rays(self.camera, points, drive.rotation, drive.translation)
        edges, coarse_weights, colour = self.coarse_look(driven, rays, sampling.coarse, first)
        edges = weighted_edges(edges, coarse_weights, sampling.fine, second)
        features, opacity = self.fine_features(driven, rays, edges)
        return Layers(
            head=self.head.shade(driven, features, opacity, rays[1]),
            head_opacity=opacity,
            coarse=colour,
            coarse_opacity=coarse_weights.sum(-1),
        )

    @torch.no_grad()
    def head_guide(
        self, driven: DrivenHead, drive: Drive, points: Tensor, samples: int
    ) -> Tensor:  # [B, R, samples]
        """Weights of the coarse stage at some points, for the fine stage of others near them."""
        rays = head_rays(self.camera, points, drive.rotation, drive.translation)
        return self.coarse_look(driven, rays, samples)[1]

    @torch.no_grad()
    def guided_head(
        self,
        driven: DrivenHead,
        drive: Drive,
        points: Tensor,  # [B, R, 2] window
        guide: Tensor,  # [B, R, samples] weights of a coarse stage
        fine: int,
    ) -> tuple[Tensor, Tensor]:
        """The fine stage alone: head times opacity [B, R, 3], opacity [B, R]."""
        rays = head_rays(self.camera, points, drive.rotation, drive.translation)
        edges = even_edges(*box_bounds(self.head.box, *rays), guide.shape[-1])
        edges = weighted_edges(edges, guide, fine)
        features, opacity = self.fine_features(driven, rays, edges)
        clear = clearness(opacity)
        head = self.head.shade(driven, features, opacity, rays[1])
        return head * clear[..., None], opacity * clear

    def coarse_look(
        self,
        driven: DrivenHead,
        rays: tuple[Tensor, Tensor],  # as `head_rays` has them
        samples: int,
        jitter: Tensor | None = None,  # [B, R], 0..1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Edges [B, R, samples + 1], weights [B, R, samples], colour [B, R, 3].  Gradients flow to
        the coarse grid alone."""
        if rays[1].is_cuda or torch.compiler.is_compiling():
            return self.coarse_look_plain(driven, rays, samples, jitter)
        from render.stages import look

        with torch.no_grad():
            edges = even_edges(*box_bounds(self.head.box, *rays), samples, jitter)
            start, along = self._in_box(rays)
        grids = (driven.warp, self.head.coarse)
        return edges, *look(start, along, edges, *grids, self.settings.density_scale)

    def coarse_look_plain(
        self,
        driven: DrivenHead,
        rays: tuple[Tensor, Tensor],
        samples: int,
        jitter: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The twin of `coarse_look`, and what a GPU does."""
        with torch.no_grad():
            edges = even_edges(*box_bounds(self.head.box, *rays), samples, jitter)
            bent = self.head.bend(driven, self._middles(edges, *rays))
        density, colour = self.head.coarse_samples(bent)
        weights = ray_weights(density.view(*edges.shape[:-1], samples), edges)
        return edges, weights, accumulate(weights, colour.view(*weights.shape, 3))

    def fine_features(
        self,
        driven: DrivenHead,
        rays: tuple[Tensor, Tensor],  # as `head_rays` has them
        edges: Tensor,  # [B, R, S + 1] metres
    ) -> tuple[Tensor, Tensor]:
        """Features accumulated along each ray [B, R, C + blend], and its opacity [B, R]."""
        if rays[1].is_cuda or torch.compiler.is_compiling():
            return self.fine_features_plain(driven, rays, edges)
        from render.stages import march

        return march(*self._in_box(rays), edges, self._grids(driven), self.settings.density_scale)

    def fine_features_plain(
        self, driven: DrivenHead, rays: tuple[Tensor, Tensor], edges: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The twin of `fine_features`, and what a GPU learns by."""
        bent = self.head.bend(driven, self._middles(edges, *rays))
        density, features = self.head.fine_samples(driven, bent)
        weights = ray_weights(density.view(*edges.shape[:-1], edges.shape[-1] - 1), edges)
        features = features.view(*weights.shape, features.shape[-1])
        return accumulate(weights, features), weights.sum(-1)

    def fine_features_marched(
        self, driven: DrivenHead, rays: tuple[Tensor, Tensor], edges: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same as one operator, on a GPU one kernel (`render.march`).  No gradients."""
        from render.march import march

        grids = list(self._grids(driven))
        out = march(grids, *self._in_box(rays), edges, self.settings.density_scale)
        return out[..., :-1], out[..., -1]

    def _grids(self, driven: DrivenHead) -> tuple[Tensor, ...]:
        head = self.head
        return (driven.warp, head.coarse, head.front, head.top, head.profile, driven.blend)

    def _in_box(self, rays: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Where rays begin [B, 3], and their directions [B, R, 3] times box units a metre."""
        scale = 2.0 / (self.head.box[1] - self.head.box[0])
        return self.head.to_box(rays[0])[:, 0], rays[1] * scale

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
        colour, opacity = self.shoulders(consistency, drive, points)
        if background is None:
            background = self.background(points)
        return background + opacity[..., None] * (colour - background), opacity

    def shoulders(self, consistency: Tensor, drive: Drive, points: Tensor) -> tuple[Tensor, Tensor]:
        """As `behind` takes them -> the torso's colour [B, R, 3] and opacity [B, R]."""
        colour, opacity = self.torso(points, drive.torso, consistency)
        if not self.training:  # a fit has to see its own haze to lift it
            opacity = opacity * clearness(opacity)
        return colour, opacity

    def _middles(self, edges: Tensor, origins: Tensor, directions: Tensor) -> Tensor:
        """Middles of the intervals, in box units [B, R * S, 3]."""
        middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
        # Origin and direction into box units first: R numbers of work, not R * S.
        start, along = self._in_box((origins, directions))
        return (start[:, None, None] + middle[..., None] * along[:, :, None]).flatten(1, 2)
