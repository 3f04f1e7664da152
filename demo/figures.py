"""The demo's figures: one row for everything that was coded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One way of coding the held-out clip.  kbps: every byte but sound; 0 for a still picture
    that cost nothing.  Quality as `facewire compare` has it, None where it has no meaning."""

    name: str
    note: str
    kbps: float
    psnr: float
    psnr_face: float | None
    ssim: float | None
    ms_ssim_face: float | None

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            self.note,
            f"{self.kbps:.2f}" if self.kbps else "none",
            f"{self.psnr:.2f}",
            _text(self.psnr_face, ".2f"),
            _text(self.ssim, ".3f"),
            _text(self.ms_ssim_face, ".3f"),
        )


HEADINGS = (
    "Coded as",
    "",
    "kbit/s",
    "PSNR, dB",
    "PSNR face, dB",
    "SSIM",
    "MS-SSIM face",
)


def table(rows: list[Row]) -> str:
    """The rows as text for a terminal."""
    cells = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(HEADINGS))]
    lines = []
    for line in cells:
        parts = [
            text.ljust(width) if k < 2 else text.rjust(width)
            for k, (text, width) in enumerate(zip(line, widths))
        ]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
