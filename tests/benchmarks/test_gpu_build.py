"""Building tinycudann from sources: with a stand-in for the compiler, there is no GPU here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from avatar.errors import InputError, MissingError
from benchmarks import gpu_build


def sources(folder: Path) -> Path:
    for part in ("dependencies/cutlass/include", "dependencies/fmt/include", "bindings/torch"):
        (folder / part).mkdir(parents=True)
    (folder / "bindings" / "torch" / "setup.py").touch()
    return folder


def test_it_is_built_for_this_gpu_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def run(command: list[str], env: dict[str, str], **_: object) -> SimpleNamespace:
        asked.update(command=command, arch=env["TCNN_CUDA_ARCHITECTURES"])
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    gpu_build.build_tinycudann(sources(tmp_path), (9, 0))
    assert asked["arch"] == "90"
    assert asked["command"][-1] == str(tmp_path / "bindings" / "torch")
    assert "--no-build-isolation" in asked["command"]  # it is built against the torch that is here


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    whole = sources(tmp_path)
    (whole / "dependencies" / "cutlass" / "include").rmdir()
    with pytest.raises(InputError, match="dependencies/cutlass/include is not there"):
        gpu_build.build_tinycudann(whole, (9, 0))


def test_a_failed_build_says_why(tmp_path: Path) -> None:
    (sources(tmp_path) / "bindings" / "torch" / "setup.py").write_text(
        "raise SystemExit('no nvcc')"
    )
    with pytest.raises(MissingError, match="no nvcc"):
        gpu_build.build_tinycudann(tmp_path, (9, 0))
