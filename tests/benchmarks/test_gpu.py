"""The GPU's benchmark, as far as a CPU goes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import gpu


def test_some_parts_alone_and_the_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "gpu.json"
    asked = ["--device", "cpu", "--quick", "--parts", "wide", "packed", "-o", str(kept)]
    monkeypatch.setattr(sys, "argv", ["gpu", *asked])
    gpu.main()
    results = json.loads(kept.read_text())
    assert results["one stream, 32x18"]["frame_s"] > 0
    assert results["packed head by nerfacc"]["median_levels"] < 1
    assert results["one stream, 24x24"] == {}
    assert not any("avatars" in title for title in results)


def test_one_part_that_fails_does_not_take_the_others_along() -> None:
    def broken() -> None:
        raise RuntimeError("no kernel image\nand more")

    assert gpu.attempt(broken) == {"failed": "RuntimeError: no kernel image"}
