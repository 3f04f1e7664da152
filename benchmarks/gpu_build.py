"""tinycudann from sources that were brought along, for the one GPU of this machine.

Its repository needs cutlass and fmt below `dependencies/`, which `git clone --recursive` fetches
where there is a network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from avatar.errors import InputError, MissingError

_NEEDED = ("bindings/torch/setup.py", "dependencies/cutlass/include", "dependencies/fmt/include")
_TOLD = 4000  # characters of a failed build's end


def build_tinycudann(sources: Path, capability: tuple[int, int]) -> None:
    """Installs it into this interpreter; minutes.  capability: of the device, as torch gives it.

    Raises InputError for sources that are not whole, MissingError with the compiler's last words
    where they do not build.
    """
    lacking = [part for part in _NEEDED if not (sources / part).exists()]
    if lacking:
        raise InputError(
            f"{sources} is no whole tiny-cuda-nn: {', '.join(lacking)} is not there",
            "git clone --recursive https://github.com/NVlabs/tiny-cuda-nn, where there is a net.",
        )
    command = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps"]
    built = subprocess.run(
        [*command, str(sources / "bindings" / "torch")],
        env=os.environ | {"TCNN_CUDA_ARCHITECTURES": "".join(map(str, capability))},
        capture_output=True,
        text=True,
    )
    if built.returncode:
        said = (built.stdout + built.stderr)[-_TOLD:]
        raise MissingError(
            f"tinycudann does not build:\n{said}",
            "It needs nvcc of torch's CUDA version, a C++17 compiler, setuptools and ninja.",
        )
