"""What the fallback's trainer reads: head-centred crops and mattes of many people, made once.

A folder of crops holds `people.json` (clip -> person) and, for every clip, a folder of pictures
NNN.jpg (size x size), mattes NNN.png and meshes NNN.npy of face and body.  Nothing but a JPEG
decoder is needed to read it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatar.errors import FacewireError, InputError, NoFaceError
from avatar.face import Window
from avatar.storage import write_whole
from enroll.crops import cut_window
from enroll.identity import Describer
from enroll.matte import SelfieMatte
from service.fallback.body import bodies
from service.fallback.people import same_people

SIZE = 256
BUDGET = 40_000_000  # bytes of a whole folder
MATTE = 128  # pixels of a matte's side
_WIDTHS = 2.4  # of a face, in a crop: more where the source's square is smaller
_PER_SECOND, _FEWEST, _MOST = 4, 12, 48  # crops of a clip
_QUALITY = 90  # JPEG

Array = NDArray[Any]


def head_window(boxes: Array, width: int, height: int, widths: float | None = None) -> Window:
    """The square about a head, within the source as far as that goes.

    boxes: [N, 4] face boxes (left, top, right, bottom), source pixels.  widths: its side in face
    widths; None for the largest square that the source holds, centred on the head as far as that
    goes.
    """
    box = np.median(boxes, axis=0)
    most = min(width, height)
    side = most if widths is None else min(most, widths * float(box[2] - box[0]))
    # A little below the face's middle: the crop then holds hair and shoulders.
    middle = np.array([0.5 * (box[0] + box[2]), 0.45 * box[1] + 0.55 * box[3]])
    corner = np.clip(middle - 0.5 * side, 0, np.array([width, height]) - side)
    left, top = np.round(corner).tolist()
    return Window(left, top, float(int(side)), width, height)


def prepare_crops(
    clips: Sequence[Path],
    out: Path,
    size: int = SIZE,
    progress: Callable[[float, float], None] | None = None,
) -> list[str]:
    """Fills the folder `out`; returns what was left out and why.

    Raises InputError where nothing is left, MissingError without MobileFaceNet (by which clips
    are told to show one person).
    """
    describer = Describer()
    share = BUDGET // max(len(clips), 1)
    signs: dict[str, Array] = {}
    said = []
    for index, path in enumerate(clips):
        try:
            signs[path.stem] = _prepare(path, out / path.stem, size, share, describer)
        except FacewireError as error:
            said.append(f"{path.name} left out: {error.message}")
        if progress:
            progress(index + 1, len(clips))
    if not signs:
        raise InputError("no clip shows a face", "Give videos of people who look at the camera.")
    people = json.dumps(same_people(signs), indent=0, sort_keys=True)
    write_whole(out / "people.json", people.encode())
    return said


def _prepare(path: Path, folder: Path, size: int, share: int, describer: Describer) -> Array:
    """One clip's crops, no more bytes of them than `share`; the descriptor of who it shows."""
    import cv2

    from enroll.capture import open_video
    from enroll.mesh import MediaPipeMesh, steady_face

    video = open_video(path)
    wanted = int(np.clip(_PER_SECOND * video.info.duration, _FEWEST, _MOST))
    step = max(1, video.info.frames // wanted)
    mesh, matte = MediaPipeMesh(near=steady_face(video)), SelfieMatte()
    pictures: list[Array] = []
    points: list[Array] = []
    try:
        for index, frame in enumerate(video):
            if index % step or len(pictures) >= wanted:
                continue
            face = mesh.find(frame.image)
            if face is not None:
                pictures.append(frame.image)
                points.append(face.points)
        if len(pictures) < _FEWEST // 2:
            raise NoFaceError(f"{path.name} shows a face in {len(pictures)} of its samples")
        boxes = np.stack([np.r_[p[:, :2].min(axis=0), p[:, :2].max(axis=0)] for p in points])
        window = head_window(boxes, video.info.width, video.info.height, _WIDTHS)
        folder.mkdir(parents=True, exist_ok=True)
        # In an order that leaves what is kept spread over the clip wherever the bytes end.
        order = np.random.default_rng(0).permutation(len(pictures))
        crops = np.stack([cut_window(picture, window, size) for picture in pictures])
        masks = np.stack([_mask(matte, crop) for crop in crops])
        faces = (np.stack(points)[..., :2] - [window.left, window.top]) / window.side
        meshes = np.concatenate([faces, bodies(crops, masks, faces)], axis=1)
        for index in order.tolist():
            bgr = cv2.cvtColor(crops[index], cv2.COLOR_RGB2BGR)
            options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
            data = cv2.imencode(".jpg", bgr, options)[1].tobytes()
            shape = cv2.imencode(".png", masks[index])[1].tobytes()
            marks = _bytes(meshes[index])
            share -= len(data) + len(shape) + len(marks)
            if share < 0:
                break
            write_whole(folder / f"{index:03d}.jpg", data)
            write_whole(folder / f"{index:03d}.png", shape)
            write_whole(folder / f"{index:03d}.npy", marks)
        middle = len(pictures) // 2
        return describer.describe(pictures[middle], points[middle])
    finally:
        mesh.close()
        matte.close()
        video.close()


def _mask(matte: SelfieMatte, crop: Array) -> Array:
    """[MATTE, MATTE] uint8 in 16 levels, which make a small PNG."""
    import cv2

    mask = cv2.resize(matte.matte(crop), (MATTE, MATTE), interpolation=cv2.INTER_AREA)
    drawn: Array = np.round(np.clip(mask, 0, 1) * 15).astype(np.uint8) * 17
    return drawn


def _bytes(mesh: Array) -> bytes:
    """[P, 2] -> a .npy of float16."""
    file = io.BytesIO()
    np.save(file, mesh.astype(np.float16))
    return file.getvalue()
