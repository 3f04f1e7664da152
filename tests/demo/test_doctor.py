from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo import doctor
from demo.doctor import ASSETS, PACKAGES, Package, report, version_of


def test_every_row_that_is_not_well_says_how_to_mend_it() -> None:
    rows = report({})
    assert {row.name for row in rows} >= {p.name for p in PACKAGES} | {a.name for a in ASSETS}
    for row in rows:
        assert bool(row.cure) == (row.state != "ok"), row


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Package("no-such-package", "no_such_package", "play", "nothing")
    assert version_of(gone) is None
    monkeypatch.setattr(doctor, "PACKAGES", (gone,))
    (row,) = [r for r in report({}) if r.part == "package"]
    assert row.state == "missing" and row.cure == "pip install 'facewire[play]'"


def test_models_are_looked_for_where_the_user_says(tmp_path: Path) -> None:
    (tmp_path / ASSETS[0].name).write_bytes(b"x")
    rows = {r.name: r for r in report({"FACEWIRE_MODELS": str(tmp_path)})}
    assert rows[ASSETS[0].name].state == "ok"
    assert str(tmp_path) in rows[ASSETS[1].name].cure


def test_a_compiler_that_the_user_names_comes_first(tmp_path: Path) -> None:
    mine = tmp_path / "mine++"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    rows = {r.name: r for r in report({"CXX": str(mine)})}
    assert rows["torch.compile"].note == str(mine)


def test_a_missing_fast_path_says_the_command_for_this_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvcc").write_text("")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    home = {"CUDA_HOME": str(tmp_path)}
    rows = {r.name: r for r in doctor._on_the_gpu(home, "NVIDIA X, 8.9", "CUDA 13.0")}
    assert rows["GPU"].note == "NVIDIA X" and rows["torch on the GPU"].state == "ok"
    assert rows["tinycudann"].cure.startswith("TCNN_CUDA_ARCHITECTURES=89 pip install")
    assert rows["tinycudann"].cure.endswith("#subdirectory=bindings/torch'")
    assert rows["nerfacc's CUDA kernels"].cure == "pip install nerfacc"
    assert rows["torch.compile on the GPU"].cure.startswith("pip install triton")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    rows = {r.name: r for r in doctor._on_the_gpu({"CUDA_HOME": "/no"}, "X, 9.0", "CUDA 13.0")}
    assert "CUDA toolkit" in rows["tinycudann"].cure


def test_it_runs_without_torch_and_imports_nothing_it_reports_on() -> None:
    code = """
import sys
sys.modules["torch"] = None
from demo.doctor import main
main()
loaded = {"mediapipe", "av", "numba", "nerfacc", "cv2", "gradio"} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout and "missing" in done.stdout
