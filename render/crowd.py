"""Many pictures in one pass: different avatars, or one avatar seen by many receivers.

Avatars with fields of the same sizes are stacked and drawn by one batched pass; those of other
sizes have a pass of their own, on a GPU side by side on streams.  On a GPU the pass is compiled
and recorded as a graph; on a CPU it runs as it is, which is its test, not a way to be fast.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import util
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.avatar import Avatar
from avatar.errors import FacewireError, InputError, StateError
from render.graph import Replayed
from render.interpolate import in_torch
from render.person import Person, SamplingSettings
from render.picture import pixel_points
from render.tensors import fields_of
from render.whole import MARCHED, READ, View, Whole, halved

Array = NDArray[Any]
Draw = Callable[[Tensor], Tensor]

_log = logging.getLogger("facewire.render")
_EXTRAS = {  # what a GPU's pass can do without, in the order in which it is given up
    "compiled": "torch.compile",
    "marched": "the head's kernel (triton)",
    "recorded": "CUDA graphs",
}
_failed: set[str] = set()
# Corners are clamped into their grids (`render.gathered`): asserts of it only cost.
_COMPILER: dict[str, Any] = {"assert_indirect_indexing": False}


@dataclass(frozen=True)
class CrowdSettings:
    """half: half precision where that is exact enough.  compiled, marched, recorded: torch.compile,
    the fine stage as one kernel, CUDA graphs, on a GPU only.  fused_networks: tinycudann in place
    of torch's networks, for one avatar's receivers on a GPU.  rays: of all frames together that
    are drawn at once."""

    sampling: SamplingSettings = field(default_factory=lambda: SamplingSettings(20, 8))
    half: bool = True
    compiled: bool = True
    marched: bool = True
    recorded: bool = True
    fused_networks: bool = False
    rays: int = 1 << 20


class Crowd:
    """N rows of avatars (the same one may stand in several) at one picture size.

    avatars: one a row.  Raises InputError for none.  `drawn_by`: of each pass, the settings that it
    came to; what this machine cannot do is left out, and a warning says why.
    """

    def __init__(
        self,
        avatars: Sequence[Avatar],
        width: int,
        height: int,
        device: torch.device,
        settings: CrowdSettings = CrowdSettings(),
    ) -> None:
        if not avatars:
            raise InputError("nobody is to be drawn", "Give one avatar or more.")
        self._shape = (height, width)
        self._device = device
        self._widths = [avatar.layout.width for avatar in avatars]
        side = min(width, height)
        x, y = 0.5 * width / side, 0.5 * height / side
        points = pixel_points(0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y, width, height).to(device)
        people = {id(avatar): _ready(avatar, device, settings) for avatar in avatars}
        self._passes: list[tuple[list[int], Draw]] = []
        self.drawn_by: list[CrowdSettings] = []
        for rows in _alike(avatars):
            persons = [people[id(avatars[row])] for row in rows]
            means = _rows([avatars[row].statistics.mean for row in rows], device)
            draw, used = prepared(persons, View.of(points), means, settings)
            self._passes.append((rows, draw))
            self.drawn_by.append(used)
        self._streams = [torch.cuda.Stream() for _ in self._passes] if device.type == "cuda" else []

    @torch.no_grad()
    def render(self, values: Sequence[Array]) -> NDArray[np.uint8]:
        """One state row [D] a row of the crowd -> [N, height, width, 3] RGB, each window shown
        whole with what the fields hold beside it.  Raises StateError for bad values."""
        for row, width in zip(values, self._widths, strict=False):
            if row.shape != (width,) or not np.all(np.isfinite(row)):
                raise StateError("a state cannot be drawn", f"Give {width} finite numbers.")
        if len(values) != len(self._widths):
            raise StateError(
                f"{len(values)} states for {len(self._widths)} avatars", "Give one for each."
            )
        drawn = self.tensors([_rows([values[r] for r in rows], self._device) for rows in self.rows])
        out = np.empty((len(values), *self._shape, 3), np.uint8)
        for rows, pictures in zip(self.rows, drawn):
            bytes_ = (pictures * 255.0 + 0.5).to(torch.uint8)
            out[rows] = bytes_.view(len(rows), *self._shape, 3).cpu().numpy()
        return out

    @property
    def rows(self) -> list[list[int]]:
        """Which rows each pass draws."""
        return [rows for rows, _ in self._passes]

    @torch.no_grad()
    def tensors(self, values: Sequence[Tensor]) -> list[Tensor]:
        """For each pass its states [n, D] -> pictures [n, H * W, 3] on the device, 0..1."""
        if len(self._passes) == 1 or not self._streams:
            return [draw(value) for (_, draw), value in zip(self._passes, values)]
        here, out = torch.cuda.current_stream(), []
        for (_, draw), value, stream in zip(self._passes, values, self._streams):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                out.append(draw(value))
        for stream in self._streams:
            here.wait_stream(stream)
        return out


def prepared(
    persons: Sequence[Person], view: View, example: Tensor, settings: CrowdSettings
) -> tuple[Draw, CrowdSettings]:
    """`drawing`, compiled and recorded for states like the example as far as that goes here, and
    how far it went.

    Compilers and drivers fail in ways of their own.  What has failed once is left out in this
    process from then on: pictures are the same without it, only later.
    """
    settings = possible(settings, example.device)
    while True:
        ours = {id(person): _halved(person, settings) for person in persons}
        draw = drawing([ours[id(person)] for person in persons], view, settings)
        left = [name for name in _EXTRAS if getattr(settings, name)]
        if not left:
            return draw, settings
        suspect = left[0]
        try:
            if suspect != "recorded":
                with torch.no_grad():
                    draw(example)
            suspect = "recorded"
            return recorded(draw, example, settings), settings
        except FacewireError:
            raise
        except Exception as error:  # a compiler's or a driver's own
            _failed.add(suspect)
            _log.warning(
                "Pictures are drawn without %s, which failed here: %s: %s",
                _EXTRAS[suspect], type(error).__name__, _brief(error),
            )  # fmt: skip
        settings = without(settings, {suspect})


def possible(settings: CrowdSettings, device: torch.device) -> CrowdSettings:
    """Without what has failed before, or what there is nothing for."""
    gone = set(_failed)
    if device.type != "cuda":
        gone = set(_EXTRAS)
    elif not util.find_spec("triton"):
        gone |= {"compiled", "marched"}
    return without(settings, gone)


def without(settings: CrowdSettings, extras: Iterable[str]) -> CrowdSettings:
    left_out: dict[str, Any] = dict.fromkeys(extras, False)
    return replace(settings, **left_out)


def _halved(person: Person, settings: CrowdSettings) -> Person:
    if not settings.half:
        return person
    return halved(person, READ if settings.compiled else MARCHED if settings.marched else ())


def _brief(error: Exception) -> str:
    """The line of a message that says most: compilers wrap their errors in traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line]
    return ((telling or lines or ["no message"])[-1])[:300]


