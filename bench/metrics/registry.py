"""Every metric that the lab knows: what is here, and what each of the others needs."""

from __future__ import annotations

from functools import partial

from avatar.errors import InputError
from bench.ffmpeg import missing_in_ffmpeg
from bench.metrics.brisque import brisque
from bench.metrics.brisque import missing as brisque_missing
from bench.metrics.by_ffmpeg import vmaf, xpsnr
from bench.metrics.difference import l1
from bench.metrics.dists import DISTS
from bench.metrics.dlib_identity import DLIB_IDENTITY
from bench.metrics.fsim import fsim
from bench.metrics.gmsd import gmsd
from bench.metrics.identity import IDENTITY
from bench.metrics.lpips import LPIPS
from bench.metrics.metric import Metric, each
from bench.metrics.pose import POSE
from bench.metrics.seam import SEAM
from bench.metrics.stillness import STILLNESS
from bench.metrics.strred import missing as strred_missing
from bench.metrics.strred import strred
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
    Metric(
        "STRRED", "", False, "Soundararajan and Bovik 2013, luma, the whole clip's", strred,
        strred_missing, regions=(WHOLE,), least=64,
    ),
    Metric(
        "BRISQUE", "of 100", False, "Mittal et al. 2012, without the reference", brisque,
        brisque_missing, regions=(WHOLE,), least=32,
    ),
    *LPIPS,
    DISTS,
    *IDENTITY,
    *DLIB_IDENTITY,
    *POSE,
    SEAM,
    STILLNESS,
)  # fmt: skip

# What is not here: (name, rising, paper, the weights it needs).  A plug-in of the same name takes
# its place.
ABSENT = (
    ("FVD", False, "Unterthiner et al. 2018", "i3d_torchscript.pt (I3D, on Kinetics-400)"),
    ("TOPIQ", True, "Chen et al. 2024", "cfanet_fr_kadid_res50-2c4cc61d.pth (TOPIQ, of pyiqa)"),
    ("MANIQA", True, "Yang et al. 2022", "ckpt_koniq10k.pt (MANIQA, of its authors)"),
    ("FAVOR", True, "face video quality, in 002", "its authors' weights"),
    ("IFQA", True, "Jo et al. 2023", "IFQA_Metric.pth (of its authors)"),
    ("MSVGG", False, "multi-scale VGG features", "vgg19-dcbb9e9d.pth (VGG-19, of torchvision)"),
)  # fmt: skip


def metrics() -> dict[str, Metric]:
    """By name: ours, then those that need weights, with plug-ins in place of what they name."""
    known = {metric.name: metric for metric in HERE}
    for name, rising, source, weights in ABSENT:
        known[name] = _unavailable(name, rising, source, f"needs {weights}, in a plug-in")
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
