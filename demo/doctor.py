"""facewire doctor: what is installed, what is fast, what is missing and how to get it.

Nothing is imported that it reports on: versions come from package metadata, so that looking costs
nothing, builds nothing and touches no GPU.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

State = Literal["ok", "slow", "missing"]


@dataclass(frozen=True)
class Row:
    """state: ok, slow (works, by a slower path) or missing.  cure: the command or place that
    mends it, "" where nothing needs mending."""

    part: str
    name: str
    state: State
    note: str
    cure: str = ""


@dataclass(frozen=True)
class Package:
    """A distribution, the name it is imported under, and the extra that brings it."""

    name: str
    module: str
    extra: str
    use: str


@dataclass(frozen=True)
class Asset:
    """A model file that a user may bring; nothing here downloads it."""

    name: str
    use: str
    origin: str


PACKAGES = (
    Package("numpy", "numpy", "", "everything"),
    Package("constriction", "constriction", "", "entropy coding"),
    Package("safetensors", "safetensors", "", "avatars and tracks"),
    Package("mediapipe", "mediapipe", "send", "finds the face"),
    Package("av", "av", "send", "reads and writes video"),
    Package("scipy", "scipy", "send", "tracking"),
    Package("torch", "torch", "play", "fits and renders"),
    Package("nerfacc", "nerfacc", "play", "volume rendering"),
    Package("numba", "numba", "play", "rendering kernels on the CPU"),
    Package("face-alignment", "face_alignment", "enroll", "a second source of landmarks"),
    Package("trimesh", "trimesh", "enroll", "heads as 3D models"),
    Package("scikit-image", "skimage", "enroll", "the portrait of the demo"),
    Package("imageio-ffmpeg", "imageio_ffmpeg", "bench", "VVC, AV1 and HEVC to compare with"),
    Package("gradio", "gradio", "service", "the web pages"),
)

ASSETS = (
    Asset(
        "face_landmarker.task",
        "blendshapes and a second head pose, for checks",
        "MediaPipe's Face Landmarker model page (ai.google.dev/edge/mediapipe)",
    ),
    Asset(
        "ict_facekit.npz",
        "a face model to import and to test the tracker with",
        "made from github.com/ICT-VGL/ICT-FaceKit (MIT)",
    ),
    Asset(
        "MobileFaceNet.onnx",
        "identity figures",
        "a 128-d MobileFaceNet export (Apache-2.0), 112x112 input",
    ),
)

# For one architecture alone: for all of them it builds for half an hour.
TINY = (
    "TCNN_CUDA_ARCHITECTURES={} pip install --no-build-isolation "
    "'git+https://github.com/NVlabs/tiny-cuda-nn/#subdirectory=bindings/torch'"
)


def report(environment: Mapping[str, str] | None = None) -> list[Row]:
    """Everything looked at, in the order to show."""
    environment = os.environ if environment is None else environment
    return [_python(), *map(_package, PACKAGES), *_speed(environment), *_assets(environment)]


def version_of(package: Package) -> str | None:
    """The installed version, "" where it is there without metadata, None where it is not."""
    try:
        if util.find_spec(package.module) is None:
            return None
    except (ImportError, ValueError):
        return None
    try:
        return metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return ""


def _python() -> Row:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Row("python", "python", "ok", f"{version}, {os.cpu_count()} cores")
    return Row("python", "python", "slow", version, "Facewire is tested on Python 3.11 and 3.12")


def _package(package: Package) -> Row:
    version = version_of(package)
    if version is None:
        extra = f"[{package.extra}]" if package.extra else ""
        cure = f"pip install 'facewire{extra}'"
        return Row("package", package.name, "missing", package.use, cure)
    if package.name == "mediapipe" and version and version != "0.10.21":
        cure = "pip install mediapipe==0.10.21   (later ones do not carry the face mesh)"
        return Row("package", package.name, "missing", f"{version} has no face mesh", cure)
    return Row("package", package.name, "ok", f"{version}  {package.use}".strip())


def _speed(environment: Mapping[str, str]) -> Iterator[Row]:
    kernels = version_of(Package("numba", "numba", "play", "")) is not None
    yield _fast(
        "kernels on the CPU", kernels, "numba", "numpy twins", "pip install 'facewire[play]'"
    )
    compiler = _compiler(environment)
    yield _fast(
        "torch.compile",
        compiler is not None,
        compiler or "",
        "no C++ compiler",
        "install g++, or set CXX to one",
    )
    yield from _on_the_gpu(environment, _gpu(), _cuda_build())


def _on_the_gpu(
    environment: Mapping[str, str], gpu: str | None, build: str | None
) -> Iterator[Row]:
    """gpu: its name, compute capability behind the last comma.  build: torch's CUDA version."""
    name, _, capability = (gpu or "").rpartition(", ")
    yield _fast("GPU", bool(gpu), name, "none seen", "needs an NVIDIA GPU and its driver")
    torch_there = bool(gpu and build)
    yield _fast(
        "torch on the GPU",
        torch_there,
        build or "",
        "a CPU build" if not build else f"built for {build}, no GPU",
        "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130",
    )
    yield _fast(
        "torch.compile on the GPU",
        torch_there and util.find_spec("triton") is not None,
        "triton; recorded as CUDA graphs",
        "kernels one by one" if torch_there else "nothing to compile for",
        "pip install triton   (it comes with a CUDA build of torch on Linux)",
    )
    nvcc, ninja = _nvcc(environment), shutil.which("ninja")
    builds = bool(nvcc and ninja)
    tools = (
        "pip install ninja"
        if nvcc
        else "install the CUDA toolkit of torch's version, and set CUDA_HOME"
    )
    nerfacc = util.find_spec("nerfacc") is not None
    yield _fast(
        "nerfacc's CUDA kernels",
        torch_there and builds and nerfacc,
        "built at first use",
        "plain torch twins",
        "pip install nerfacc" if not nerfacc else tools,
    )
    tiny = util.find_spec("tinycudann") is not None
    yield _fast(
        "tinycudann",
        tiny and torch_there,
        "installed",
        "torch's networks",
        TINY.format(capability.replace(".", "") or "90") if builds or not gpu else tools,
    )


