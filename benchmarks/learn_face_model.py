"""Learns the linear face model that Facewire ships from video clips of people.

    python -m benchmarks.learn_face_model CLIP [CLIP ...] --out avatar/data/face_model.safetensors

From each clip come the landmarks of every few frames; from all of them, statistics alone: mean,
identity components, 79 expression components, how far off each landmark mostly is.  No picture and
no person's own shape is kept.  $FACEWIRE_MODELS must hold canonical_face_model.obj (axes, triangles
and mirror pairs of the mesh); where it holds MobileFaceNet.onnx, clips of the same person are put
together, so that the check on people never seen is one.

Steps: align all shapes (generalised Procrustes with robust weights); take out what depends on the
head's pose alone, which is the landmark network's doing and no expression; clip means give
identity, what is left gives expression; then let the pictures correct the mean's depth, by what
the fit leaves over of the landmarks when heads turn.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.assets import find_asset
from avatar.camera import Pinhole, rotation_vector
from avatar.errors import FacewireError, MissingError
from avatar.face import EXPRESSIONS
from avatar.morphable import POINTS, SKIN_POINTS, FaceModel
from avatar.storage import write_whole
from enroll.identity import Describer
from enroll.pose_fit import PoseFit
from service.fallback.people import same_people as joined

Array = NDArray[Any]

IDENTITIES = 48
PUPILS = 0.063  # metres between the pupils of a mean person
ORIGIN = (0.0, 1.0, -2.3)  # canonical centimetres: between the ears, 7.5 cm behind the nose bridge
IRIS_MIRROR = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)
MOST_FRAMES = 150  # of one clip
_FRAMES = 6  # of one clip, fitted with their pictures' perspective
FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Clip:
    """points: [F, 478, 3] x right, y down, z away, in the larger side of the source picture.
    sign: descriptor of whose face it is, [128] of length 1, or empty."""

    name: str
    points: Array
    sign: Array


@dataclass(frozen=True)
class Topology:
    canonical: Array  # [478, 3] metres, head axes; irises 0
    mirror: Array  # [478]
    triangles: Array  # [T, 3]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    topology = read_topology(find_asset("canonical_face_model.obj"))
    clips = [c for p in options.clips if (c := observe_clip(p, options))]
    if len(clips) < 2:
        raise SystemExit("Give clips of several people: a mean of one is no model.")
    people = same_people(clips)
    print(
        f"{len(clips)} clips, {people.max() + 1} people, {sum(len(c.points) for c in clips)} frames"
    )
    errors = check(clips, people, topology, options.held_out)
    model = learn(clips, people, topology)
    seen = reprojection(model, clips)
    print(f"people it saw:  {np.mean(seen):.2f} % of face height")
    metadata = {
        "facewire": "face model",
        "source": "statistics over landmarks (MediaPipe 0.10.21 FaceMesh) of video clips",
        "script": "benchmarks/learn_face_model.py",
        "clips": str(len(clips)),
        "people": str(int(people.max()) + 1),
        "frames": str(sum(len(c.points) for c in clips)),
        "error_unseen_people_percent_of_face_height": f"{np.mean(errors):.3f}",
        "units": json.dumps({"length": "metre", "coefficients": "standard deviations"}),
    }
    save(model, metadata, options.out)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=4, help="take every so many-th frame")
    parser.add_argument("--first", type=int, help="look at so many frames of a clip (default: all)")
    parser.add_argument("--held-out", type=int, default=4, help="check: every so many-th person")
    parser.add_argument("--cache", type=Path, help="folder that keeps landmarks between runs")
    return parser.parse_args(arguments)


def read_topology(path: Path) -> Topology:
    """MediaPipe's canonical mesh: 468 vertices in centimetres, triangles."""
    lines = [line.split() for line in path.read_text().splitlines()]
    vertices = np.array([line[1:4] for line in lines if line[:1] == ["v"]], float)
    corners = [[part.split("/")[0] for part in line[1:4]] for line in lines if line[:1] == ["f"]]
    triangles = np.array(corners, int) - 1
    apart = np.linalg.norm(vertices[:, None] - vertices * FLIP, axis=2)
    mirror = np.concatenate([apart.argmin(axis=1), IRIS_MIRROR])
    canonical = np.concatenate([(vertices - ORIGIN) * 0.01, np.zeros((10, 3))])
    return Topology(canonical, mirror, triangles)


