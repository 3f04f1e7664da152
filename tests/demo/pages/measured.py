"""A folder as the lab leaves it, with videos, small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.results import Results
from tests.bench.conftest import pictures
from tests.bench.test_comparison import OURS, RIVAL


def make_lab(folder):
    import av

    results = Results(folder, create=True)
    filmed = pictures(25)
    for record in (replace(r, size=32, frames=25, seconds=1.0) for r in [*OURS, *RIVAL]):
        results.write(record)
        path = results.video(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as file:
            stream = file.add_stream("libx264", rate=25)
            stream.height = stream.width = 32
            stream.pix_fmt = "yuv420p"
            for picture in filmed:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    place = results.clip_folder("a")
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "32.npy", filmed)
    return folder
