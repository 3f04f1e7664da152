"""Model files that Facewire can use but does not ship: where they are looked for, and what they
must be.

A file is looked for in the folder given, then in $FACEWIRE_MODELS.  Its checksum must be right:
a wrong network gives wrong faces without saying so.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from avatar.errors import MissingError

VARIABLE = "FACEWIRE_MODELS"


@dataclass(frozen=True)
class Asset:
    """sha256: in hex, whole or its first digits.  source: where one gets it."""

    file: str
    what: str
    licence: str
    source: str
    sha256: str


ASSETS = {
    asset.file: asset
    for asset in (
        Asset(
            "face_landmarker.task",
            "MediaPipe Face Landmarker bundle",
            "Apache-2.0",
            "MediaPipe's model page, Face Landmarker (float16, version 1)",
            "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        ),
        Asset(
            "canonical_face_model.obj",
            "MediaPipe's canonical face mesh, 468 vertices",
            "Apache-2.0",
            "the MediaPipe repository, modules/face_geometry/data",
            "8bac80443397e113f41a8b565ea72c59390bc031d9defab289dba7bc0c54e618",
        ),
        Asset(
            "MobileFaceNet.onnx",
            "a 128-number face identity network",
            "Apache-2.0",
            "the MobileFaceNet project's release",
            "b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
        ),
        Asset(
            "mobilefacenet.pt",
            "the same network's weights for torch",
            "Apache-2.0",
            "the MobileFaceNet project's release",
            "90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
        ),
        Asset(
            "ict_facekit.npz",
            "ICT-FaceKit light as arrays",
            "MIT",
            "the ICT-FaceKit repository, FaceXModel, packed as arrays (see enroll/ict.py)",
            "4378e459289e63384d12e3558668acd5ccbd8ddae7ed50a9832e3f17ab0e8f75",
        ),
        # torch.hub's own names: the digits at the end are the checksum's first.
        Asset(
            "s3fd-619a316812.pth",
            "face-alignment's detector",
            "BSD-3-Clause",
            "adrianbulat.com/downloads/python-fan",
            "619a316812",
        ),
        Asset(
            "2DFAN4-11f355bf06.pth.tar",
            "face-alignment's 68 landmarks",
            "BSD-3-Clause",
            "adrianbulat.com/downloads/python-fan",
            "11f355bf06",
        ),
        Asset(
            "dlib_face_recognition_resnet_model_v1.dat",
            "dlib's face identity network, 128 numbers",
            "CC0-1.0",
            "dlib.net/files, or the package face_recognition_models",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        ),
        # What LPIPS and DISTS compare pictures by: features of torchvision's classifiers, and the
        # authors' weights of them.
        Asset(
            "alexnet-owt-7be5be79.pth",
            "AlexNet's weights for torch",
            "BSD-3-Clause",
            "download.pytorch.org/models",
            "7be5be79",
        ),
        Asset(
            "vgg16-397923af.pth",
            "VGG-16's weights for torch",
            "BSD-3-Clause",
            "download.pytorch.org/models",
            "397923af",
        ),
        Asset(
            "lpips/alex.pth",
            "LPIPS's linear heads for AlexNet, version 0.1",
            "BSD-2-Clause",
            "the package lpips, lpips/weights/v0.1/alex.pth",
            "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        ),
        Asset(
            "lpips/vgg.pth",
            "LPIPS's linear heads for VGG-16, version 0.1",
            "BSD-2-Clause",
            "the package lpips, lpips/weights/v0.1/vgg.pth",
            "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        ),
        Asset(
            "dists/weights.pt",
            "DISTS's alpha and beta",
            "MIT",
            "the package DISTS-pytorch, weights.pt",
            "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        ),
    )
}


def find_asset(file: str, folder: str | Path | None = None) -> Path:
    """Where a model file is.

    folder: looked in first.  Raises MissingError, with what the file is, where it comes from and
    where to put it, if it is in neither place or is not the file it should be.
    """
    asset = ASSETS[file]
    named = os.environ.get(VARIABLE)
    folders = [Path(place) for place in (folder, named) if place]
    for place in folders:
        path = place / file
        if not path.is_file():
            continue
        found = _sha256(path, path.stat().st_mtime_ns, path.stat().st_size)
        if not found.startswith(asset.sha256):
            raise MissingError(
                f"{path} is not the {file} that Facewire knows (sha256 {found[:16]}..., "
                f"expected {asset.sha256[:16]}...).",
                f"Replace it by the one from {asset.source}.",
            )
        return path
    where = " or ".join(str(place) for place in folders) or f"a folder that ${VARIABLE} names"
    raise MissingError(
        f"{file} ({asset.what}, {asset.licence}) is not there.",
        f"Get it from {asset.source} and put it into {where}.",
    )


def has_asset(file: str, folder: str | Path | None = None) -> bool:
    try:
        find_asset(file, folder)
    except MissingError:
        return False
    return True


@lru_cache(maxsize=32)
def _sha256(path: Path, modified: int, size: int) -> str:
    """Of a file; again only once it was changed."""
    digest = hashlib.sha256()
    with path.open("rb") as data:
        while block := data.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
