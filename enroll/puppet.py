"""A portrait photograph that moves: the head turned by its depth, the face by its mesh.

The photograph is Eileen Collins' portrait by NASA, in the public domain, as scikit-image bundles
it.  It is cut into a still background (filled in behind her) and a person, who is drawn as one
triangle mesh: the 468 face points with MediaPipe's depth, a grid around them for hair and
shoulders.  Eyes are drawn behind the lids and teeth behind the lips, each as a mesh that does
not follow them.  Lashes darken the edge of lids that are shut: trackers look for that edge.

Coordinates: output pixels, x right, y down, z away from the viewer.  Letters: V vertices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import MissingError
from enroll.landmarks import MESH_POINTS
from enroll.matte import SelfieMatte
from enroll.mesh import MediaPipeMesh
from enroll.sample_script import Performance, smooth_step
from enroll.warp import backward_map

Array = NDArray[Any]

# Of the photograph, in its pixels: the square shown, and the margin kept around it for motion.
_LEFT, _TOP, _SIDE, _MARGIN = 97, 0, 260, 20
_FIND_AT = 512  # pixels, the size at which face and matte are found
_LASHES = np.array([40, 25, 20], np.float32)

# MediaPipe's face mesh, subject's right side first.
_UPPER_LIDS = ([246, 161, 160, 159, 158, 157, 173], [398, 384, 385, 386, 387, 388, 466])
_LOWER_LIDS = ([7, 163, 144, 145, 153, 154, 155], [382, 381, 380, 374, 373, 390, 249])
_EYE_CORNERS = ((33, 133), (362, 263))
_CREASES = ([247, 30, 29, 27, 28, 56, 190], [414, 286, 258, 257, 259, 260, 467])
_BROWS = (
    [70, 63, 105, 66, 107, 46, 53, 52, 65, 55],
    [300, 293, 334, 296, 336, 276, 283, 282, 295, 285],
)
_IRISES = (slice(468, 473), slice(473, 478))
_UPPER_INNER = [191, 80, 81, 82, 13, 312, 311, 310, 415]
_LOWER_INNER = [95, 88, 178, 87, 14, 317, 402, 318, 324]
_UPPER_OUTER = [185, 40, 39, 37, 0, 267, 269, 270, 409]
_LOWER_OUTER = [146, 91, 181, 84, 17, 314, 405, 321, 375]
_INNER_CORNERS = (78, 308)
_OVAL = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]  # fmt: skip


def _step(low: Any, high: Any, x: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    return smooth_step(np.clip((x - low) / (high - low), 0, 1))


class Puppet:
    """The portrait at `size` x `size` pixels.  `draw(performance, f)` is its picture."""

    def __init__(self, size: int) -> None:
        try:
            import cv2
            from scipy.spatial import Delaunay
            from skimage.data import astronaut
        except ImportError as error:
            raise MissingError(
                f"{error.name}, which the sample clip is made with, is not installed.",
                "pip install 'facewire[enroll]'",
            ) from None
        self._cv2: Any = cv2
        self.size = size
        photo = np.pad(astronaut(), ((_MARGIN, 0), (0, 0), (0, 0)), mode="edge")
        top, left, side = _TOP, _LEFT - _MARGIN, _SIDE + 2 * _MARGIN
        photo = photo[top : top + side, left : left + side]
        self._offset = _MARGIN * size / _SIDE  # of the output in the plate
        self._plate_side = round(size * side / _SIDE)
        self._plate = self._resized(photo, self._plate_side)

        face = _face_of(self._resized(photo, _FIND_AT)) * (self._plate_side / _FIND_AT)
        face[:, :2] -= self._offset
        self._set_out_face(face)
        outer = self._outer_points()
        self._points = np.concatenate([face, outer])
        self._head_share = self._share_of_head(self._points)
        skin = np.concatenate([np.arange(468), np.arange(MESH_POINTS, len(self._points))])
        self._triangles = _wound(self._points, skin[Delaunay(self._points[skin, :2]).simplices])
        self._eye_triangles = [
            _wound(self._points, around[Delaunay(self._points[around, :2]).simplices])
            for around in (np.array(self._eye_vertices(side)) for side in (0, 1))
        ]
        near = np.abs(face[:468, :2] - self._mouth[:2]).max(axis=1) < 0.42 * self._width
        chosen = np.zeros(len(self._points), bool)
        chosen[:468] = near
        self._mouth_triangles = self._triangles[chosen[self._triangles].all(axis=1)]

        self._alpha = self._person_in(photo)
        self._triangles = self._triangles[self._touched(self._triangles)]
        self._background = self._filled_background()
        self._cavity = self._mouth_plate()

    # -- making ------------------------------------------------------------------------------

    def _resized(self, image: Array, side: int) -> Array:
        cv2 = self._cv2
        shrink = side < image.shape[0]
        return np.asarray(
            cv2.resize(
                image, (side, side), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
            )
        )

    def _set_out_face(self, face: Array) -> None:
        self._face = face
        self._width = float(np.linalg.norm(face[454, :2] - face[234, :2]))
        self._height = float(face[152, 1] - face[10, 1])
        corners = face[list(_INNER_CORNERS)]
        self._mouth = corners.mean(axis=0)
        self._mouth_half = float(np.abs(corners[1, 0] - corners[0, 0])) / 2
        self._chin = face[152]
        self._centre = float(face[[234, 454], 0].mean())
        # The head turns about the top of the neck, behind the face.
        self._pivot = np.array(
            [self._centre, self._chin[1] - 0.05 * self._height, 0.42 * self._width]
        )

    def _outer_points(self) -> Array:
        """A grid [N, 3] around the face; hair lies behind the face's edge, by its distance."""
        cv2, spacing = self._cv2, self._width / 8
        low, high = -self._offset - spacing, self._plate_side - self._offset + spacing
        line = np.arange(low, high + spacing, spacing)
        x, y = (a.ravel() for a in np.meshgrid(line, line))
        oval = self._face[_OVAL]
        contour = oval[:, None, :2].astype(np.float32)
        outside = np.array(
            [cv2.pointPolygonTest(contour, (float(u), float(v)), True) for u, v in zip(x, y)]
        )
        keep = outside < -0.45 * spacing
        points = np.stack([x[keep], y[keep]], axis=1)
        gap = np.linalg.norm(points[:, None] - oval[None, :, :2], axis=2)
        weight = 1.0 / (gap + 0.05 * self._width) ** 3
        edge = (weight * oval[None, :, 2]).sum(axis=1) / weight.sum(axis=1)
        behind = 0.4 * self._width * np.tanh(0.5 * -outside[keep] / self._width)
        return np.column_stack([points, np.minimum(edge, 0.25 * self._width) + behind])

    def _share_of_head(self, points: Array) -> Array:
        """[V] 1 where a point turns with the head, 0 on the shoulders, between along the neck."""
        aside = _step(0.36 * self._width, 0.62 * self._width, np.abs(points[:, 0] - self._centre))
        start = self._chin[1] + self._height * (0.06 - 0.42 * aside)
        length = self._height * (0.42 - 0.26 * aside)
        return 1.0 - _step(start, start + length, points[:, 1])

    def _eye_vertices(self, side: int) -> list[int]:
        iris = _IRISES[side]
        return [
            *_UPPER_LIDS[side], *_LOWER_LIDS[side], *_EYE_CORNERS[side], *_CREASES[side],
            *range(iris.start, iris.stop),
        ]  # fmt: skip

    def _person_in(self, photo: Array) -> Array:
        """The person's matte [plate, plate] 0..1: the network's, its edge moved to where the
        colours change (GrabCut)."""
        cv2 = self._cv2
        coarse = self._resized(_matte_of(self._resized(photo, _FIND_AT)), photo.shape[0])
        reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
        surely = cv2.erode((coarse > 0.9).astype(np.uint8), reach)
        maybe = cv2.dilate((coarse > 0.2).astype(np.uint8), reach)
        labels = np.where(coarse > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        labels[surely > 0], labels[maybe == 0] = cv2.GC_FGD, cv2.GC_BGD
        cv2.setRNGSeed(1)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(np.ascontiguousarray(photo), labels, None, *models, 3, cv2.GC_INIT_WITH_MASK)
        cut = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
        soft = self._resized(cv2.GaussianBlur(cut, (0, 0), 0.9), self._plate_side)
        return _step(0.25, 0.80, soft).astype(np.float32)

    def _touched(self, triangles: Array) -> Array:
        """[T] whether a triangle can show any of the person."""
        spacing = int(self._width / 4) | 1
        near = self._cv2.dilate(self._alpha, np.ones((spacing, spacing), np.uint8)) > 0.02
        where = np.clip(self._points[:, :2] + self._offset, 0, self._plate_side - 1).astype(int)
        return np.asarray(near[where[:, 1], where[:, 0]][triangles].any(axis=1))

    def _filled_background(self) -> Array:
        """The picture without the person: filled in at a quarter of the size, where its long
        reach costs little, and blended in under a soft edge."""
        cv2 = self._cv2
        grown = cv2.dilate(self._alpha, np.ones((3, 3)), iterations=max(2, self.size // 60))
        small = max(32, self._plate_side // 4)
        mask = (self._resized(grown, small) > 0.05).astype(np.uint8)
        filled = cv2.inpaint(self._resized(self._plate, small), mask, 4, cv2.INPAINT_TELEA)
        filled = cv2.GaussianBlur(filled, (0, 0), 1.5)
        soft = cv2.GaussianBlur(grown, (0, 0), self.size / 170)[..., None]
        blend = self._resized(filled, self._plate_side) * soft + self._plate * (1 - soft)
        first = round(self._offset)
        return np.asarray(blend[first : first + self.size, first : first + self.size], np.float32)

    def _mouth_plate(self) -> Array:
        """What is behind the lips: the photograph's own teeth, dark below them, a tongue."""
        cv2, side, width = self._cv2, self._plate_side, self._width
        y, x = np.mgrid[:side, :side].astype(np.float32) + 0.5 - self._offset
        across = np.abs(x - self._mouth[0]) / self._mouth_half
        down = (y - self._mouth[1]) / width
        cavity = np.array([58, 22, 22], np.float32) * (1 - 0.45 * np.clip(across, 0, 1))[..., None]
        tongue = np.exp(-(((down - 0.27) / 0.09) ** 2) - (across / 0.75) ** 2)[..., None]
        cavity = cavity + tongue * (np.array([146, 74, 72], np.float32) - cavity) * 0.85
        inner = [_INNER_CORNERS[0], *_UPPER_INNER, _INNER_CORNERS[1], *_LOWER_INNER[::-1]]
        polygon = self._face[inner, :2] + self._offset
        teeth = np.zeros((side, side), np.float32)
        cv2.fillPoly(teeth, [np.rint(polygon).astype(np.int32)], 1.0)
        teeth = cv2.GaussianBlur(teeth, (0, 0), 0.008 * width)
        # Up behind the upper lip the photograph's edge of the teeth goes on.
        return np.asarray(cavity + teeth[..., None] * (self._plate - cavity), np.float32)

    # -- moving ------------------------------------------------------------------------------

    def _expressed(self, p: Performance, f: int, blink: float) -> Array:
        """[V, 3] the mesh at rest pose with frame f's expression."""
        points, width = self._points.copy(), self._width
        face = points[:468]
        u = (face[:, 0] - self._mouth[0]) / self._mouth_half
        t = (face[:, 1] - self._mouth[1]) / (self._chin[1] - self._mouth[1])
        change = np.zeros((468, 3))

        near_mouth = np.exp(-((u / 1.6) ** 2) - (t / 0.55) ** 2)
        corner = np.exp(-(((np.abs(u) - 1) / 0.5) ** 2) - (t / 0.35) ** 2) * np.sign(u)
        cheek = np.exp(-(((np.abs(u) - 1.5) / 0.6) ** 2) - ((t + 0.7) / 0.5) ** 2)
        wide = p.wide[f] - 0.55  # the photograph smiles: the script's broad smile is its own
        change[:, 0] += 0.055 * width * wide * corner
        change[:, 1] -= 0.030 * width * wide * np.abs(corner) + 0.012 * width * wide * cheek
        change[:, 0] -= 0.30 * p.pucker[f] * near_mouth * u * self._mouth_half
        change[:, 2] -= 0.05 * width * p.pucker[f] * near_mouth

        # Lips: both inner edges move towards a line nearer to the lower one; the rest follows.
        together = min(1.0, 1.2 * p.press[f] + 0.8 * p.pucker[f])
        gap = face[_LOWER_INNER, 1] - face[_UPPER_INNER, 1]
        for edge, outer, share in (
            (_UPPER_INNER, _UPPER_OUTER, 0.55),
            (_LOWER_INNER, _LOWER_OUTER, -0.44),
        ):
            change[edge, 1] += share * together * gap
            change[outer, 1] += 0.6 * share * together * gap

        # The jaw: the lower lip goes with the chin, corners hold, cheeks follow a little.
        reach = 1.0 + 0.9 * np.clip(t, 0, 1)
        jaw = _step(0.02, 0.30, t) * (1 - _step(0.55, 1.25, np.abs(u) / reach))
        jaw[_LOWER_INNER] = jaw[_LOWER_OUTER] = 0.0
        hold = np.sqrt(np.clip(1 - u * u, 0, 1))
        jaw[_LOWER_INNER], jaw[_LOWER_OUTER] = hold[_LOWER_INNER], hold[_LOWER_OUTER]
        jaw[[*_INNER_CORNERS, 61, 291]] = 0.12
        change[:, 1] += 0.115 * width * p.jaw[f] * jaw
        change[:, 2] += 0.030 * width * p.jaw[f] * jaw
        change[list(_INNER_CORNERS), 0] -= 0.02 * width * p.jaw[f] * np.array([-1.0, 1.0])

        for side in (0, 1):
            upper, lower = _UPPER_LIDS[side], _LOWER_LIDS[side]
            drop = face[lower] - face[upper]
            change[upper] += 0.93 * blink * drop
            change[lower] -= 0.07 * blink * drop
            change[_CREASES[side]] += 0.35 * blink * drop
            brow = face[_BROWS[side]].mean(axis=0)
            far = ((face[:, :2] - brow[:2]) / (0.22 * width, 0.09 * width)) ** 2
            change[:, 1] -= 0.028 * width * p.brows[f] * np.exp(-far.sum(axis=1))
            eye = face[list(_EYE_CORNERS[side])]
            points[_IRISES[side], :2] += p.gaze[f] * abs(eye[1, 0] - eye[0, 0])
        points[:468] = face + change
        return points

    def _posed(self, points: Array, p: Performance, f: int) -> tuple[Array, Array]:
        """Where vertices come to lie [V, 2] and how far away [V]; the rest pose is the photo."""
        local = points - self._pivot
        turned = local @ _rotation(p.yaw[f], p.pitch[f], p.roll[f]).T
        distance = 6.0 * self._width
        near = (distance + local[:, 2]) / (distance + turned[:, 2])
        sway = p.sway[f] * self._width
        head = (
            turned[:, :2] * near[:, None] + self._pivot[:2] + p.shift[f] * self._width + 0.8 * sway
        )
        base = np.array([self._centre, float(self.size)])
        angle = p.lean[f]
        tilt = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shoulders = (points[:, :2] - base) @ tilt.T + base + sway
        share = self._head_share[:, None]
        depth = self._head_share * turned[:, 2] + (1 - self._head_share) * self._width
        return share * head + (1 - share) * shoulders, depth

    # -- drawing -----------------------------------------------------------------------------

    def draw(self, p: Performance, f: int) -> NDArray[np.uint8]:
        """Frame f of the performance, [size, size, 3] uint8 RGB."""
        cv2, size = self._cv2, self.size
        shut = self._expressed(p, f, float(p.blink[f]))
        seen = self._expressed(p, f, 0.0)
        source = self._points[:, :2] + self._offset
        target, depth = self._posed(shut, p, f)
        # The map is smooth but for folds: half the size and enlarged costs a quarter.
        half = (size + 1) // 2
        sparse, cover = backward_map(
            self._triangles, target * (half / size), depth, source, half, half
        )
        where = cv2.resize(sparse, (size, size), interpolation=cv2.INTER_LINEAR) - 0.5
        person = self._sampled(self._plate, where).astype(np.float32)
        # At the mesh's rim the enlarged map mixes in places where there is nothing to show.
        whole = cv2.resize(cover.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
        alpha = (self._sampled(self._alpha, where) * (whole > 0.999))[..., None]
        still = self._points.copy()
        self._inlay(
            person, self._mouth_triangles, self._posed(still, p, f), self._cavity,
            target[[_INNER_CORNERS[0], *_UPPER_INNER, _INNER_CORNERS[1], *_LOWER_INNER[::-1]]],
        )  # fmt: skip
        if p.blink[f] > 0.02 or np.abs(p.gaze[f]).max() > 1e-3:
            open_eyes = self._posed(seen, p, f)
            for side in (0, 1):
                first, last = _EYE_CORNERS[side]
                lids = [first, *_UPPER_LIDS[side], last, *_LOWER_LIDS[side][::-1]]
                self._inlay(person, self._eye_triangles[side], open_eyes, self._plate, target[lids])
        self._lash(person, target, float(_step(0.4, 0.6, np.asarray(p.blink[f]))))
        picture = self._background + alpha * (person - self._background)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

    def _sampled(self, image: Array, where: Array) -> Array:
        cv2 = self._cv2
        return np.asarray(
            cv2.remap(image, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )

    def _lash(self, picture: Array, target: Array, share: float) -> None:
        """Draws the lashes of eyes that are shut by `share` over `picture`."""
        if share <= 0:
            return
        cv2 = self._cv2
        mask = np.zeros((self.size, self.size), np.uint8)
        for side in (0, 1):
            first, last = _EYE_CORNERS[side]
            line = np.rint(target[[first, *_LOWER_LIDS[side], last]] * 16).astype(np.int32)
            cv2.polylines(mask, [line], False, 255, max(2, self.size // 128), cv2.LINE_AA, 4)
        picture += mask[..., None] * np.float32(share / 255) * (_LASHES - picture)

    def _inlay(
        self,
        picture: Array,
        triangles: Array,
        posed: tuple[Array, Array],
        plate: Array,
        hole: Array,
    ) -> None:
        """Draws `plate` through another mesh into `picture`, inside the polygon `hole` only."""
        cv2 = self._cv2
        low = np.maximum(np.floor(hole.min(axis=0)).astype(int) - 2, 0)
        high = np.minimum(np.ceil(hole.max(axis=0)).astype(int) + 3, self.size)
        if (high <= low).any():
            return
        width, height = (int(v) for v in high - low)
        target, depth = posed
        source = self._points[:, :2] + self._offset
        where, cover = backward_map(triangles, target - low, depth, source, width, height)
        fine = 4  # the polygon is drawn this much larger: its edge falls between pixels
        mask = np.zeros((height * fine, width * fine), np.uint8)
        cv2.fillPoly(mask, [np.rint((hole - low) * fine * 16 - 8).astype(np.int32)], 255, shift=4)
        soft = cv2.GaussianBlur(mask, (0, 0), fine * max(0.4, self.size / 900))
        soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
        share = (soft * cover)[..., None]
        region = picture[low[1] : high[1], low[0] : high[0]]
        region += share * (self._sampled(plate, where - 0.5).astype(np.float32) - region)


def _rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Positive yaw turns the near side right, positive pitch down; roll is clockwise as seen."""
    cy, sy, cp, sp, cr, sr = (g(a) for a in (yaw, pitch, roll) for g in (np.cos, np.sin))
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def _wound(points: Array, triangles: Array) -> Array:
    """The triangles, each turned so that it faces the viewer."""
    a, b, c = (points[triangles[:, k], :2] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return np.where(area[:, None] > 0, triangles, triangles[:, ::-1])


def _face_of(photo: Array) -> Array:
    source = MediaPipeMesh()
    try:
        found = source.find(photo)
    finally:
        source.close()
    if found is None:
        raise MissingError(
            "MediaPipe does not find the face in scikit-image's portrait.",
            "Install the pinned versions: pip install -c constraints.txt -e '.[enroll]'",
        )
    return found.points.astype(np.float64)


def _matte_of(photo: Array) -> Array:
    source = SelfieMatte()
    try:
        return source.matte(photo)
    finally:
        source.close()
