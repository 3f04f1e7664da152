from pathlib import Path

import pytest

from avatar.assets import ASSETS, VARIABLE, find_asset, has_asset
from avatar.errors import MissingError


def test_a_missing_file_says_what_whence_and_whereto(tmp_path: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(MissingError) as caught:
        find_asset("face_landmarker.task")
    assert "face_landmarker.task" in caught.value.message
    assert "MediaPipe" in caught.value.cure and str(tmp_path) in caught.value.cure
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(MissingError, match=VARIABLE):
        find_asset("face_landmarker.task")


def test_a_wrong_file_is_not_taken(tmp_path: Path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "MobileFaceNet.onnx").write_bytes(b"something else")
    with pytest.raises(MissingError, match="sha256"):
        find_asset("MobileFaceNet.onnx", tmp_path)
    assert not has_asset("MobileFaceNet.onnx", tmp_path)


def test_checksums_are_whole_or_torch_hubs_prefix():
    for asset in ASSETS.values():
        assert len(asset.sha256) == 64 or f"-{asset.sha256}." in asset.file


def test_the_real_files_are_known(models: Path):
    found = [file for file in ASSETS if (models / file).is_file()]
    assert found
    for file in found:
        assert find_asset(file, models) == models / file