def drawing(persons: Sequence[Person], view: View, settings: CrowdSettings) -> Draw:
    """States [n, D] -> pictures [n, P, 3], row r by person r.  Persons have fields of one size."""
    one = all(person is persons[0] for person in persons)
    if one:
        whole: Callable[..., Tensor] = Whole(persons[0], settings.sampling, settings.marched)
    else:
        whole = stacked(persons, settings.sampling, settings.marched)
    if settings.compiled:
        whole = torch.compile(whole, dynamic=False, options=_COMPILER)
    tiles = list(view.tiles(max(1, settings.rays // len(persons))))

    def draw(values: Tensor) -> Tensor:
        with in_torch():
            parts = [whole(values, tile.points, tile.lattice, tile.unit) for tile in tiles]
        return torch.cat(parts, dim=1)

    return draw


def recorded(draw: Draw, example: Tensor, settings: CrowdSettings) -> Draw:
    """The same as a CUDA graph for states of the example's shape, where it lies on a GPU."""
    return Replayed(draw, example) if settings.recorded and example.is_cuda else draw


def stacked(
    persons: Sequence[Person], sampling: SamplingSettings, marched: bool = False
) -> Callable[..., Tensor]:
    """One pass over persons whose parameters lie behind one another, by torch.vmap."""
    wholes = [Whole(person, sampling, marched) for person in persons]
    parameters, buffers = torch.func.stack_module_state(wholes)  # type: ignore[arg-type]
    base = wholes[0]

    def alone(parameters: Any, buffers: Any, row: Tensor, *view: Tensor) -> Tensor:
        return torch.func.functional_call(base, (parameters, buffers), (row[None], *view))[0]

    together = torch.vmap(alone, in_dims=(0, 0, 0, None, None, None))

    def whole(values: Tensor, *view: Tensor) -> Tensor:
        return together(parameters, buffers, values, *view)

    return whole


def _ready(avatar: Avatar, device: torch.device, settings: CrowdSettings) -> Person:
    person = fields_of(avatar).to(device)
    if settings.fused_networks and device.type == "cuda":
        from render.tiny_network import TinyNetwork

        for part in (person.head, person.torso):
            part.colour = TinyNetwork(part.colour).to(device)  # type: ignore[assignment]
    return person


def _alike(avatars: Sequence[Avatar]) -> list[list[int]]:
    """Rows of avatars whose fields have the same sizes."""
    groups: dict[str, list[int]] = {}
    for row, avatar in enumerate(avatars):
        shapes = {name: value.shape for name, value in avatar.group("fields").items()}
        key = repr((sorted(shapes.items()), sorted(avatar.settings.items()), avatar.layout))
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _rows(rows: Sequence[Array], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack(rows).astype(np.float32)).to(device)
