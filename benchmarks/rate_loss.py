"""What quantising costs in the picture: rates, and decibels below the states as they are.

    python -m benchmarks.rate_loss CLIP.track --avatar NAME.avatar --clip CLIP.mp4
        [--seconds 10] [--quality 1 2 4] [--price 0.115] [--size 256] [--every 2]

The track's last seconds are coded at 25 frames a second; every --every-th picture is drawn and
compared with what was filmed.  Rates count every byte of the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.call_loss import on_track
from benchmarks.judge import Judge
from codec.container import read_stream
from codec.face_codec import PacketSettings, encode_states
from codec.header import DIGEST, StreamHeader
from codec.stream_writer import stream_bytes
from service.sender import PACKETS


def main() -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("track", type=Path)
    parser.add_argument("--avatar", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--quality", nargs="+", type=float, default=[1.0, 2.0, 4.0])
    parser.add_argument("--price", nargs="+", type=float, default=[PACKETS.bit_price])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--every", type=int, default=2)
    options = parser.parse_args()
    states, statistics, shift = on_track(options.track, options.avatar, options.seconds)
    drawn = slice(None, None, options.every)
    times = states.time[drawn]
    judge = Judge(options.avatar, options.track, options.clip, times + shift, shift, options.size)
    best = judge.psnr(times, states.values[drawn]).mean()
    print(f"as they are: {best:.3f} dB", flush=True)
    for quality in options.quality:
        for price in options.price:
            header = StreamHeader(bytes(DIGEST), states.layout, quality=round(quality * 256))
            settings = PacketSettings(bit_price=price)
            packets = encode_states(states, statistics, header, settings)
            span = int(states.time[-1] - states.time[0])
            stream = read_stream(stream_bytes(header, packets, span), statistics)
            found = judge.psnr(times, stream.states.values[drawn]).mean()
            print(
                f"quality {quality:<4g} price {price:<5g} "
                f"{stream.summary()['payload_kbps']:.3f} kbps  {best - found:.3f} dB below",
                flush=True,
            )


if __name__ == "__main__":
    main()