def observe_clip(path: Path, options: argparse.Namespace) -> Clip | None:
    """Landmarks of a clip, from the cache where they are there; None where too little is seen."""
    kept = options.cache / f"{path.stem}.npz" if options.cache else None
    if kept is not None and kept.is_file():
        with np.load(kept) as data:
            points, sign = data["points"], data["sign"]
    else:
        try:
            points, sign = _observe(path, options.every, options.first)
        except FacewireError as error:
            print(f"{path.name} left out: {error.message}")
            return None
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez(kept, points=points, sign=sign)
    if len(points) < 5:
        return None
    rows = np.unique(np.linspace(0, len(points) - 1, MOST_FRAMES).astype(int))
    return Clip(path.stem, points[rows].astype(np.float64), sign)


def _observe(path: Path, every: int, first: int | None) -> tuple[Array, Array]:
    from enroll.capture import open_video
    from enroll.mesh import MediaPipeMesh, steady_face

    video = open_video(path, slice(0, first) if first else None)
    mesh = MediaPipeMesh(near=steady_face(video))
    found, sign = [], np.zeros(0, np.float32)
    for index, frame in enumerate(video):
        if index % every:
            continue
        face = mesh.find(frame.image)
        if face is None:
            continue
        found.append(face.points / max(frame.image.shape))
        if len(found) == 3:
            sign = describe(frame.image, face.points)
    mesh.close()
    return np.array(found, np.float32).reshape(-1, POINTS, 3), sign


def describe(image: Array, points: Array) -> Array:
    """MobileFaceNet's descriptor [128] of length 1 of a face; empty where the network is absent."""
    try:
        return Describer().describe(image, points)
    except MissingError:
        return np.zeros(0, np.float32)


def same_people(clips: Sequence[Clip]) -> Array:
    """[clips] a number for each person; without descriptors every clip is someone else."""
    if not all(len(c.sign) for c in clips):
        return np.arange(len(clips))
    numbers = joined({clip.name: clip.sign for clip in clips})
    return np.array([numbers[clip.name] for clip in clips])


def learn(clips: Sequence[Clip], people: Array, topology: Topology) -> FaceModel:
    shapes, mean, weight = align(clips, topology)
    shapes = without_pose(shapes, clips, mean, weight)
    means = [s.mean(axis=0) for s in shapes]
    persons = [
        np.mean([m for m, p in zip(means, people, strict=True) if p == k], axis=0)
        for k in range(people.max() + 1)
    ]
    mean = _mirrored_mean(np.mean(persons, axis=0), topology)
    scale = PUPILS / np.linalg.norm(mean[468] - mean[473])
    identity = principal([(p - mean)[None] for p in persons], topology, IDENTITIES)
    moves = []
    for shape in shapes:
        move = shape - shape.mean(axis=0)
        move[:, SKIN_POINTS:] = 0.0
        moves.append(move)
    expression = principal(moves, topology, EXPRESSIONS)
    expression = without_rigid(expression, mean, weight)
    model = FaceModel(
        mean=(scale * mean).astype(np.float32),
        identity=(scale * identity).astype(np.float32),
        expression=(scale * expression).astype(np.float32),
        noise=np.full(POINTS, 1e-3, np.float32),
        mirror=topology.mirror.astype(np.int32),
        triangles=topology.triangles.astype(np.int32),
    )
    model = with_noise(corrected(model, clips, topology), clips)
    # Not once more from what is then left over: the better the fit, the less that is, and the
    # less it is, the more the fit may bend the face to it.
    return corrected(model, clips, topology)


def align(clips: Sequence[Clip], topology: Topology) -> tuple[list[Array], Array, Array]:
    """Each clip's shapes [F, 478, 3] in head axes (metres but for a common scale), their mean
    shape, and the weight of each point: what moves least between frames counts most."""
    upright = np.array([1.0, -1.0, -1.0])
    mean, weight = topology.canonical, np.r_[np.ones(SKIN_POINTS), np.zeros(10)]
    shapes = [fitted(c.points * upright, mean, weight) for c in clips]
    for _ in range(8):
        mean = _mirrored_mean(np.mean([s.mean(axis=0) for s in shapes], axis=0), topology)
        canonical = np.r_[np.ones(SKIN_POINTS), np.zeros(10)]
        mean = fitted(mean[None], topology.canonical, canonical)[0]
        spread = np.mean([np.var(s, axis=0).sum(axis=-1) for s in shapes], axis=0)
        spread = 0.5 * (spread + spread[topology.mirror])
        weight = 1.0 / (spread + 0.2 * np.median(spread))
        weight[SKIN_POINTS:] = 0.0
        shapes = [fitted(s, mean, weight) for s in shapes]
        shapes = [fitted(s, s.mean(axis=0), weight) for s in shapes]
    return shapes, mean, weight / weight.sum()


