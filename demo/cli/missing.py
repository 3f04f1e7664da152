"""Packages that are not installed, said in words."""

from __future__ import annotations

from avatar.errors import MissingError

# What an extra of pyproject.toml brings, by the name it is imported under.
_EXTRAS = {
    "av": "play",
    "mediapipe": "send",
    "cv2": "send",
    "scipy": "send",
    "torch": "play",
    "nerfacc": "play",
    "numba": "play",
    "skimage": "enroll",
    "trimesh": "enroll",
    "face_alignment": "enroll",
    "imageio_ffmpeg": "bench",
    "PIL": "bench",
    "fastapi": "api",
    "uvicorn": "api",
    "sqlalchemy": "api",
    "alembic": "api",
    "argon2": "api",
    "cryptography": "api",
    "gradio": "service",
    "aiortc": "service",
    "httpx": "service",
}


def as_missing(error: ImportError) -> MissingError | None:
    """The error to show for an optional package that is not there; None for any other import."""
    package = (error.name or "").partition(".")[0]
    if package not in _EXTRAS:
        return None
    return MissingError(
        f"this command needs the package {package}, which is not installed",
        f"pip install 'facewire[{_EXTRAS[package]}]'   (facewire doctor shows what is there)",
    )