def _fast(name: str, there: bool, how: str, instead: str, cure: str) -> Row:
    return Row("speed", name, "ok", how) if there else Row("speed", name, "slow", instead, cure)


def _compiler(environment: Mapping[str, str]) -> str | None:
    for name in (environment.get("CXX"), "g++", "clang++"):
        if name and (path := shutil.which(name)):
            return path
    return None


def _cuda_build() -> str | None:
    """The CUDA version that the installed torch was built for, read from its own version file."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        lines = (Path(spec.origin).parent / "version.py").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition("=")
        if name.split(":")[0].strip() == "cuda" and value.strip().strip("'\"") not in ("", "None"):
            return f"CUDA {value.strip().strip(chr(39) + chr(34))}"
    return None


def _nvcc(environment: Mapping[str, str]) -> str | None:
    path = Path(environment.get("CUDA_HOME", "/usr/local/cuda")) / "bin" / "nvcc"
    return shutil.which("nvcc") or (str(path) if path.exists() else None)


def _gpu(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        done = run(
            [program, "--query-gpu=name,compute_cap", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    names = done.stdout.strip().splitlines()
    return names[0] if done.returncode == 0 and names else None


def _assets(environment: Mapping[str, str]) -> Iterator[Row]:
    folder = environment.get("FACEWIRE_MODELS")
    for asset in ASSETS:
        if folder and (Path(folder) / asset.name).is_file():
            yield Row("model", asset.name, "ok", asset.use)
        else:
            place = (
                f"put it into {folder}"
                if folder
                else "put it into a folder, and name that in FACEWIRE_MODELS"
            )
            yield Row(
                "model",
                asset.name,
                "missing",
                f"optional: {asset.use}",
                f"{place}; from {asset.origin}",
            )


def main() -> None:
    """Prints the report."""
    from rich.console import Console
    from rich.table import Table

    colours = {"ok": "green", "slow": "yellow", "missing": "red"}
    drawn = Table("", "what", "state", "note", "to have it")
    last = ""
    for row in report():
        if row.part != last and last:
            drawn.add_section()
        state = f"[{colours[row.state]}]{row.state}[/]"
        drawn.add_row(
            row.part if row.part != last else "",
            row.name,
            state,
            row.note,
            row.cure.replace("[", r"\["),
        )
        last = row.part
    Console().print(drawn)
