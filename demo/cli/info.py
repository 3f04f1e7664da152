"""facewire info"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from avatar.errors import InputError
from demo.cli.paths import input_file, output_file

HELP = "say what is in an avatar, a coded call or a track, or which avatar a video shows"
EXAMPLE = "facewire info call.fw --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=".avatar, .fw, .track or a video")
    parser.add_argument("--json", action="store_true", help="for a program to read")
    parser.add_argument("--mesh", metavar="OUT.glb", help="write the tracked head as a 3D model")
    parser.add_argument(
        "--frame", type=int, default=0, metavar="N", help="of the track, for --mesh"
    )


def run(arguments: argparse.Namespace) -> None:
    path = input_file(arguments.file, "file")
    suffix = path.suffix.lower()
    mesh = output_file(arguments.mesh, ".glb", inputs=(path,)) if arguments.mesh else None
    if mesh and suffix not in (".avatar", ".track"):
        raise InputError(f"{path} has no mesh in it", "Give the .track, or the .avatar.")
    facts = {".avatar": _avatar, ".fw": _stream, ".track": _track}.get(suffix, _video)(path)
    if mesh:
        _write_mesh(path, mesh, arguments.frame)
        facts["mesh"] = str(mesh)
    if arguments.json:
        json.dump(facts, sys.stdout, indent=2)
        print()
    else:
        _show(facts)


def _avatar(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from avatar.archive import read_avatar, stored_version

    avatar = read_avatar(path)
    return {
        "size_bytes": path.stat().st_size,
        "name": avatar.name,
        "digest": avatar.digest,
        "version": stored_version(path.read_bytes()),
        "created": avatar.created,
        "signer": avatar.signer or "none",
        "consent": asdict(avatar.consent),
        "report": avatar.report,
    }


def _stream(path: Path) -> dict[str, Any]:
    from service.receiver import open_stream

    return open_stream(path).summary()


def _track(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from avatar.track_file import read_track

    track = read_track(path)
    span = float(track.time[-1] - track.time[0]) / 1e6 if len(track) else 0.0
    return {
        "frames": len(track),
        "frames_with_face": int((track.confidence > 0).sum()),
        "duration_s": span,
        "fps": (len(track) - 1) / span if span > 0 else None,
        "focal": track.camera.focal,
        "window": asdict(track.window),
    }


def _video(path: Path) -> dict[str, Any]:
    """Of any other file: what a video's watermark says."""
    from service.watermark.payload import NO_AVATAR
    from service.watermark.video import read_watermark

    found = read_watermark(path)
    avatar = "none, by the fallback" if found.prefix == NO_AVATAR else found.prefix
    return {
        "watermark": found.prefix is not None,
        "avatar": avatar or "none found",
        "clarity": found.clarity,
        "seconds_read": found.seconds,
    }


def _write_mesh(path: Path, target: Path, frame: int) -> None:
    from service.head_model import expression_of, rest, write_head

    if path.suffix.lower() == ".avatar":
        from avatar.archive import read_avatar

        write_head(target, read_avatar(path).identity, rest())
        return
    from avatar.track_file import read_track

    track = read_track(path)
    write_head(target, track.identity, expression_of(track, frame))


def _show(facts: dict[str, Any], indent: str = "") -> None:
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _show(value, indent + "  ")
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"{indent}{name:<{max(20 - len(indent), len(name) + 1)}}{shown}")
