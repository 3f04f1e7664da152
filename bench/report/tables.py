"""The tables of a report, from a run's records."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.accounting import CARRIAGES
from bench.codecs import codecs
from bench.comparison import CALLS, Board, boards, distances, equal_quality, paybacks
from bench.curves import LEAST_OVERLAP
from bench.metrics.registry import metrics
from bench.metrics.tradeoff import tradeoff
from bench.report.table import Table
from bench.results import FAILED, OK, SKIPPED, Record

OURS = "avatar"
FIELDS = "avatar-order0"  # the same, by the coder that the field uses
FIRST_FIGURES = (
    ("PSNR", "whole"), ("PSNR", "face"), ("SSIM", "whole"), ("MS-SSIM", "face"), ("VMAF", "whole"),
    ("LPIPS", "whole"), ("DISTS", "whole"), ("CSIM", "whole"), ("AKD", "whole"),
    ("PRMSE", "whole"), ("AUCON", "whole"), ("JITTER", "whole"), ("SEAM", "whole"),
    ("LOST", "whole"),
)  # fmt: skip
EQUAL_FIGURES = (("MS-SSIM", "face"), ("VMAF", "whole"), ("CSIM", "whole"))
SEED = 20  # of the bootstrap, so that a report can be repeated


def measured_pairs(records: Sequence[Record]) -> list[tuple[str, str]]:
    """(metric, region) with a figure somewhere, the usual ones first."""
    there = dict.fromkeys(
        (one.metric, one.region)
        for record in records
        if record.state == OK
        for one in record.figures
        if not one.needs
    )
    first = [pair for pair in FIRST_FIGURES if pair in there]
    return first + [pair for pair in there if pair not in first]


def points_table(records: Sequence[Record]) -> Table:
    """Every point with its rate and the usual figures."""
    pairs = [pair for pair in measured_pairs(records) if pair in FIRST_FIGURES]
    columns = {"clip": "", "size": "d", "codec": "", "point": "g", "kbit/s": ".2f"}
    columns |= {_heading(*pair): _form(*pair) for pair in pairs}
    rows = []
    for r in _sorted(records):
        kbps = r.kbps if r.counts else math.nan
        figures = [r.figure(*pair) for pair in pairs]
        rows.append([r.clip, r.size, r.codec, r.point, kbps, *figures])
    return Table("points", "Every operating point", columns, rows)


def cost_table(records: Sequence[Record]) -> Table:
    """Bytes by part, on the wire, and time."""
    columns = {
        "clip": "", "size": "d", "codec": "", "point": "g", "bytes": "d", "parts": "",
        "kbit/s": ".2f", "on the wire": ".2f", "encode ms/frame": ".1f", "decode ms/frame": ".1f",
        "decode kMAC/pixel": ".1f", "mJ/frame": ".1f",
    }  # fmt: skip
    rows = []
    for r in _sorted(records):
        if not r.counts:
            continue
        account = r.account
        parts = ", ".join(f"{name} {size}" for name, size in account.parts.items())
        times = [
            None if t is None else 1000 * t / r.frames for t in (r.encode_seconds, r.decode_seconds)
        ]
        wire = account.wire_kbps(CARRIAGES["srtp"])
        rows.append(
            [
                r.clip,
                r.size,
                r.codec,
                r.point,
                account.payload,
                parts,
                account.kbps,
                wire,
                *times,
                r.kmac,
                None if r.joules is None else 1000 * r.joules / r.frames,
            ]
        )
    notes = (
        f"On the wire: {CARRIAGES['srtp'].name}, one packet a coded frame, with the file's bytes; "
        "a live call's packets are coded apart (avatar-call).",
        f"Times are of one process with one thread, on a machine with other work "
        f"({_machine(records)}): only their ratios within a run say something.  The avatar's "
        "encoding time has its share of tracking and refinement, done once for all points.",
        "kMAC: of networks, not of look-ups in grids, and not counted for classic codecs. mJ: what "
        "the whole machine used while coding and decoding, where it tells.",
    )
    return Table("cost", "What each point costs", columns, rows, notes)


def equal_tables(records: Sequence[Record]) -> list[Table]:
    """Rates at equal quality, one table a metric."""
    found = []
    for metric, region in EQUAL_FIGURES:
        rows = [
            [e.clip, e.size, e.point, e.kbps, e.quality, e.rival, e.rival_kbps, e.ratio, e.remark]
            for board in boards(records, metric, region)
            for e in equal_quality(board, OURS, _rivals(board))
        ]
        if rows:
            columns = {
                "clip": "", "size": "d", "ours": "", "kbit/s": ".2f", _heading(metric, region):
                _form(metric, region), "rival's hull": "", "its kbit/s": ".2f",
                "ours / its": ".2f", "remark": "",
            }  # fmt: skip
            title = f"Rate at equal {_heading(metric, region)}"
            found.append(Table(f"equal-{metric}-{region}".lower(), title, columns, rows))
    return found


def coder_table(records: Sequence[Record]) -> Table:
    """What the entropy coder saves: the same states at the same step by ours and by the field's."""
    kept = {(r.clip, r.size, r.codec, r.point): r for r in records if r.state == OK}
    rows = []
    for (clip, size, codec, point), theirs in kept.items():
        ours = kept.get((clip, size, OURS, point))
        if codec == FIELDS and ours:
            saved = 100 * (1 - ours.kbps / theirs.kbps)
            quality = [r.figure("PSNR", "face") for r in (ours, theirs)]
            rows.append([clip, size, point, ours.kbps, theirs.kbps, saved, *quality])
    columns = {"clip": "", "size": "d", "step": "g", "ours, kbit/s": ".2f", "theirs, kbit/s": ".2f"}
    columns |= {"saved, %": ".0f", "PSNR face, ours": ".2f", "theirs": ".2f"}
    notes = ("Theirs: zero-order Exp-Golomb and an adaptive coder of order 0, a file a frame.",)
    return Table("coder", "What the entropy coder saves", columns, rows, notes)


