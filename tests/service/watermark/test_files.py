"""Which files carry a watermark, and what is said of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("torch")

from demo.cli import main
from service.receiver import write_video
from service.view import View
from service.watermark.mark import Watermark
from service.watermark.video import read_watermark
from tests.service.watermark.test_watermark import DIGEST, PERIOD, filmed


class Film:
    """A renderer whose states are its pictures."""

    view = View(256, 256)

    def pictures(self, states):
        return iter(states)


@pytest.fixture
def write(tmp_path):
    def to(name, mark, frames=60):
        path, times = tmp_path / name, [n * PERIOD for n in range(frames)]
        write_video(path, Film(), filmed(frames), times, mark=mark, badge=mark is not None)
        return path

    return to


def test_video_for_people_carries_it_and_lossless_video_never(write):
    assert read_watermark(write("a.mp4", Watermark(DIGEST))).prefix == DIGEST[:8]
    assert read_watermark(write("b.mp4", None)).prefix is None
    lossless = write("c.mkv", Watermark(DIGEST), 10)
    import av

    with av.open(str(lossless)) as file:
        shown = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    np.testing.assert_array_equal(shown, filmed(10))


def test_info_names_the_avatar_of_a_video(write, capsys):
    path = write("a.mp4", Watermark(DIGEST))
    assert main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["watermark"] is True and facts["avatar"] == DIGEST[:8]
    assert 0.9 < facts["seconds_read"] < 2.5
    assert main(["info", str(write("b.mp4", None)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["avatar"] == "none found"


def test_info_of_what_is_no_video_says_so(tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("not a video")
    assert main(["info", str(path)]) == 2
    assert "notes.txt" in capsys.readouterr().err
    assert main(["info", str(path), "--mesh", str(tmp_path / "x.glb")]) == 2
    assert "no mesh" in capsys.readouterr().err
