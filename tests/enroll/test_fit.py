"""The fit on a painted person: it learns, it is repeatable, it survives a kill."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from avatar.archive import avatar_bytes, parse_avatar
from avatar.avatar import Consent
from avatar.embedding import embed
from avatar.errors import InputError, MismatchError, VideoError
from avatar.morphable import FaceModel
from enroll import recorded
from enroll.checkpoint import load_checkpoint, save_checkpoint
from enroll.crops import Crops
from enroll.draw import DrawSettings
from enroll.finish import finished
from enroll.fit import Fit, FitSettings, fit
from enroll.initial_pictures import lips_of
from render.fields.settings import FieldSettings
from render.metrics import psnr
from render.person import SamplingSettings
from render.portrait import Portrait

CONSENT = Consent("self", "a test", "2026-01-01T00:00:00Z", "flag", "1")
SMALL = FitSettings(
    size=48,
    budget=None,
    steps=60,
    held_out=0.1,
    fields=FieldSettings(
        coarse=(12, 16, 16), plane=48, side=16, channels=8, blend=16, blend_channels=4,
        warp=(4, 8, 8), hidden=32, torso_plane=48, torso_channels=8, background=48,
    ),
    draw=DrawSettings(frames=4, head=160, behind=40),
    sampling=SamplingSettings(12, 6),
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted(painted):
    images, track = painted
    return fit(Crops(images, track.time), track, "Painted", CONSENT, SMALL)


def test_it_beats_a_still_picture_on_frames_it_has_not_seen(painted, fitted):
    images, _ = painted
    still = np.mean([psnr(frame, images[0]) for frame in images[-3:]])
    assert fitted.report["psnr"] > still + 1.0
    assert fitted.report["psnr"] > 22.0
    assert fitted.report["held_out_frames"] == 3 and fitted.report["steps"] == 60


def test_the_archive_renders_the_same_picture(painted, fitted):
    _, track = painted
    read = parse_avatar(avatar_bytes(fitted))
    row = fitted.statistics.mean
    before = Portrait(fitted, device="cpu").render(row, 48, 48)
    after = Portrait(read, device="cpu").render(row, 48, 48)
    assert psnr(before, after) > 40.0
    codes = embed(read.group("embedding"), track.expression)
    assert codes.shape == (len(track), 30) and codes[:, :3].std() > 0.01


def test_the_wall_behind_a_person_is_even_where_no_frame_shows_it(painted):
    images, track = painted
    run = Fit(Crops(images, track.time), track, FaceModel.load(), SMALL)
    with torch.no_grad():  # as hundreds of steps leave it
        run.person.background.plane.add_(0.1 * torch.randn(run.person.background.plane.shape))
    kept = run.person.background.plane[0].detach().numpy().copy()
    made = finished(run, "Painted", CONSENT, {"psnr_learned": 25.0})
    plane = made.tensors["fields.background.plane"][0]
    always = cv2.resize(track.mask.min(0), plane.shape[:2], interpolation=cv2.INTER_LINEAR)
    grain = np.abs(np.diff(plane, axis=1)).mean(-1)
    assert grain[always[:, 1:] > 200].mean() < 0.1 * np.abs(np.diff(kept, axis=1)).mean()
    np.testing.assert_array_equal(plane[always < 5], kept[always < 5])


def test_no_second_head_stands_behind_the_first(painted):
    images, track = painted
    lips = float(np.median(lips_of(track.box)))
    points = torch.tensor([[[0.5, v] for v in np.linspace(lips - 0.25, lips - 0.05, 9)]]).float()
    behind = []
    for weight in (0.0, 1.0):
        settings = replace(SMALL, ghost_weight=weight, rate_grids=0.2)
        run = Fit(Crops(images, track.time), track, FaceModel.load(), settings)
        torso = run.person.torso
        with torch.no_grad():
            first = torso.plane[0, ..., 0].clone()
            torso.plane[..., 0] = 1.0
        for step in range(40):
            run.step(step / 80)
        with torch.no_grad():
            drive = run.person.drive(run.states(torch.tensor([0]))[0])
            seen = torso(points, drive.torso, run.person.consistency(drive.motion))[1]
        behind.append(float(seen.mean()))
    assert behind[1] < 0.5 * behind[0]
    assert (first[: int(48 * lips) - 1] < -2.9).all() and first[-4:, 24].min() > 2.9  # at the start


def test_the_deformation_is_held_to_what_pictures_ask_for(painted):
    images, track = painted
    runs = []
    for weight in (0.0, 10.0):
        settings = replace(SMALL, warp_weight=weight, bend_weight=10 * weight)
        run = Fit(Crops(images, track.time), track, FaceModel.load(), settings)
        for step in range(40):
            run.step(step / 80)
        runs.append(run)
    free, held = (float(run.person.head.warp.detach().square().mean()) for run in runs)
    assert held < 0.7 * free


def test_some_frames_are_learned_as_they_are_tracked(painted):
    images, track = painted
    rows = torch.arange(12) % 5
    drawn = {}
    for share in (0.0, 0.5, 1.0):
        settings = replace(SMALL, as_tracked=share)
        run = Fit(Crops(images, track.time), track, FaceModel.load(), settings)
        with torch.no_grad():
            run.states.motion.weight.fill_(1.0)
            run.states.coefficients.weight.fill_(1.0)
            drawn[share] = run._batch(rows)[0]
            tracked, corrected = (run.states(rows, which)[0] for which in (False, True))
    assert torch.equal(drawn[0.0], corrected) and torch.equal(drawn[1.0], tracked)
    each = [torch.equal(a, b) for a, b in zip(drawn[0.5], tracked, strict=True)]
    assert 0 < sum(each) < len(rows)
    others = [row for row, same in enumerate(each) if not same]
    assert torch.equal(drawn[0.5][others], corrected[others])


def test_what_no_picture_tells_is_kept_even(painted):
    images, track = painted
    uneven = []
    for weight in (0.0, 1.0):
        run = Fit(
            Crops(images, track.time), track, FaceModel.load(), replace(SMALL, side_weight=weight)
        )
        for step in range(15):
            run.step(step / 30)
        uneven.append(float(run.person.head.profile.detach().diff(dim=1).square().mean()))
    assert uneven[1] < 0.8 * uneven[0]


def test_statistics_are_what_the_coder_needs(fitted):
    s = fitted.statistics
    width = fitted.layout.width
    assert s.mean.shape == s.scale.shape == s.step.shape == (width,)
    assert np.all(s.step > 0) and np.all(np.isfinite(s.step))
    # The head's place in the picture is felt far more than a gaze that never moved.
    place = fitted.layout.groups["translation"].start
    gaze = fitted.layout.groups["gaze"].start
    assert s.step[place] / s.scale[place] < s.step[gaze] / s.scale[gaze]
    assert s.history.dtype == np.int16 and s.history.shape == (30, width)


def test_a_killed_fit_goes_on_where_it_was(painted, tmp_path):
    from avatar.morphable import FaceModel

    images, track = painted
    crops, model = Crops(images, track.time), FaceModel.load()
    whole = Fit(crops, track, model, SMALL)
    first = Fit(crops, track, model, SMALL)
    for step in range(6):
        whole.step(step / 10)
    for step in range(3):
        first.step(step / 10)
    save_checkpoint(first, tmp_path / "x.checkpoint")
    second = Fit(crops, track, model, SMALL)
    load_checkpoint(second, tmp_path / "x.checkpoint")
    for step in range(3, 6):
        second.step(step / 10)
    for (name, ours), theirs in zip(
        second.person.state_dict().items(), whole.person.state_dict().values(), strict=True
    ):
        assert np.array_equal(ours.numpy(), theirs.numpy()), name
    for kept, theirs in zip(second.average.values(), whole.average.values(), strict=True):
        assert np.array_equal(kept.numpy(), theirs.numpy())


def test_a_checkpoint_of_another_fit_is_refused(painted, tmp_path):
    from avatar.morphable import FaceModel

    images, track = painted
    model = FaceModel.load()
    run = Fit(Crops(images, track.time), track, model, SMALL)
    save_checkpoint(run, tmp_path / "x.checkpoint")
    fewer = track.cut(slice(0, 20))
    other = Fit(Crops(images[:20], fewer.time), fewer, model, SMALL)
    with pytest.raises(InputError, match="another fit"):
        load_checkpoint(other, tmp_path / "x.checkpoint")
    (tmp_path / "x.checkpoint").write_bytes(b"PK\x03\x04 not one")
    with pytest.raises(InputError, match="cannot be read"):
        load_checkpoint(run, tmp_path / "x.checkpoint")


def test_it_goes_on_from_an_avatar(painted, fitted):
    images, track = painted
    crops, known = Crops(images, track.time), parse_avatar(avatar_bytes(fitted))
    few = replace(SMALL, steps=2)
    anew = fit(crops, track, "Painted", CONSENT, few)
    further = fit(crops, track, "Painted", CONSENT, few, start=known)
    assert further.report["psnr"] > anew.report["psnr"] + 1.0
    other = replace(track, identity=track.identity + 1)
    with pytest.raises(MismatchError, match="not made for the avatar"):
        fit(crops, other, "Painted", CONSENT, few, start=known)


def test_frames_without_a_face_are_not_learned_from(painted):
    images, track = painted
    lost = replace(track, confidence=np.zeros(len(track), np.float32))
    with pytest.raises(VideoError, match="no frame"):
        fit(Crops(images, track.time), lost, "Nobody", CONSENT, SMALL)


def captured_without_a_gpu(work, clear):
    """Runs it again in place of a graph, into the loss's parts and gradients of the first time."""
    step = work.__self__
    values = [*step._parameters, step._inputs[0]]
    parts = work()
    gradients = [value.grad for value in values]

    def replay():
        clear()
        for ours, value in zip(parts.values(), work().values(), strict=True):
            ours.copy_(value)
        for ours, value in zip(gradients, values, strict=True):
            if ours is not None:
                ours.copy_(value.grad)

    return replay, parts