def distance_table(records: Sequence[Record], anchor: str) -> Table:
    """BD-rate of every hull against the anchor's."""
    generator = np.random.default_rng(SEED)
    rows = []
    clips = sorted({r.clip for r in records})
    for size in sorted({r.size for r in records}):
        for metric, region in measured_pairs(records):
            judged = [b for b in boards(records, metric, region) if b.size == size]
            if not any(anchor in b.hulls for b in judged):
                continue
            for d in distances(judged, anchor, generator):
                if max(_measured(b, d.test) for b in judged) < 2:
                    continue  # one point, wherever it was run, is on no curve
                over = (
                    f"{d.over.mean:+.1f} [{d.over.low:+.1f}, {d.over.high:+.1f}]"
                    if d.over
                    else None
                )
                known = [d.clips.get(clip) for clip in clips]
                remark = "; ".join(d.remarks)
                rows.append([_heading(metric, region), size, d.test, *known, over, remark])
    columns = {"metric": "", "size": "d", "hull": ""} | dict.fromkeys(clips, "+.1f")
    columns |= {"mean and 95 % interval": "", "remark": ""}
    title = f"BD-rate against the hull of {anchor}, per cent (below 0: fewer bits)"
    notes = (
        f"Overlap: of the quality that the two hulls cover together.  Below {LEAST_OVERLAP:.0%} of "
        "it, which is when it is named, a distance says little.  Nothing is extrapolated.",
    )
    return Table("bd-rate", title, columns, rows, notes)


def payback_table(records: Sequence[Record]) -> Table:
    """When the avatar's download is paid back."""
    rows = []
    for board in boards(records, "MS-SSIM", "face"):
        for p in paybacks(records, equal_quality(board, OURS, _rivals(board))):
            rows.append(
                [
                    p.clip, p.size, p.point, p.kbps, p.archive / 1e6, *p.amortised.values(),
                    p.rival, p.rival_kbps, p.seconds / 60, p.remark,
                ]
            )  # fmt: skip
    columns = {"clip": "", "size": "d", "ours": "", "kbit/s": ".2f", "avatar, MB": ".2f"}
    columns |= {f"kbit/s over {name}": ".1f" for name in CALLS}
    columns |= {"rival's hull": "", "its kbit/s": ".2f", "paid back after, min": ".1f"}
    columns |= {"remark": ""}
    notes = (
        "At equal MS-SSIM on the face, or against the rival's cheapest point where that is better. "
        " The download counts once, before the first call.",
    )
    return Table("payback", "The avatar's download against what it saves", columns, rows, notes)


def tradeoff_table(records: Sequence[Record]) -> Table:
    """003's trade-offs."""
    known = metrics()
    pairs = [("SSIM", "whole"), ("PSNR", "whole"), ("CSIM", "whole"), ("AUCON", "whole")]
    pairs += [("LPIPS", "whole"), ("PRMSE", "whole")]
    there = [pair for pair in pairs if pair in measured_pairs(records)]
    columns = {"clip": "", "size": "d", "codec": "", "point": "g", "kbit/s": ".2f"}
    rising = [known[m].rising for m, _ in there]
    columns |= {
        f"{m}/b.r." if up else f"{m} x b.r.": ".4g"
        for (m, _), up in zip(there, rising, strict=True)
    }
    rows = []
    for r in _sorted(records):
        if not r.counts:
            continue
        figures = [r.figure(*pair) for pair in there]
        ratios = [
            None if q is None else tradeoff(q, r.kbps, up)
            for q, up in zip(figures, rising, strict=True)
        ]
        rows.append([r.clip, r.size, r.codec, r.point, r.kbps, *ratios])
    notes = ("They reward whatever is cheap: read them beside the curves.",)
    return Table("tradeoff", "Trade-offs as in 003's Tables 1 and 2", columns, rows, notes)


