"""What one member may have passed on."""

from service.calls.allowance import Allowance, AllowanceSettings


def test_a_burst_passes_then_the_rate_does():
    one = Allowance(AllowanceSettings(rate=1000.0, burst=3000.0, largest=500))
    assert sum(one.take(0.0, 500) for _ in range(20)) == 6
    assert sum(one.take(1.0 + n / 100, 100) for n in range(100)) == 19  # 1990 bytes came in by then
    assert one.take(100.0, 500) and not one.take(100.0, 501)


def test_a_face_passes_with_its_key_frames():
    one = Allowance()
    assert all(one.take(n / 25, 1190 if n % 250 < 8 else 90) for n in range(5000))
