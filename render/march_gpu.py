"""The fine stage of a head on a GPU, one kernel: warp, three planes, blend, densities and sums.

A sample's features never lie in memory: of 200 MB a picture only 25 MB are written.  The twin is
`Person.fine_features_plain`; the CPU's form is `render.march_cpu`.  Imported where triton is.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 64  # rays a program
_WARPS = 4


@triton.jit  # type: ignore[untyped-decorator]
def _cell(coordinate, size: tl.constexpr):  # type: ignore[no-untyped-def]
    """As `render.gathered`: -1..1 -> lower corner and fraction; the smaller of a number and of
    what is none is the number."""
    place = tl.minimum(tl.maximum((coordinate + 1.0) * (0.5 * (size - 1)), 0.0), size - 1.0)
    corner = tl.minimum(place.to(tl.int32), size - 2)
    return corner, place - corner.to(tl.float32)


@triton.jit  # type: ignore[untyped-decorator]
def _bilinear(  # type: ignore[no-untyped-def]
    texels, u, v, channel, known, H: tl.constexpr, W: tl.constexpr, C: tl.constexpr
):
    i, fx = _cell(u, W)
    j, fy = _cell(v, H)
    at = texels + ((j * W + i) * C)[:, None] + channel[None, :]
    a = tl.load(at, mask=known, other=0.0).to(tl.float32)
    b = tl.load(at + C, mask=known, other=0.0).to(tl.float32)
    near = a + (b - a) * fx[:, None]
    a = tl.load(at + W * C, mask=known, other=0.0).to(tl.float32)
    b = tl.load(at + (W + 1) * C, mask=known, other=0.0).to(tl.float32)
    return near + (a + (b - a) * fx[:, None] - near) * fy[:, None]


@triton.jit  # type: ignore[untyped-decorator]
def _trilinear(  # type: ignore[no-untyped-def]
    texels, i, j, k, fx, fy, fz, read, H: tl.constexpr, W: tl.constexpr, C: tl.constexpr
):
    """One channel of a volume; `texels` points at it."""
    at = texels + ((k * H + j) * W + i) * C
    a = tl.load(at, mask=read, other=0.0).to(tl.float32)
    near = a + (tl.load(at + C, mask=read, other=0.0).to(tl.float32) - a) * fx
    a = tl.load(at + W * C, mask=read, other=0.0).to(tl.float32)
    near += (
        a + (tl.load(at + (W + 1) * C, mask=read, other=0.0).to(tl.float32) - a) * fx - near
    ) * fy
    at += H * W * C
    a = tl.load(at, mask=read, other=0.0).to(tl.float32)
    far = a + (tl.load(at + C, mask=read, other=0.0).to(tl.float32) - a) * fx
    a = tl.load(at + W * C, mask=read, other=0.0).to(tl.float32)
    far += (
        a + (tl.load(at + (W + 1) * C, mask=read, other=0.0).to(tl.float32) - a) * fx - far
    ) * fy
    return near + (far - near) * fz


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(  # type: ignore[no-untyped-def]
    warp, coarse, front, top, profile, blend,  # [G, ..., channels]
    start,  # [B, 3] box units
    along,  # [B, R, 3] box units a metre
    edges,  # [B, R, S + 1] metres
    out,  # [B, R, C + CB + 1]
    rays,
    density_scale,
    warp_grid, coarse_grid, front_grid, top_grid, profile_grid, blend_grid,  # numbers a grid; or 0
    S: tl.constexpr,
    WD: tl.constexpr, WH: tl.constexpr, WW: tl.constexpr,
    KD: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr, KC: tl.constexpr,
    FH: tl.constexpr, FW: tl.constexpr,
    TH: tl.constexpr, TW: tl.constexpr,
    PH: tl.constexpr, PW: tl.constexpr,
    BH: tl.constexpr, BW: tl.constexpr,
    C: tl.constexpr, CB: tl.constexpr,
    C2: tl.constexpr, CB2: tl.constexpr,  # the same as powers of 2
    BLOCK: tl.constexpr,
):  # fmt: skip
    frame = tl.program_id(1)
    ray = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = ray < rays
    row = frame.to(tl.int64) * rays + ray
    channel, mixed = tl.arange(0, C2), tl.arange(0, CB2)
    known, known_mixed = live[:, None], live[:, None]  # alike along a texel: it is read at once
    if C < C2:
        known = known & (channel < C)[None, :]
    if CB < CB2:
        known_mixed = known_mixed & (mixed < CB)[None, :]
    warp += frame.to(tl.int64) * warp_grid
    coarse += frame.to(tl.int64) * coarse_grid
    front += frame.to(tl.int64) * front_grid
    top += frame.to(tl.int64) * top_grid
    profile += frame.to(tl.int64) * profile_grid
    blend += frame.to(tl.int64) * blend_grid
    ox, oy = tl.load(start + frame * 3), tl.load(start + frame * 3 + 1)
    oz = tl.load(start + frame * 3 + 2)
    ax = tl.load(along + row * 3, mask=live, other=0.0)
    ay = tl.load(along + row * 3 + 1, mask=live, other=0.0)
    az = tl.load(along + row * 3 + 2, mask=live, other=0.0)
    edge = edges + row * (S + 1)
    before = tl.load(edge, mask=live, other=0.0)
    last = tl.load(edge + S, mask=live, other=0.0)
    depth = tl.zeros([BLOCK], tl.float32)
    opacity = tl.zeros([BLOCK], tl.float32)
    features = tl.zeros([BLOCK, C2], tl.float32)
    blended = tl.zeros([BLOCK, CB2], tl.float32)
    hit = live & (last > before)  # of a ray that misses the box no texel is read
    read, read_mixed = known & hit[:, None], known_mixed & hit[:, None]
    for step in range(S):
        after = tl.load(edge + step + 1, mask=live, other=0.0)
        middle = 0.5 * (before + after)
        x, y, z = ox + middle * ax, oy + middle * ay, oz + middle * az
        i, fx = _cell(x, WW)
        j, fy = _cell(y, WH)
        k, fz = _cell(z, WD)
        x += _trilinear(warp, i, j, k, fx, fy, fz, hit, WH, WW, 3)
        y += _trilinear(warp + 1, i, j, k, fx, fy, fz, hit, WH, WW, 3)
        z += _trilinear(warp + 2, i, j, k, fx, fy, fz, hit, WH, WW, 3)
        i, fx = _cell(x, KW)
        j, fy = _cell(y, KH)
        k, fz = _cell(z, KD)
        logit = _trilinear(coarse, i, j, k, fx, fy, fz, hit, KH, KW, KC)
        sample = _bilinear(front, x, y, channel, read, FH, FW, C)
        sample += _bilinear(top, x, z, channel, read, TH, TW, C)
        sample += _bilinear(profile, y, z, channel, read, PH, PW, C)
        logit += tl.sum(tl.where(channel[None, :] == 0, sample, 0.0), 1)
        soft = tl.where(logit > 20.0, logit, tl.log(1.0 + tl.exp(tl.minimum(logit, 20.0))))
        passed = soft * density_scale * (after - before)
        weight = tl.exp(-depth) * (1.0 - tl.exp(-passed))
        depth += passed
        opacity += weight
        features += weight[:, None] * sample
        blended += weight[:, None] * _bilinear(blend, x, y, mixed, read_mixed, BH, BW, CB)
        before = after
    to = out + row * (C + CB + 1)
    tl.store(to[:, None] + channel[None, :], features, mask=known)
    tl.store(to[:, None] + C + mixed[None, :], blended, mask=known_mixed)
    tl.store(to + C + CB, opacity, mask=live)


def march(
    grids: list[Tensor],  # warp, coarse, front, top, profile, blend; any precision, G = B or 1
    start: Tensor,  # [B, 3]
    along: Tensor,  # [B, R, 3]
    edges: Tensor,  # [B, R, S + 1]
    density_scale: float,
) -> Tensor:  # [B, R, C + blend + 1]: accumulated features, and the opacity
    warp, coarse, front, top, profile, blend = grids = [grid.contiguous() for grid in grids]
    frames, rays, ends = edges.shape
    channels, mixed = front.shape[-1], blend.shape[-1]
    out = torch.empty(frames, rays, channels + mixed + 1, device=edges.device)
    strides = [grid[0].numel() if len(grid) > 1 else 0 for grid in grids]
    sizes: dict[str, Any] = {"S": ends - 1, "BLOCK": _BLOCK, "C": channels, "CB": mixed}
    sizes |= dict(zip(("WD", "WH", "WW"), warp.shape[1:4], strict=True))
    sizes |= dict(zip(("KD", "KH", "KW", "KC"), coarse.shape[1:], strict=True))
    for name, plane in (("F", front), ("T", top), ("P", profile), ("B", blend)):
        sizes |= {f"{name}H": plane.shape[1], f"{name}W": plane.shape[2]}
    sizes |= {"C2": triton.next_power_of_2(channels), "CB2": triton.next_power_of_2(mixed)}
    _kernel[triton.cdiv(rays, _BLOCK), frames](
        *grids, start.contiguous(), along.contiguous(), edges.contiguous(), out,
        rays, density_scale, *strides, **sizes, num_warps=_WARPS,
    )  # fmt: skip
    return out
