"""The promises of the workshop: what is declared, what imports what, what imports without torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("avatar", "codec", "render", "enroll", "service", "bench", "demo")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = ("torch", "nerfacc", "av", "mediapipe", "cv2", "numba", "skimage", "scipy")

# Distributions whose import name differs, or that another declared distribution brings.
DISTRIBUTION = {
    "cv2": "mediapipe",
    "skimage": "scikit-image",
    "dlib": "dlib-bin",
    "PIL": "pillow",
    "face_alignment": "face-alignment",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "absl": "mediapipe",
    "google": "mediapipe",
    "triton": "torch",  # of its CUDA builds
    "argon2": "argon2-cffi",
    "starlette": "fastapi",
    "pydantic": "fastapi",
}


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return match.group().lower().replace("_", "-")


def _declared() -> set[str]:
    project = PROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {_name(requirement) for group in groups for requirement in group}


def _sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def _blocked_import(modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Import `modules` in a fresh interpreter that has none of the heavy packages."""
    code = f"""
import importlib, sys, traceback
for name in {HEAVY!r}:
    sys.modules[name] = None  # the import system then raises ModuleNotFoundError
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except Exception:
        print("FAILED", name)
        traceback.print_exc(limit=-2, file=sys.stdout)
"""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=900
    )


def test_pyproject_names_the_nine() -> None:
    nine = {
        "torch", "tinycudann", "nerfacc", "face-alignment", "mediapipe",
        "trimesh", "numpy", "constriction", "gradio",
    }  # fmt: skip
    assert nine <= _declared()


def test_tinycudann_comes_from_its_bindings_folder() -> None:
    (requirement,) = PROJECT["project"]["optional-dependencies"]["cuda"]
    assert requirement.startswith("tinycudann @ git+https://")
    assert requirement.endswith("#subdirectory=bindings/torch")


def test_everything_imported_is_declared() -> None:
    declared, missing = _declared(), set()
    for path in [*_sources(), *(ROOT / "benchmarks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in (n.split(".")[0] for n in names):
                if name in sys.stdlib_module_names or name in PACKAGES or name == "benchmarks":
                    continue
                if DISTRIBUTION.get(name, name.replace("_", "-")) not in declared:
                    missing.add(f"{path.relative_to(ROOT)}: {name}")
    assert not missing


def test_constraints_pin_each_direct_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {_name(line): line for line in lines if line and not line.startswith("#")}
    assert all("==" in pin for pin in pins.values())
    unpinned = _declared() - set(pins) - {"facewire", "tinycudann"}
    assert not unpinned


def test_floors_import_down_only() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    if not tool.exists():
        pytest.skip("import-linter is not installed: pip install -e '.[dev]'")
    result = subprocess.run(
        [str(tool), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert result.returncode == 0, result.stdout


def test_every_package_imports_without_heavy_libraries() -> None:
    result = _blocked_import(list(PACKAGES))
    assert result.returncode == 0 and "FAILED" not in result.stdout, result.stdout + result.stderr


def test_every_module_of_avatar_and_codec_imports_without_heavy_libraries() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in _sources()
        if path.relative_to(ROOT).parts[0] in ("avatar", "codec")
    ]
    assert "avatar.face" in modules
    result = _blocked_import(modules)
    assert result.returncode == 0 and "FAILED" not in result.stdout, result.stdout + result.stderr


def test_commands_and_the_labs_codecs_are_named_without_loading_torch() -> None:
    """Which takes longer than most of what they do."""
    code = """
import sys
from bench.codecs import codecs
from demo.cli.parser import make_parser
make_parser()
codecs()
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=900).returncode == 0


def test_the_block_really_blocks() -> None:
    assert "FAILED torch" in _blocked_import(["torch"]).stdout


def test_no_file_is_named_after_nothing() -> None:
    banned = {"utils.py", "util.py", "helper.py", "helpers.py", "common.py", "misc.py"}
    assert not [path for path in _sources() if path.name in banned]


def test_no_file_outgrows_its_noun() -> None:
    long = [path for path in _sources() if len(path.read_text().splitlines()) > 500]
    assert not long
