"""Studies with synthetic raters: what they meant comes out again, and those who guess are found."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from avatar.errors import FormatError, InputError
from bench.results import Results
from bench.study.agreement import agreement, fit_logistic, logistic
from bench.study.answers import read_choices, read_ratings
from bench.study.choices import bradley_terry
from bench.study.opinions import (
    agreed_videos,
    mean_opinions,
    rejected_subjects,
    z_scores,
)
from bench.study.pages import write_pages
from bench.study.stimuli import Stimulus, gather, read_key
from demo.cli import main
from tests.bench.conftest import pictures
from tests.bench.test_comparison import OURS, RIVAL

VIDEOS = 40


def raters(
    count: int, truth: np.ndarray, noise: float = 0.5, seed: int = 0, bias: float = 0.6
) -> np.ndarray:
    """Subjects who see the truth through noise, each with a severity and a spread of its own, on
    the scale 1..5."""
    rng = np.random.default_rng(seed)
    severity = rng.normal(0, bias, (count, 1))
    spread = rng.uniform(0.7, 1.2, (count, 1))
    seen = (
        3 + severity + spread * (truth - truth.mean()) + rng.normal(0, noise, (count, len(truth)))
    )
    return np.clip(np.round(seen), 1, 5)


TRUTH = np.linspace(1.5, 4.5, VIDEOS)


def test_opinions_follow_the_truth_whatever_the_raters_severity() -> None:
    found = mean_opinions(raters(20, TRUTH))
    assert found.kept.sum() >= 18 and found.agreed.sum() >= 36
    good = found.agreed
    assert np.corrcoef(found.score[good], TRUTH[good])[0, 1] > 0.98
    assert 0 <= np.nanmin(found.score) and np.nanmax(found.score) <= 100
    assert np.nanmean(found.score) == pytest.approx(50, abs=2)  # z = 0 is 50


def test_z_scores_take_severity_and_spread_away() -> None:
    ratings = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0], [1.0, 3.0, 5.0]])
    np.testing.assert_allclose(z_scores(ratings), [[-1, 0, 1]] * 3)
    with pytest.raises(InputError, match="subject 1 gave every video the same score"):
        z_scores(np.array([[1.0, 2.0], [3.0, 3.0]]))


def test_a_subject_who_guesses_is_rejected_and_no_other() -> None:
    rng = np.random.default_rng(7)
    ratings = raters(40, TRUTH, noise=0.35, bias=0.0)
    ratings[5] = rng.permutation(np.repeat([1.0, 5.0], VIDEOS // 2))
    out = rejected_subjects(ratings)
    assert out[5] and out.sum() == 1
    # One who is severe with all videos is no guesser: all scores lie on one side.
    severe = raters(40, TRUTH, noise=0.35, bias=0.0)
    severe[5] = np.clip(severe[5] - 2, 1, 5)
    assert not rejected_subjects(severe)[5]


def test_a_video_that_divides_people_is_set_aside() -> None:
    ratings = raters(20, TRUTH, noise=0.3)
    ratings[:, 12] = np.where(np.arange(20) % 2, 1, 5)
    agreed = agreed_videos(ratings)
    assert not agreed[12] and agreed.sum() >= VIDEOS - 3
    assert math.isnan(mean_opinions(ratings).score[12])


def test_too_few_say_nothing() -> None:
    with pytest.raises(InputError, match="are no study"):
        mean_opinions(np.ones((2, 10)))


def test_eq_6_is_found_again() -> None:
    x = np.linspace(20, 40, 30)
    eta = (90.0, 10.0, 31.0, 2.5)
    y = logistic(x, eta)
    assert logistic(np.array([31.0]), eta)[0] == pytest.approx(50)  # the middle of the two ends
    np.testing.assert_allclose(logistic(x, fit_logistic(x, y)), y, atol=1e-3)
    falling = logistic(x, (10.0, 90.0, 31.0, 2.5))
    np.testing.assert_allclose(logistic(x, fit_logistic(x, falling)), falling, atol=1e-3)


def test_a_metric_s_agreement() -> None:
    rng = np.random.default_rng(1)
    people = rng.uniform(10, 90, 60)
    perfect = agreement("exact", 30 + 0.1 * people, people)
    assert perfect.plcc > 0.999 and perfect.srcc == perfect.krcc == pytest.approx(1.0)
    less = agreement("falls", 1 - people / 100, people)  # less is better: no sign in the ranks
    assert less.srcc == pytest.approx(1.0) and less.plcc > 0.999
    blurred = agreement("blurred", people + rng.normal(0, 20, 60), people)
    blind = agreement("blind", rng.uniform(0, 1, 60), people)
    assert perfect.plcc > blurred.plcc > blind.plcc and perfect.rmse < blurred.rmse < blind.rmse
    # Ranks by hand: 1 of 6 pairs of (1, 2, 3, 4, 5) turned.
    turned = agreement("turned", np.array([1, 2, 4, 3, 5.0]), np.array([1, 2, 3, 4, 5.0]))
    assert turned.krcc == pytest.approx(0.8) and turned.srcc == pytest.approx(0.9)
    gaps = agreement("gaps", np.append(people, np.nan), np.append(people, 5.0))
    assert gaps.videos == 60
    with pytest.raises(InputError, match="say nothing about agreement"):
        agreement("flat", np.ones(10), people[:10])


def test_choices_give_the_strengths_that_made_them() -> None:
    strength = np.array([-1.0, 0.0, 1.0])
    chance = 1 / (1 + np.exp(strength[None] - strength[:, None]))
    wins = np.round(10_000 * chance)
    np.fill_diagonal(wins, 0)
    np.testing.assert_allclose(bradley_terry(wins), strength, atol=0.01)
    beaten = wins.copy()
    beaten[0] = 0
    with pytest.raises(InputError, match="won or lost every comparison"):
        bradley_terry(beaten)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    pytest.importorskip("imageio_ffmpeg")
    from bench.worker import _show

    found = Results(tmp_path / "results", create=True)
    shown = pictures(6)
    folder = found.clip_folder("a")
    folder.mkdir(parents=True)
    np.save(folder / "256.npy", shown)
    for record in [*OURS, *RIVAL]:
        found.write(record)
        _show(shown, 25.0, found.video(record))
    return found


def test_pages_hide_who_is_who(results: Results, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    stimuli = gather(results, pages)
    written = write_pages(stimuli, pages)
    assert written == ["opinion.html", "choice.html"] and read_key(pages) == stimuli
    assert len({one.name for one in stimuli}) == 6
    for name in written:
        text = (pages / name).read_text()
        assert "avatar" not in text and "vvc" not in text
        study = json.loads(re.findall(r"id=study>(.*?)</script>", text, re.S)[0])
        for trial in study["trials"]:
            for video in (trial["a"], trial.get("b"), trial["original"]):
                assert video is None or (pages / "videos" / f"{video}.mp4").is_file()
    choices = len([1 for s in stimuli for t in stimuli if s.codec < t.codec])
    assert len(study["trials"]) == choices == 12


def test_a_browser_takes_a_rater_through(results: Results, tmp_path: Path) -> None:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here: install Debian's chromium to run the tests of the pages")
    api = pytest.importorskip("playwright.sync_api")
    pages = tmp_path / "pages"
    stimuli = gather(results, pages)
    write_pages(stimuli, pages)
    complaints: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((pages / "choice.html").as_uri())
        page.fill("input", "no, <b>")
        page.click("text=Begin")
        assert page.is_visible("form")  # the name is refused
        page.fill("input", "rater-1")
        page.click("text=Begin")
        page.wait_for_function("document.querySelectorAll('video').length === 3")
        page.wait_for_function("[...document.querySelectorAll('video')].every(v => !v.paused)")
        for count in range(5):
            assert page.is_visible(f"text={count + 1} of 12")
            page.click("text=A is nearer")
        page.reload()  # closed, and gone on with
        page.fill("input", "rater-1")
        page.click("text=Begin")
        for count in range(5, 12):
            assert page.is_visible(f"text={count + 1} of 12")
            page.click("text=B is nearer")
        with page.expect_download() as saved:
            page.click("text=Save my answers")
        saved.value.save_as(tmp_path / "choice.csv")
        browser.close()
    assert complaints == []
    wins = read_choices([tmp_path / "choice.csv"], [one.name for one in stimuli])
    assert wins.sum() == 12


def test_a_whole_study_from_pages_to_agreement(
    results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = tmp_path / "pages"
    assert main(["bench", "study", str(results.folder), "-o", str(pages)]) == 0
    stimuli = read_key(pages)
    quality = {r.codec + f"{r.point:g}": r.figure("PSNR") for r in [*OURS, *RIVAL]}
    truth = np.array([quality[f"{s.codec}{s.point:g}"] for s in stimuli], float)
    ratings = raters(12, (truth - truth.mean()) / truth.std(), noise=0.3)
    files = []
    for subject, row in enumerate(ratings):
        path = tmp_path / f"opinion-{subject}.csv"
        lines = [f'"s{subject}",opinion,{s.name},,{int(r)},900' for s, r in zip(stimuli, row)]
        path.write_text("\n".join(["subject,kind,a,b,answer,ms", *lines]) + "\n")
        files.append(str(path))
    words = ["bench", "study", str(results.folder), "-o", str(pages), "--answers", *files]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "What people said" in shown and "12 subjects" in shown
    row = (pages / "agreement.csv").read_text().splitlines()[1].split(",")
    assert row[0] == "PSNR" and float(row[1]) > 0.9 and int(row[5]) >= 5


def test_answers_to_another_study_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    head = "subject,kind,a,b,answer,ms\n"
    path.write_text(head + '"s",opinion,v9,,3,1\n')
    with pytest.raises(FormatError, match="not of this study"):
        read_ratings([path], ["v1"])
    path.write_text(head + '"s",choice,v1,v2,v3,1\n')
    with pytest.raises(FormatError, match="no answer to v1 or v2"):
        read_choices([path], ["v1", "v2", "v3"])
    path.write_text(head + '"s",choice,v1,v2,v2,1\n')
    assert read_choices([path], ["v1", "v2"]).tolist() == [[0, 0], [1, 0]]
    with pytest.raises(InputError, match="nobody rated"):
        read_ratings([path], ["v1"])
    path.write_text("who,what\n")
    with pytest.raises(FormatError, match="no file of answers"):
        read_ratings([path], ["v1"])
    with pytest.raises(FormatError, match="holds no study"):
        read_key(tmp_path)


def test_a_run_without_videos_has_nothing_to_show(tmp_path: Path) -> None:
    empty = Results(tmp_path / "results", create=True)
    with pytest.raises(InputError, match="kept 0 videos"):
        gather(empty, tmp_path / "pages")


def test_stimuli_are_told_apart_by_clip_and_size() -> None:
    one = Stimulus("n", "a", 256, "vvc", 37.0, "o")
    assert one != Stimulus("n", "a", 128, "vvc", 37.0, "o")
