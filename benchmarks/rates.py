"""Bits against pictures: what ten seconds and more cost, and what quantising them takes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench.figure import Figure
from benchmarks.lab import QUALITY, Lab, number

FINEST = "1000"  # kbps: more than any stream needs, so the finest quantiser of the format
BOUNDS = ((1.5, 0.1), (0.8, 0.5))  # kbit/s, and the dB that may be lost at that rate


def rate(lab: Lab, clip: str) -> Iterator[Figure]:
    """Rate of the last 10 s at 25 fps, and what quantisation costs there."""
    who = lab.enrolled(clip, "10s")
    stream, fine = lab.stream(who, "--fps=25"), lab.stream(who, "--fps=25", f"--kbps={FINEST}")
    facts, name = lab.info(stream), f"rate {Path(clip).stem}"
    yield Figure(
        name,
        "payload_kbps",
        number(facts["payload_kbps"]),
        "kbit/s",
        2.5,
        "at most",
        f"{facts['frames']} frames, {facts['duration_s']:.2f} s, header {facts['header_bytes']} B",
    )
    coded = lab.compared(who, stream, lab.video(who, stream, 256))
    plain = lab.compared(who, fine, lab.video(who, fine, 256))
    loss = number(plain["psnr"]) - number(coded["psnr"])
    note = f"against the finest quantiser, {number(lab.info(fine)['payload_kbps']):.1f} kbit/s"
    yield Figure(name, "psnr lost by quantising", loss, "dB", 0.3, "at most", note)
    for key in QUALITY:
        yield Figure(name, key, number(coded[key]), "dB" if "psnr" in key else "", note="coded")


def bounded(lab: Lab, clip: str, protocol: str) -> Iterator[Figure]:
    """What is lost below two rates against states that are hardly quantised."""
    who = lab.enrolled(clip, protocol)
    fine = lab.stream(who, "--fps=25", f"--kbps={FINEST}")
    best = number(lab.compared(who, fine, lab.video(who, fine, 256))["psnr"])
    name = f"bits {Path(clip).stem}"
    for bound, loss in BOUNDS:
        stream = lab.stream(who, "--fps=25", f"--kbps={bound}")
        facts = lab.info(stream)
        sent = round(
            number(facts["payload_kbps"]), 6
        )  # bytes over seconds: 1.5 is 1.5000000000000002
        yield Figure(name, f"payload asked for below {bound}", sent, "kbit/s", bound, "at most")
        found = number(lab.compared(who, stream, lab.video(who, stream, 256))["psnr"])
        note = f"{found:.2f} of {best:.2f} dB, {facts['sent_frames']} of {facts['frames']} frames"
        yield Figure(
            name, f"psnr lost below {bound} kbit/s", best - found, "dB", loss, "at most", note
        )


RATES: dict[str, Callable[[Lab], Iterator[Figure]]] = {
    "rate-podium": lambda lab: rate(lab, "podium.mp4"),
    "rate-newsdesk": lambda lab: rate(lab, "newsdesk.mp4"),
    "bits-podium": lambda lab: bounded(lab, "podium.mp4", "10s"),
    "bits-newsdesk": lambda lab: bounded(lab, "newsdesk.mp4", "10s"),
    "bits-talk": lambda lab: bounded(lab, "talk_a.mp4", "talk_b.mp4"),
}