def fitted(shapes: Array, target: Array, weight: Array) -> Array:
    """[F, 478, 3] moved, turned and scaled onto `target` (Umeyama, PAMI 1991, weighted)."""
    weight = weight / weight.sum()
    a = shapes - np.einsum("v,fvk->fk", weight, shapes)[:, None]
    middle = weight @ target
    b = target - middle
    left, size, right = np.linalg.svd(np.einsum("v,fvi,vj->fij", weight, a, b))
    sign = np.sign(np.linalg.det(left @ right))
    left[:, :, 2] *= sign[:, None]
    size[:, 2] *= sign
    scale = size.sum(axis=1) / np.einsum("v,fvk->f", weight, a**2)
    return np.asarray(scale[:, None, None] * (a @ (left @ right)) + middle)


def without_pose(
    shapes: Sequence[Array], clips: Sequence[Clip], mean: Array, weight: Array
) -> list[Array]:
    """The shapes less what a regression over all clips lays to the head's pose and place."""
    upright = np.array([1.0, -1.0, -1.0])
    features = []
    for clip in clips:
        seen = clip.points * upright
        a = seen - np.einsum("v,fvk->fk", weight, seen)[:, None]
        left, _, right = np.linalg.svd(np.einsum("v,vi,fvj->fij", weight, mean - weight @ mean, a))
        turn = rotation_vector((left @ right).transpose(0, 2, 1))
        size = np.log(np.sqrt(np.einsum("v,fvk->f", weight, a**2)))[:, None]
        place = clip.points[:, :SKIN_POINTS, :2].mean(axis=1)
        x, y, z = turn.T
        square = np.stack([x * x, y * y, z * z, x * y, y * z, x * z], axis=1)
        each = np.concatenate([turn, square, size, place], axis=1)
        features.append(each - each.mean(axis=0))
    moves = [s - s.mean(axis=0) for s in shapes]
    count = np.array([np.sqrt(30.0 / len(m)) for m in moves])
    f = np.concatenate([c * x for c, x in zip(count, features, strict=True)])
    m = np.concatenate([c * x.reshape(len(x), -1) for c, x in zip(count, moves, strict=True)])
    ridge = 1e-3 * np.trace(f.T @ f) / f.shape[1] * np.eye(f.shape[1])
    law = np.linalg.solve(f.T @ f + ridge, f.T @ m)
    return [s - (x @ law).reshape(s.shape) for s, x in zip(shapes, features, strict=True)]


def principal(groups: Sequence[Array], topology: Topology, count: int) -> Array:
    """[count, 478, 3] principal components of standard deviation 1, every group [F, 478, 3] with
    the same say whatever its length, mirrored faces included."""
    rows = np.concatenate([g / np.sqrt(len(g)) for g in groups])
    rows = np.concatenate([rows, rows[:, topology.mirror] * FLIP]) / np.sqrt(2 * len(groups))
    rows = rows.reshape(len(rows), -1)
    if len(rows) < rows.shape[1]:
        value, vector = np.linalg.eigh(rows @ rows.T)
        basis = vector[:, ::-1].T @ rows  # of length sqrt(value) already
    else:
        value, vector = np.linalg.eigh(rows.T @ rows)
        basis = vector[:, ::-1].T * np.sqrt(np.maximum(value[::-1], 0.0))[:, None]
    out = np.zeros((count, rows.shape[1]))
    out[: min(count, len(basis))] = basis[:count]
    return out.reshape(count, POINTS, 3)


def without_rigid(basis: Array, mean: Array, weight: Array) -> Array:
    """The components without what a small motion or scaling of the head could do."""
    x, y, z = mean.T
    zero, one = np.zeros(POINTS), np.ones(POINTS)
    rigid = [
        (one, zero, zero), (zero, one, zero), (zero, zero, one),
        (zero, -z, y), (z, zero, -x), (-y, x, zero), (x, y, z),
    ]  # fmt: skip
    moves = np.stack([np.stack(m, axis=1) for m in rigid]).reshape(7, -1)
    heavy = moves * np.repeat(weight, 3)
    flat = basis.reshape(len(basis), -1)
    share = np.linalg.solve(heavy @ moves.T, heavy @ flat.T)
    out = (flat - share.T @ moves).reshape(basis.shape)
    out[:, SKIN_POINTS:] = 0.0
    largest_first = np.argsort(-np.sum(out**2, axis=(1, 2)), kind="stable")
    return np.asarray(out[largest_first])


def _mirrored_mean(shape: Array, topology: Topology) -> Array:
    return np.asarray(0.5 * (shape + shape[topology.mirror] * FLIP))