def test_a_recorded_step_is_the_step(painted, monkeypatch):
    images, track = painted
    plain, quick = (
        Fit(Crops(images, track.time), track, FaceModel.load(), SMALL) for _ in range(2)
    )
    quick._may_record = True
    monkeypatch.setattr(recorded, "captured", captured_without_a_gpu)
    for step in range(5):
        ours, theirs = quick.step(step / 5), plain.step(step / 5)
        assert float(ours["fine"]) == pytest.approx(float(theirs["fine"]), rel=1e-4)
    assert quick._recorded is not None and plain._recorded is None
    for ours, theirs in zip(quick.person.parameters(), plain.person.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)
    for ours, theirs in zip(quick.states.parameters(), plain.states.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("fault", ["raises", "stale"])
def test_a_step_that_cannot_be_recorded_is_made_as_it_is(painted, monkeypatch, caplog, fault):
    images, track = painted

    def broken(work, clear):
        if fault == "raises":
            raise RuntimeError("operation not permitted when stream is capturing")
        return (lambda: None), work()  # a graph that never runs: gradients of the first batch

    monkeypatch.setattr(recorded, "captured", broken)
    fit_ = Fit(Crops(images, track.time), track, FaceModel.load(), SMALL)
    fit_._may_record = True
    before = [p.clone() for p in fit_.person.parameters()]
    for step in range(5):
        fit_.step(step / 5)
    assert fit_._recorded is None and len(caplog.records) == 1
    assert "not recorded as a CUDA graph" in caplog.text
    assert any(not torch.equal(a, b) for a, b in zip(before, fit_.person.parameters()))


def test_a_track_of_another_video_is_refused(painted):
    images, track = painted
    with pytest.raises(InputError, match="same frames"):
        fit(Crops(images, track.time + 1), track, "Other", CONSENT, SMALL)
