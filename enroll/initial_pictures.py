"""The first colours of a fit: averages of the frames, laid onto background, torso and head."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from avatar.camera import rotation_matrix
from avatar.face import FaceTrack
from avatar.morphable import FaceModel
from enroll.initial import ExpressionBasis
from enroll.inpaint import inpainted
from enroll.matte import WALL
from render.fields.settings import COLOUR
from render.person import Person

Array = NDArray[Any]

_CHIN = 0.25  # of a face box's height, from a mouth to a chin
_FRAMES = 40  # enough for a median, few enough to be quick


def start_pictures(
    person: Person,
    images: Array,  # [F, S, S, 3] uint8
    track: FaceTrack,
    model: FaceModel,
    basis: ExpressionBasis,
    rows: Array,  # of frames that may be learned from
) -> None:
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _FRAMES)).astype(int)]
    size = person.settings.background
    small = np.stack([_sized(images[row], size) for row in some])
    matte = np.stack([cv2.resize(track.mask[row], (size, size)) for row in some])
    with torch.no_grad():
        # A wall that the head has always hidden must not show the head once it moves away.
        background = inpainted(*_median_where(small, matte < WALL))
        person.background.plane.copy_(_as_colour(background)[None])
        cells = person.settings.torso_plane
        torso = person.torso.plane
        torso[0, ..., COLOUR] = _as_colour(_sized(_median_where(small, matte >= WALL)[0], cells))
        share = _sized(matte.mean(0).astype(np.float32) / 255.0, cells).clip(0.02, 0.98)
        lips = float(np.median(lips_of(track.box[some])))
        share[: max(round(lips * cells), 0)] = 0.02
        torso[0, ..., 0] = torch.from_numpy(np.log(share / (1 - share))).float().clamp(-3.0, 3.0)
        face = _as_colour(_unwrapped(person, images, track, model, basis, some))
        person.head.front[0, ..., COLOUR] = face
        depth, height, width, _ = person.head.coarse.shape[1:]
        coarse = torch.from_numpy(_sized(face.numpy(), (width, height)))
        person.head.coarse[0, ..., COLOUR] = coarse.expand(depth, height, width, 3)


def lips_of(boxes: Any) -> Any:
    """[F] of face boxes [F, 4] in the window, arrays or tensors: how far down a mouth is.  What is
    higher, within the head's reach, is the head's, whatever the shoulders do."""
    return boxes[:, 3] - _CHIN * (boxes[:, 3] - boxes[:, 1])


def _unwrapped(
    person: Person,
    images: Array,
    track: FaceTrack,
    model: FaceModel,
    basis: ExpressionBasis,
    rows: Array,
) -> Array:
    """Mean colour seen where each (y, x) of the head's front plane lies, [P, P, 3], 0..255.

    The depth behind a texel is the mesh's where there is mesh, and falls back around it.
    """
    box = person.head.box.numpy().astype(np.float64)
    cells = person.settings.plane
    y, x = (np.linspace(box[0, a], box[1, a], cells) for a in (1, 0))
    xx, yy = np.meshgrid(x, y)
    mesh = model.vertices(track.identity, basis.mean.astype(np.float32)).astype(np.float64)
    distance2 = (xx[..., None] - mesh[:, 0]) ** 2 + (yy[..., None] - mesh[:, 1]) ** 2
    weight = np.exp(-distance2 / (2 * 0.006**2)) + 1e-12 / (distance2 + 1e-4)
    depth = (weight * mesh[:, 2]).sum(-1) / weight.sum(-1)
    depth -= 1.5 * np.sqrt(np.maximum(distance2.min(-1) - 0.01**2, 0.0))
    points = np.stack([xx, yy, np.maximum(depth, box[0, 2])], axis=-1)
    size = images.shape[1]
    seen = []
    for row in rows:
        posed = points @ rotation_matrix(track.rotation[row].astype(np.float64)).T
        uv = track.camera.project(posed + track.translation[row]) * size - 0.5
        u, v = uv[..., 0].astype(np.float32), uv[..., 1].astype(np.float32)
        seen.append(cv2.remap(images[row], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.mean(np.stack(seen), axis=0)


def _median_where(pictures: Array, free: Array) -> tuple[Array, Array]:
    """Median over the frames in which a pixel is free, over all frames where it never is; and
    where it ever is, [S, S] bool."""
    kept = np.where(free[..., None], pictures.astype(np.float32), np.nan)
    never = ~free.any(0)
    kept[:, never] = pictures[:, never]
    return np.asarray(np.nanmedian(kept, axis=0), np.float32), ~never


def _sized(picture: Array, size: int | tuple[int, int]) -> Array:
    shape = (size, size) if isinstance(size, int) else size
    return np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA))


def _as_colour(picture: Array) -> torch.Tensor:
    return torch.from_numpy(np.asarray(picture, np.float32) / 255.0)