def _machine(records: Sequence[Record]) -> str:
    """What the speeds were taken on."""
    found = [r.machine for r in records if r.state == OK and r.machine]
    if not found:
        return "not known"
    loads = [m["load"] for m in found if "load" in m]
    busy = f", load {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    return f"{found[0].get('cores', '?')} cores, {found[0].get('processor', '?')}{busy}"


def settings_table(records: Sequence[Record]) -> Table:
    """How each codec was run."""
    seen: dict[tuple[str, str], str] = {}
    for r in records:
        if r.state == OK:
            seen.setdefault((r.codec, r.title), r.settings)
    rows = [[codec, title, settings] for (codec, title), settings in seen.items()]
    return Table(
        "settings", "Settings (at one of the points)",
        {"codec": "", "title": "", "settings": ""}, rows,
    )  # fmt: skip


def absent_table(records: Sequence[Record]) -> Table:
    """What is not in the tables above, and why: codecs that failed, were skipped or are not to be
    had here, and metrics."""
    found: dict[tuple[str, str], int] = {}
    for r in records:
        if r.state in (FAILED, SKIPPED):
            last = r.reason.strip().splitlines()[-1] if r.reason.strip() else r.state
            key = (f"{r.codec}, {r.state}", last)
            found[key] = found.get(key, 0) + 1
        for one in r.figures:
            if one.needs:
                key = (f"{one.metric} {one.region}", one.needs)
                found[key] = found.get(key, 0) + 1
    measured = {one.metric for r in records for one in r.figures}
    for name, metric in metrics().items():
        if name not in measured:
            why = metric.missing() or "not asked for in this run"
            found[(name, why)] = 0
    run = {r.codec for r in records}
    for name, codec in codecs().items():
        if name not in run and (needs := codec.missing()):
            found[(f"{name}: {codec.title}", needs)] = 0
    rows = [[what, why, count or None] for (what, why), count in found.items()]
    return Table(
        "absent", "Not computed", {"what": "", "why": "", "points": "d"}, rows,
        ("Nothing takes the place of what is missing.",),
    )  # fmt: skip


def all_tables(records: Sequence[Record], anchor: str = "vvc") -> list[Table]:
    """In the order of the page; those without a row are left out."""
    tables = [
        *equal_tables(records), coder_table(records), payback_table(records),
        distance_table(records, anchor),
        points_table(records), cost_table(records), tradeoff_table(records),
        settings_table(records), absent_table(records),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def shown_boards(records: Sequence[Record]) -> list[tuple[str, str, int, list[Board]]]:
    """(metric, region, size, boards) of every figure to draw; what is the same for all codecs, as
    faces lost by none, needs none."""
    found = []
    for metric, region in measured_pairs(records):
        every = boards(records, metric, region)
        for size in sorted({board.size for board in every}):
            judged = [b for b in every if b.size == size and b.curves]
            values = [q for b in judged for c in b.curves.values() for q in c.qualities]
            if judged and np.ptp(values) > 0:
                found.append((metric, region, size, judged))
    return found


def _measured(board: Board, family: str) -> int:
    """How many points of a family were run."""
    return sum(
        len(curve.points) for name, curve in board.curves.items() if board.families[name] == family
    )


def _rivals(board: Board) -> list[str]:
    """What is not ours by another name."""
    return [name for name in board.hulls if not name.startswith(OURS)]


def _sorted(records: Sequence[Record]) -> list[Record]:
    kept = [r for r in records if r.state == OK]
    return sorted(
        kept, key=lambda r: (r.clip, r.size, r.family != OURS, r.family, r.codec, _rate(r))
    )


def _rate(record: Record) -> float:
    return record.kbps if record.counts else 0.0


def _heading(metric: str, region: str) -> str:
    return metric if region == "whole" else f"{metric} {region}"


def _form(metric: str, region: str) -> str:
    return ".4f" if metric in ("L1", "SSIM", "MS-SSIM", "GMSD", "CSIM", "LPIPS", "DISTS") else ".2f"
