"""From `facewire serve` to its first page: seconds, with workers and pages as they come.

    python -m benchmarks.first_page [--runs 3]

The database and the master key are new each time, as on the first day.
"""

from __future__ import annotations

import argparse
import tempfile
import time

from benchmarks.serving import machine, served


def first_page() -> float:
    import httpx

    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as data, served(data, pages=1, workers=1) as (base, _):
        httpx.get(base, timeout=60, follow_redirects=True).raise_for_status()
        return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=3)
    runs = [first_page() for _ in range(parser.parse_args().runs)]
    print(" ".join(f"{seconds:.1f}" for seconds in runs), f"s; {machine()}")


if __name__ == "__main__":
    main()
