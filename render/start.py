"""What drawing on a CPU needs once in a program, before its first picture."""

from __future__ import annotations


def get_ready() -> None:
    """Has numba read its own library and our kernels; half a second, in which a call's first
    picture would not come.  On any thread, as often as one likes."""
    from render import enlarge_cpu, march_cpu, sampling_cpu  # noqa: F401  they import it
    from render.interpolate_cpu import nothing

    nothing()
