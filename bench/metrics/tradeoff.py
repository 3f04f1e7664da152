"""003's trade-offs of quality and rate (its Tables 1 and 2): quality over rate where more is
better, quality times rate where less is.  They reward whatever is cheap: read them beside curves.
"""

from __future__ import annotations

import math

from avatar.errors import InputError


def tradeoff(figure: float, kbps: float, rising: bool = True) -> float:
    """SSIM/b.r., PSNR/b.r., CSIM/b.r. and AUCON/b.r. (rising), LPIPS x b.r. and PRMSE x b.r. (not
    rising).  kbps: the rate in kbit/s, every byte counted."""
    if not (math.isfinite(kbps) and kbps > 0):
        raise InputError(f"a rate of {kbps} kbit/s has no trade-off", "Give a rate above 0.")
    return figure / kbps if rising else figure * kbps


def tradeoff_name(metric: str, rising: bool = True) -> str:
    """As 003 heads its columns."""
    return f"{metric}/b.r." if rising else f"{metric} x b.r."