def _fits(model: FaceModel, clips: Sequence[Clip], frames: int) -> Any:
    """Clip by clip: window points, the fit's seen points, head axes and scale of each frame."""
    fit = PoseFit(model)
    for clip in clips:
        rows = np.unique(np.linspace(0, len(clip.points) - 1, frames).astype(int))
        points = clip.points[rows].astype(np.float32)
        points[..., :2] += 0.5 - points[..., :2].mean(axis=(0, 1))
        identity, camera = fit.identify(points, Pinhole(3.0))
        poses = fit.fit_all(points, model.neutral(identity), camera)
        shape = model.vertices(np.tile(identity, (len(rows), 1)), poses.expression)
        turned = shape @ poses.rotation.transpose(0, 2, 1)
        seen = turned + poses.translation[:, None]
        yield points, seen, poses, camera


def corrected(model: FaceModel, clips: Sequence[Clip], topology: Topology) -> FaceModel:
    """The model with its mean moved to where the pictures of all clips want it."""
    curvature, pull = np.zeros((POINTS, 3, 3)), np.zeros((POINTS, 3))
    for points, seen, poses, camera in _fits(model, clips, _FRAMES):
        depth = -seen[..., 2:]
        away = points[..., :2] - camera.project(seen)
        scale = camera.focal / depth
        u = np.concatenate([scale, np.zeros_like(scale), scale * seen[..., :1] / depth], axis=-1)
        v = np.concatenate([np.zeros_like(scale), -scale, -scale * seen[..., 1:2] / depth], axis=-1)
        metres = 1.0 / scale**2 / len(points)
        rows = np.stack([u, v], axis=2) @ poses.rotation[:, None]  # [F, 478, 2, 3]
        heavy = rows * metres[..., None]
        curvature += np.einsum("fvrk,fvrl->vkl", heavy, rows)
        pull += np.einsum("fvrk,fvr->vk", heavy, away)
    # Depth is seen only as far as heads turn: it moves by what the clips agree on.
    ridge = 0.05 * len(clips) * np.eye(3)
    mean = model.mean + np.linalg.solve(curvature + ridge, pull[..., None])[..., 0]
    mean = _mirrored_mean(mean, topology)
    size = PUPILS / np.linalg.norm(mean[468] - mean[473])
    return replace(model, mean=(mean * size).astype(np.float32))


def with_noise(model: FaceModel, clips: Sequence[Clip]) -> FaceModel:
    """The model with the distance, in metres, that the fit leaves at each point as its noise."""
    left_over = []
    for points, seen, _, camera in _fits(model, clips, _FRAMES):
        metres = -seen[..., 2:] / camera.focal
        away = (points[..., :2] - camera.project(seen)) * metres
        left_over.append(np.mean(np.sum(away**2, axis=-1), axis=0) / 2)
    noise = np.mean(left_over, axis=0)
    noise = np.sqrt(0.5 * (noise + noise[model.mirror]))
    usual = np.median(noise[:SKIN_POINTS])
    # Neither a point that the basis happens to hold well nor the irises, which it does not move,
    # may count for much more or less than all others.
    return replace(model, noise=np.clip(noise, 0.6 * usual, 2.5 * usual).astype(np.float32))


def reprojection(model: FaceModel, clips: Sequence[Clip]) -> list[float]:
    """Of each clip, root mean square distance of landmark and fit in percent of face height."""
    out = []
    for points, seen, _, camera in _fits(model, clips, _FRAMES):
        away = (camera.project(seen) - points[..., :2])[:, :SKIN_POINTS]
        height = np.ptp(points[:, :SKIN_POINTS, 1], axis=1)
        out.append(float(np.mean(np.sqrt(np.mean(np.sum(away**2, axis=-1), axis=1)) / height)))
    return [100 * e for e in out]


def check(clips: Sequence[Clip], people: Array, topology: Topology, every: int) -> list[float]:
    """Errors of the clips of every so many-th person, by a model that never saw them."""
    held = people % every == 0
    known = [c for c, h in zip(clips, held, strict=True) if not h]
    names = np.unique(people[~held], return_inverse=True)[1]
    model = learn(known, names, topology)
    errors = reprojection(model, [c for c, h in zip(clips, held, strict=True) if h])
    print(f"people it never saw:  {np.mean(errors):.2f} % of face height, {held.sum()} clips")
    return errors


def save(model: FaceModel, metadata: dict[str, str], path: Path) -> None:
    from safetensors.numpy import save as pack

    half = {name: getattr(model, name).astype(np.float16) for name in ("identity", "expression")}
    arrays = {
        **half,
        "mean": model.mean,
        "noise": model.noise,
        "mirror": model.mirror.astype(np.int16),
        "triangles": model.triangles.astype(np.int16),
    }
    write_whole(path, pack(arrays, metadata))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
