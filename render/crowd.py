"""Many pictures in one pass: different avatars, or one avatar seen by many receivers.

Avatars with fields of the same sizes are stacked and drawn by one batched pass; those of other
sizes have a pass of their own, on a GPU side by side on streams.  On a GPU the pass is compiled
and recorded as a graph; on a CPU it runs as it is, which is its test, not a way to be fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import util
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatar.avatar import Avatar
from avatar.errors import InputError, StateError
from render.graph import Replayed
from render.interpolate import in_torch
from render.person import Person, SamplingSettings
from render.picture import pixel_points
from render.tensors import fields_of
from render.whole import View, Whole, halved

Array = NDArray[Any]
Draw = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class CrowdSettings:
    """half: half precision where that is exact enough.  compiled, recorded: torch.compile and
    CUDA graphs, on a GPU only.  fused_networks: tinycudann in place of torch's networks, for one
    avatar's receivers on a GPU.  rays: of all frames together that are drawn at once."""

    sampling: SamplingSettings = field(default_factory=lambda: SamplingSettings(20, 8))
    half: bool = True
    compiled: bool = True
    recorded: bool = True
    fused_networks: bool = False
    rays: int = 1 << 20


class Crowd:
    """N rows of avatars (the same one may stand in several) at one picture size.

    avatars: one a row.  Raises InputError for none.
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
        for rows in _alike(avatars):
            persons = [people[id(avatars[row])] for row in rows]
            draw = drawing(persons, View.of(points), settings)
            means = _rows([avatars[row].statistics.mean for row in rows], device)
            self._passes.append((rows, recorded(draw, means, settings)))
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


def drawing(persons: Sequence[Person], view: View, settings: CrowdSettings) -> Draw:
    """States [n, D] -> pictures [n, P, 3], row r by person r.  Persons have fields of one size."""
    one = all(person is persons[0] for person in persons)
    if one:
        whole: Callable[..., Tensor] = Whole(persons[0], settings.sampling)
    else:
        whole = stacked(persons, settings.sampling)
    cuda = view.points.device.type == "cuda"
    if cuda and settings.compiled and util.find_spec("triton"):
        whole = torch.compile(whole, dynamic=False)
    tiles = list(view.tiles(max(1, settings.rays // len(persons))))

    def draw(values: Tensor) -> Tensor:
        with in_torch():
            parts = [whole(values, tile.points, tile.lattice, tile.unit) for tile in tiles]
        return torch.cat(parts, dim=1)

    return draw


def recorded(draw: Draw, example: Tensor, settings: CrowdSettings) -> Draw:
    """The same as a CUDA graph for states of the example's shape, where it lies on a GPU."""
    return Replayed(draw, example) if settings.recorded and example.is_cuda else draw


def stacked(persons: Sequence[Person], sampling: SamplingSettings) -> Callable[..., Tensor]:
    """One pass over persons whose parameters lie behind one another, by torch.vmap."""
    wholes = [Whole(person, sampling) for person in persons]
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
    if settings.half:
        halved(person)
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
