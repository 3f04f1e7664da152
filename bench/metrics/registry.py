"""Every metric that the lab knows: what is here, and what each of the others needs."""

from __future__ import annotations

from functools import partial

from avatar.errors import InputError
from bench.ffmpeg import missing_in_ffmpeg
from bench.metrics.by_ffmpeg import vmaf, xpsnr
from bench.metrics.difference import l1
from bench.metrics.fsim import fsim
from bench.metrics.gmsd import gmsd
from bench.metrics.identity import IDENTITY
from bench.metrics.metric import Metric, each
from bench.metrics.pose import POSE
from bench.metrics.vsi import vsi
from bench.plugins import METRICS, plugins
from bench.regions import REGIONS, WHOLE
from render.metrics import ms_ssim, psnr, ssim

HERE = (
    Metric(
        "L1", "of 1", False, "mean absolute difference", each(l1), regions=REGIONS, resized=False
    ),
    Metric(
        "PSNR", "dB", True, "over all pixels and channels of RGB", each(psnr),
        regions=REGIONS, resized=False,
    ),
    Metric(
        "SSIM", "of 1", True, "Wang et al. 2004, Gaussian window, RGB", each(ssim),
        regions=REGIONS, least=11,
    ),
    Metric(
        "MS-SSIM", "of 1", True, "Wang et al. 2003, five scales, RGB", each(ms_ssim), least=161
    ),
    Metric("GMSD", "", False, "Xue et al. 2014, luma", each(gmsd), least=4),
    Metric("FSIM", "of 1", True, "Zhang et al. 2011, with colour", each(fsim), least=16),
    Metric("VSI", "of 1", True, "Zhang et al. 2014", each(vsi), least=16),
    Metric(
        "VMAF", "of 100", True, "libvmaf, vmaf_v0.6.1", vmaf,
        partial(missing_in_ffmpeg, "filters", "libvmaf"), regions=(WHOLE,), least=16,
    ),
    Metric(
        "XPSNR", "dB", True, "Helmrich et al. 2020", xpsnr,
        partial(missing_in_ffmpeg, "filters", "xpsnr"), regions=(WHOLE,), least=16,
    ),
    *IDENTITY,
    *POSE,
)  # fmt: skip

# What is not here: (name, rising, paper, what it needs).  A plug-in of the same name takes its
# place.
ABSENT = (
    ("LPIPS", False, "Zhang et al. 2018", "needs LPIPS's weights, in a plug-in"),
    ("DISTS", False, "Ding et al. 2020", "needs DISTS's weights, in a plug-in"),
    ("FVD", False, "Unterthiner et al. 2018", "needs FVD's weights, in a plug-in"),
    ("BRISQUE", False, "Mittal et al. 2012", "needs BRISQUE's support vectors, in a plug-in"),
    ("STRRED", False, "Soundararajan and Bovik 2013", "needs a plug-in: not done here"),
    ("TOPIQ", True, "Chen et al. 2024", "needs TOPIQ's weights, in a plug-in"),
    ("MANIQA", True, "Yang et al. 2022", "needs MANIQA's weights, in a plug-in"),
    ("FAVOR", True, "", "needs FAVOR's weights, in a plug-in"),
    ("IFQA", True, "Jo et al. 2023", "needs IFQA's weights, in a plug-in"),
    ("MSVGG", False, "multi-scale VGG features", "needs MSVGG's weights, in a plug-in"),
)  # fmt: skip


def metrics() -> dict[str, Metric]:
    """By name: ours, then those that need weights, with plug-ins in place of what they name."""
    known = {metric.name: metric for metric in HERE}
    for name, rising, source, needs in ABSENT:
        known[name] = _unavailable(name, rising, source, needs)
    for plugin in plugins(METRICS, Metric):
        if plugin.value is None:
            known.setdefault(plugin.name, _unavailable(plugin.name, True, "", plugin.fault))
        elif plugin.value.name not in {metric.name for metric in HERE}:
            known[plugin.value.name] = plugin.value
    return known


def metric(name: str) -> Metric:
    """The metric of this name.  Raises InputError where there is none."""
    known = metrics()
    if name not in known:
        raise InputError(f"there is no metric {name!r}", f"Choose from {', '.join(known)}.")
    return known[name]


def _unavailable(name: str, rising: bool, source: str, needs: str) -> Metric:
    return Metric(name, "", rising, source, None, lambda: needs)
