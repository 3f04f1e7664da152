"""The fallback as the lab runs it: nobody is enrolled; key frames by VVC, frames between two of
them from both, and 40 numbers a frame.

Bytes and pictures are those of `facewire encode` without an avatar, on the frames of the
comparison.  The same way goes every other network that moves a key frame by a few numbers
(`bench.generative`).  It needs trained weights; without them it is named, and nothing takes its
place.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avatar.errors import InputError, MissingError
from avatar.face import Window
from bench.codec import Clip, Outcome
from codec.mttf.kind import NetworkKind
from codec.mttf.settings import FULL, LITE, PLAIN

POINTS = (52.0, 42.0, 32.0, 22.0)  # QPs of the key frames, those of 001 and 002
LAYERS = (2.0, 4.0, 8.0)  # kbit/s of the layer
KEY_CODEC, KEY_QP = "vvc", 42
_LAYER, _ONCE = "-layer", "-once"
_NEVER = 1e9  # times the error just after a key frame that is borne


@dataclass(frozen=True)
class NetworkCodec:
    """network: what makes the pictures.  refreshed: whether key frames are renewed where they no
    longer explain the picture; otherwise there is the first one alone.  two_sided: whether frames
    between two key frames may be made from both.  layered: whether a coded small picture is sent,
    too, that the generated one is fused with; the points are then its kbit/s, key frames at
    `KEY_QP`."""

    name: str
    title: str
    network: NetworkKind
    refreshed: bool = True
    two_sided: bool = False
    layered: bool = False
    points: tuple[float, ...] = POINTS

    @property
    def family(self) -> str:
        # A layer belongs to the hull of what it is added to; key frames that are not renewed, too.
        return self.name.removesuffix(_LAYER).removesuffix(_ONCE)

    def missing(self) -> str:
        from importlib.util import find_spec

        from codec.mttf.weights import find_file

        if find_spec("torch") is None:
            return "needs pip install 'facewire[play]' (torch)"
        try:
            find_file(self.network.file)
        except MissingError:
            return f"needs {self.network.file} in a folder that $FACEWIRE_MODELS names"
        return ""

    def code(self, clip: Clip, point: float) -> Outcome:
        """Raises InputError for frames that are not square or of a side that the network does not
        make, and for a QP that is none."""
        from codec.container import read_stream
        from codec.mttf.decoder import Decoder
        from codec.mttf.measure import work
        from codec.mttf.packet import Layer
        from codec.mttf.recovery_file import recovery_at_hand
        from codec.mttf.runtime import Runtime
        from codec.mttf.weights import find_file, load_weights

        if not self.layered and point != int(point):
            raise InputError(f"{self.title} has no QP {point}", "Choose a whole number.")
        weights = load_weights(find_file(self.network.file), {self.network.name: self.network})
        side = clip.frames.shape[1]
        if clip.frames.shape[2] != side or side not in weights.settings.sides:
            raise InputError(
                f"{self.title} makes no pictures of {clip.frames.shape[2]}x{side}",
                f"Choose --sizes from {', '.join(map(str, weights.settings.sides))}.",
            )
        runtime, recovery = Runtime(weights), recovery_at_hand()
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "call.fw"
            self._write(path, clip, point, runtime, weights, recovery)
            sent = time.perf_counter()
            stream = read_stream(path, weights.statistics, weights.digest)
        decoder = Decoder(runtime, stream.fallback, recovery)
        shown = np.stack([decoder.picture(row) for row in stream.states.values])
        end = time.perf_counter()
        layers = sum(chunk.size for chunk in stream.fallback if chunk.kind == Layer.kind)
        keys = sum(chunk.size for chunk in stream.fallback) - layers
        head = stream.header_bytes
        parts = {"header": head, "key frames": keys, "vectors": stream.size - head - keys - layers}
        return Outcome(
            parts | ({"layer": layers} if self.layered else {}),
            shown,
            self._settings(point, weights.settings.numbers, recovery is not None),
            encode_seconds=sent - start,
            decode_seconds=end - sent,
            kmac=work(weights.settings, side).generate,
        )

    def _write(
        self, path: Path, clip: Clip, point: float, runtime: Any, weights: Any, recovery: Any
    ) -> None:
        from codec.mttf.encoder import EncoderSettings, stream_header
        from codec.mttf.layer import LayerEncoder, LayerSettings
        from codec.mttf.packet import Sent
        from codec.mttf.recording import encode
        from codec.timing import rate_of
        from service.fallback.faces import FaceReader
        from service.fallback.sender import write_fallback

        side = clip.frames.shape[1]
        times = np.round(np.arange(len(clip.frames)) * 1e6 / clip.fps).astype(np.int64)
        rate, rounding = rate_of(times)
        settings = EncoderSettings(side, KEY_CODEC, KEY_QP if self.layered else int(point))
        if not self.two_sided:
            settings = replace(settings, lookback=0)
        if not self.refreshed:
            settings = replace(settings, patience=_NEVER)
        with closing(FaceReader()) as faces:
            whole = Window(0.0, 0.0, float(side), side, side)
            seen = (faces.see(f, int(t), whole) for f, t in zip(clip.frames, times, strict=True))
            coded = encode(
                clip.frames,
                times.tolist(),
                runtime,
                weights.statistics,
                settings,
                recovery=recovery,
                meshes=seen if runtime.guided else None,
            )
        chunks: list[Sent] = [*coded.chunks]
        if self.layered:
            layer = LayerEncoder(LayerSettings(point), side)
            for picture, moment in zip(clip.frames, times.tolist(), strict=True):
                layer.add(picture, moment)
            layer.close()
            chunks += layer.chunks
        head = stream_header(weights.digest, weights.settings.numbers, settings.quality)
        head = replace(head, rate=rate, rounding=rounding)
        with path.open("wb") as file:
            write_fallback(file, head, times, coded.vectors, weights.statistics, chunks)

    def _settings(self, point: float, numbers: int, restored: bool) -> str:
        """As the report has them."""
        said = [f"key frames by {KEY_CODEC} at QP {KEY_QP if self.layered else int(point)}"]
        said += ["restored"] if restored else []
        said += ["as many as are needed within 3 kbit/s" if self.refreshed else "the first alone"]
        said += ["two-sided between them"] if self.two_sided else []
        said += [f"{numbers} numbers a frame"]
        said += [f"a layer of {point:g} kbit/s by AV1, fused in"] if self.layered else []
        return ", ".join(said)


def mttf_codecs() -> list[NetworkCodec]:
    plain = [
        NetworkCodec(f"mttf-{kind.name}", f"MTTF {kind.name}", kind, two_sided=True)
        for kind in (LITE, FULL, PLAIN)
    ]
    once = [
        NetworkCodec(
            f"mttf-{kind.name}{_ONCE}", f"MTTF {kind.name}, the first key frame alone", kind,
            refreshed=False,
        )
        for kind in (LITE, FULL)
    ]  # fmt: skip
    layered = [
        NetworkCodec(
            f"mttf-{kind.name}{_LAYER}", f"MTTF {kind.name} with a layer", kind,
            two_sided=True, layered=True, points=LAYERS,
        )
        for kind in (LITE, FULL)
    ]  # fmt: skip
    return plain + once + layered
