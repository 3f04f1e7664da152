import numpy as np
import pytest

from enroll.smooth import KalmanFilter, Motion


def motion(noise: float, drive: float, count: int = 1) -> Motion:
    return Motion(np.full(count, noise), np.full(count, drive))


def test_smoother_is_the_most_probable_path():
    """Against the same model solved at once, as one least-squares problem."""
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.02, 0.06, 12))
    measured = rng.normal(size=(12, 1)) * 0.01
    noise, drive = 0.02, 0.5
    count = len(time)
    information = np.zeros((2 * count, 2 * count))
    right = np.zeros(2 * count)
    start = np.diag([1 / noise**2, 1 / (0.25 * drive**2)])
    information[:2, :2] += start
    right[:2] += start @ [measured[0, 0], 0]
    for k in range(1, count):
        dt = time[k] - time[k - 1]
        q = drive**2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        step = np.hstack([-np.array([[1, dt], [0, 1]]), np.eye(2)])
        at = slice(2 * k - 2, 2 * k + 2)
        information[at, at] += step.T @ np.linalg.inv(q) @ step
        information[2 * k, 2 * k] += 1 / noise**2
        right[2 * k] += measured[k, 0] / noise**2
    want = np.linalg.solve(information, right)[::2]
    got = KalmanFilter(motion(noise, drive)).smooth(time, measured)[:, 0]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)


def test_noise_goes_and_motion_stays_without_lag():
    rng = np.random.default_rng(1)
    time = np.arange(300) / 30
    truth = np.stack([0.1 * np.sin(2 * np.pi * 0.7 * time), 0.05 * np.cos(time)], axis=1)
    measured = truth + rng.normal(size=truth.shape) * 0.004
    got = KalmanFilter(motion(0.004, 1.5, 2)).smooth(time, measured)
    error = got - truth
    assert error.std() < 0.65 * 0.004
    lags = [np.mean(np.roll(truth, k, axis=0)[5:-5] * got[5:-5]) for k in (-1, 0, 1)]
    assert np.argmax(lags) == 1


def test_causal_and_offline_differ_by_less_than_the_noise():
    rng = np.random.default_rng(2)
    time = np.arange(200) / 30
    truth = 0.1 * np.sin(2 * np.pi * 0.5 * time)[:, None]
    measured = truth + rng.normal(size=truth.shape) * 0.004
    kalman = KalmanFilter(motion(0.004, 1.5))
    causal = np.array([kalman.step(t, m) for t, m in zip(time, measured)])
    offline = kalman.smooth(time, measured)
    assert np.sqrt(np.mean((causal - offline)[5:] ** 2)) < 0.004
    assert np.sqrt(np.mean((causal - truth)[5:] ** 2)) < 0.005


def test_a_blink_is_not_smeared():
    time = np.arange(60) / 30
    opening = np.ones((60, 1))
    opening[30:33] = 0.1
    got = KalmanFilter(motion(0.03, 2.0)).smooth(time, opening)
    assert got[31, 0] < 0.25
    assert got[27, 0] > 0.85 and got[35, 0] > 0.85


def test_after_reset_the_past_is_forgotten():
    kalman = KalmanFilter(motion(0.01, 1.0))
    for k in range(20):
        kalman.step(k / 30, np.array([0.0]))
    kalman.reset()
    assert kalman.step(1.0, np.array([5.0]))[0] == pytest.approx(5.0)
