"""Tables of the papers that this project follows, for a report to show beside its own rows.

001: multi-granularity temporal trajectory factorization (MTTF).  002: the survey of generative
face video coding.  003: resolution-agnostic compression by implicit radiance fields.  Their clips
are other clips, their networks' metrics need weights, and 003's rate follows from its ratios.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from bench.report.beside import with_distances, with_networks, with_points
from bench.report.table import Table
from bench.results import Record

_POINTS = ("paper-003-1-2", "paper-003-3", "paper-001-5")
_DISTANCES = ("paper-001-2", "paper-001-4", "paper-002-2", "paper-002-4")


def published_beside(records: Sequence[Record]) -> list[Table]:
    """The papers' tables with our own rows where we have figures of the same name."""
    found = []
    for table in published_tables():
        if table.name in _POINTS:
            table = with_points(table, records)
        elif table.name in _DISTANCES:
            table = with_distances(table, records)
        elif table.name == "paper-002-7" and find_spec("torch"):
            table = with_networks(table)
        found.append(table)
    return found


def published_tables() -> list[Table]:
    """003's Tables 1 to 3, 001's II, IV and V, 002's 2 to 4 and 7."""
    return [
        Table(
            "paper-003-1-2",
            "003, Tables 1 and 2: quality, fidelity and trade-offs on HDTF",
            {"method": ""}
            | {"kbit/s": ".1f", "L1": ".3f", "SSIM": ".3f", "PSNR": ".2f", "LPIPS": ".3f"}
            | {"CSIM": ".3f", "AUCON": ".3f", "PRMSE": ".2f"},
            [
                ["FOMM", 24.37 / 1.41, 0.038, 0.77, 24.37, 0.12, 0.829, 0.856, 2.79],
                ["Bi-layer", 15.88 / 0.41, 0.23, 0.55, 15.88, 0.44, 0.518, 0.626, 4.86],
                ["HEVC", 28.83 / 2.22, 0.019, 0.89, 28.83, 0.091, None, None, None],
                ["003", 29.97 / 1.144, 0.014, 0.95, 29.97, 0.048, 0.956, 0.989, 1.21],
                ["003, fine-tuned", 30.85 / 2.55, 0.015, 0.934, 30.85, 0.05, 0.945, 0.967, 1.29],
            ],
            (
                "kbit/s: PSNR divided by the table's PSNR/b.r. CSIM, AUCON and PRMSE are of other "
                "networks and units than ours: not to be equated.",
            ),
        ),
        Table(
            "paper-003-3",
            "003, Table 3: with and without the consistency constraint",
            {"setting": "", "L1": ".3f", "SSIM": ".3f", "PSNR": ".2f", "LPIPS": ".2f"}
            | {"CSIM": ".3f", "AUCON": ".3f", "PRMSE": ".2f"},
            [
                ["without", 0.019, 0.91, 28.68, 0.06, 0.94, 0.958, 1.31],
                ["with", 0.015, 0.934, 30.85, 0.05, 0.945, 0.967, 1.29],
            ],
        ),
        _distances(
            "001-2", "001, Table II: BD-rate against VVC, talking faces, 256x256",
            ("DISTS", "LPIPS", "FVD"),
            [
                ["MRAA", -48.75, -50.61, -55.51],
                ["TPSM", -35.33, -36.27, -42.17],
                ["CFTE", -59.93, -58.49, -62.30],
                ["LIA", -62.21, -61.36, -67.01],
                ["MTTF, one resolution", -64.24, -65.82, -69.14],
                ["MTTF, several", -67.98, -68.72, -70.83],
            ],
        ),
        _distances(
            "001-4", "001, Table IV: MTTF's BD-rate against VVC by resolution",
            ("DISTS", "LPIPS", "FVD"),
            [
                ["128x128", -63.57, -63.15, -65.11],
                ["256x256", -67.98, -68.72, -70.83],
                ["512x512", -69.32, -60.79, -72.42],
            ],
        ),
        Table(
            "paper-001-5",
            "001, Table V: at similar rates, with the share of people who preferred MTTF",
            {"method": "", "kbit/s": ".2f", "DISTS": ".2f", "LPIPS": ".2f", "FVD": ".2f"}
            | {"PSNR": ".2f", "preferred MTTF, %": ".1f"},
            [
                ["VVC", 4.85, 0.32, 0.49, 2345.29, 23.63, 100.0],
                ["MRAA", 4.20, 0.20, 0.32, 784.82, 24.15, 92.5],
                ["TPSM", 4.74, 0.24, 0.38, 1079.12, 22.70, 95.0],
                ["CFTE", 4.29, 0.20, 0.31, 850.03, 23.10, 94.0],
                ["LIA", 4.34, 0.15, 0.26, 467.19, 23.99, 64.5],
                ["MTTF", 4.21, 0.14, 0.23, 390.17, 24.74, None],
            ],
        ),
        _distances(
            "002-2", "002, Table 2: BD-rate against VVC, 256x256", ("DISTS", "LPIPS"),
            [
                ["FOMM", -44.71, -41.10],
                ["CFTE", -55.56, -49.39],
                ["FV2V", -52.33, -46.51],
                ["DAC", -66.99, -65.73],
                ["TPS", -15.37, -11.40],
            ],
        ),
        _distances(
            "002-3", "002, Table 3: BD-rate against VVC, 512x512", ("DISTS", "LPIPS"),
            [
                ["FOMM", -39.27, -12.36],
                ["CFTE", -64.00, -47.34],
                ["FV2V", -66.16, -52.67],
                ["DAC", -70.56, -65.77],
                ["TPS", -41.07, -28.54],
            ],
        ),
        _distances(
            "002-4", "002, Table 4: BD-rate of three strategies against VVC", ("DISTS", "LPIPS"),
            [
                ["HDAC", -11.14, -17.39],
                ["RDAC", -26.43, -5.53],
                ["MRDAC", -28.13, -29.14],
            ],
            "Its heading says 512x512, its text 256x256.",
        ),
        Table(
            "paper-002-7",
            "002, Table 7: size and cost of CFTE",
            {"model": "", "parameters, M": ".2f", "encoder, kMAC/pixel": ".2f"}
            | {"decoder, kMAC/pixel": ".2f"},
            [["original", 58.03, 15.10, 836.90], ["lightweight", 5.60, 0.82, 124.96]],
        ),
    ]  # fmt: skip


def _distances(
    name: str, title: str, metrics: tuple[str, ...], rows: list[list[object]], note: str = ""
) -> Table:
    columns = {"method": ""} | dict.fromkeys(metrics, "+.2f")
    return Table(f"paper-{name}", title + ", per cent", columns, rows, (note,) if note else ())
