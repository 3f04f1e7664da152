"""Which rays a fit looks at: most where people look, some everywhere.

Letters: B frames, R rays a frame, S the crops' side in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DrawSettings:
    frames: int = 12  # frames a step
    head: int = 448  # rays a frame inside the head's rectangle
    behind: int = 128  # rays a frame over the whole window, torso and background alone
    # Shares of the head's rays; what is left falls evenly over the head's rectangle.
    face: float = 0.45
    eyes: float = 0.10
    mouth: float = 0.15


# A GPU's step costs its launches: four times the rays are almost free there.
ON_A_GPU = DrawSettings(frames=24, head=896, behind=256)


@dataclass
class Drawn:
    """Pixels of B frames: window points [B, R, 2], colours [B, R, 3] 0..1, matte [B, R] 0..1."""

    points: Tensor
    colour: Tensor
    matte: Tensor


# Eyes and mouth as parts of the face box (left, top, right, bottom).
_EYES = (0.08, 0.18, 0.92, 0.48)
_MOUTH = (0.22, 0.60, 0.78, 0.95)


class RayDraw:
    """All arrays and the generator on one device, where what is drawn lies as well."""

    def __init__(
        self,
        images: Tensor,  # [F, S, S, 3] uint8
        masks: Tensor,  # [F, M, M] uint8
        faces: Tensor,  # [F, 4] face box in the window
        settings: DrawSettings,
        generator: torch.Generator,
    ) -> None:
        self.images = images
        self.masks = masks
        self.faces = faces
        self.settings = settings
        self.generator = generator
        self._window = faces.new_tensor([[0.0, 0.0, 1.0, 1.0]])

    def head(self, rows: Tensor, rectangle: Tensor) -> Drawn:
        """Rays for the head field: rows [B] of frames, rectangle [B, 4] of the head's box."""
        s = self.settings
        face = self.faces[rows]
        counts = [int(s.head * share) for share in (s.face, s.eyes, s.mouth)]
        counts.append(s.head - sum(counts))
        grown = torch.cat(
            [face[:, :2] * 1.15 - face[:, 2:] * 0.15, face[:, 2:] * 1.15 - face[:, :2] * 0.15],
            dim=-1,
        )
        places = [grown, _part(face, _EYES), _part(face, _MOUTH), rectangle]
        return self._at(
            rows,
            torch.cat(
                [self._inside(place, count) for place, count in zip(places, counts, strict=True)],
                dim=1,
            ),
        )

    def behind(self, rows: Tensor) -> Drawn:
        """Rays over the whole window."""
        window = self._window.expand(len(rows), 4)
        return self._at(rows, self._inside(window, self.settings.behind))

    def _inside(self, boxes: Tensor, count: int) -> Tensor:
        """Pixels drawn evenly from boxes [B, 4] -> (x, y) [B, count, 2]."""
        size = self.images.shape[1]
        spot = torch.rand(
            len(boxes), count, 2, generator=self.generator, device=self.generator.device
        )
        boxes = boxes.clamp(0.0, 1.0)
        place = boxes[:, None, :2] + spot * (boxes[:, None, 2:] - boxes[:, None, :2])
        return (place * size).long().clamp(0, size - 1)

    def _at(self, rows: Tensor, pixels: Tensor) -> Drawn:
        size, cells = self.images.shape[1], self.masks.shape[1]
        x, y = pixels[..., 0], pixels[..., 1]
        frame = rows[:, None]
        matte = self.masks[frame, y * cells // size, x * cells // size]
        return Drawn(
            points=(pixels.float() + 0.5) / size,
            colour=self.images[frame, y, x].float() / 255.0,
            matte=matte.float() / 255.0,
        )


def _part(boxes: Tensor, part: tuple[float, float, float, float]) -> Tensor:
    left, top = boxes[:, 0], boxes[:, 1]
    width, height = boxes[:, 2] - left, boxes[:, 3] - top
    return torch.stack(  # of numbers, not of a new tensor: that would wait for a GPU
        [
            left + part[0] * width,
            top + part[1] * height,
            left + part[2] * width,
            top + part[3] * height,
        ],
        dim=-1,
    )
