"""Pages on which people rate or choose: plain HTML and script, opened from a folder or a server.

Nothing is sent anywhere: at the end a file of answers is saved, which `bench.study.answers` reads.
The order is drawn from the subject's name, so that a page that was closed can be gone on with.
"""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avatar.storage import write_whole
from bench.study.stimuli import Stimulus

SCALE = ("bad", "poor", "fair", "good", "excellent")  # ITU-R BT.500's five categories, 1..5

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 900px; padding: 1rem;
  background: #808080; color: #111; }
main { background: #f4f4f4; padding: 1rem 1.5rem; border-radius: 6px; }
.videos { display: flex; gap: 1rem; justify-content: center; }
.videos figure { margin: 0; text-align: center; } video { width: 100%; max-width: 400px; }
button { font-size: 1rem; padding: .5rem 1rem; margin: .2rem; } .answers { text-align: center; }
progress { width: 100%; }
"""

_SCRIPT = """
const study = JSON.parse(document.getElementById('study').textContent);
const main = document.querySelector('main');
function drawn(text) {            // a generator of numbers 0..1 that depends on the text alone
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return () => { h += 0x6D2B79F5; let t = h; t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61); return ((t ^ t >>> 14) >>> 0) / 4294967296; };
}
function begin(subject) {
  const next = drawn(study.id + subject);
  const trials = study.trials.map(t => ({...t, swap: next() < 0.5}));
  for (let i = trials.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1)); [trials[i], trials[j]] = [trials[j], trials[i]];
  }
  const place = 'study ' + study.id + ' ' + subject;
  show(subject, trials, JSON.parse(localStorage.getItem(place) || '[]'), place);
}
function video(name, label) {
  return `<figure><video src="videos/${name}.mp4" preload=auto loop muted playsinline></video>
    <figcaption>${label}</figcaption></figure>`;
}
function show(subject, trials, answers, place) {
  if (answers.length === trials.length) return finish(subject, answers);
  const t = trials[answers.length];
  let videos, buttons;
  if (study.kind === 'choice') {
    const [a, b] = t.swap ? [t.b, t.a] : [t.a, t.b];
    videos = video(a, 'A') + video(t.original, 'as filmed') + video(b, 'B');
    buttons = `<button value="${a}">A is nearer</button><button value="${b}">B is nearer</button>`;
  } else {
    videos = video(t.original, 'as filmed') + video(t.a, 'to be rated');
    buttons = study.scale.map((w, i) => `<button value="${i + 1}">${i + 1} ${w}</button>`).join('');
  }
  main.innerHTML = `<progress max="${trials.length}" value="${answers.length}"></progress>
    <p>${answers.length + 1} of ${trials.length}. ${study.question}</p>
    <div class=videos>${videos}</div><div class=answers>${buttons}</div>`;
  together([...main.querySelectorAll('video')]);
  const since = Date.now();
  for (const b of main.querySelectorAll('button')) b.onclick = () => {
    answers.push({a: t.a, b: t.b || '', answer: b.value, ms: Date.now() - since});
    localStorage.setItem(place, JSON.stringify(answers));
    show(subject, trials, answers, place);
  };
}
async function together(videos) {   // all begin at one moment, when the last one is there
  const there = v => v.readyState > 2 || new Promise(go => v.addEventListener('canplay', go));
  await Promise.all(videos.map(there));
  for (const v of videos) v.play();
}
function finish(subject, answers) {
  const lines = ['subject,kind,a,b,answer,ms'];
  for (const r of answers) lines.push([JSON.stringify(subject), study.kind, r.a, r.b, r.answer,
    r.ms].join(','));
  const file = new Blob([lines.join('\\n') + '\\n'], {type: 'text/csv'});
  main.innerHTML = '<p>Thank you. Please save your answers and hand in the file.</p>';
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file); link.download = study.kind + '-' + subject + '.csv';
  link.textContent = 'Save my answers'; main.append(link);
}
document.querySelector('form').onsubmit = e => {
  e.preventDefault(); begin(new FormData(e.target).get('subject').trim());
};
"""


def write_pages(stimuli: Sequence[Stimulus], folder: Path, seed: int = 0) -> list[str]:
    """opinion.html and choice.html beside the videos; returns their names.

    Opinions: each video once, beside what was filmed.  Choices: all pairs of two codecs' videos
    of one clip and size.
    """
    ratings = [{"a": s.name, "original": s.original} for s in stimuli]
    pairs = [
        {"a": one.name, "b": other.name, "original": one.original}
        for one, other in itertools.combinations(stimuli, 2)
        if (one.clip, one.size) == (other.clip, other.size) and one.codec != other.codec
    ]
    pages = {
        "opinion": ("How good is the picture, compared with what was filmed?", ratings),
        "choice": ("Which one is nearer to what was filmed?", pairs),
    }
    written = []
    for kind, (question, trials) in pages.items():
        if trials:
            study = {"id": f"{kind}-{seed}", "kind": kind, "question": question, "trials": trials}
            text = _page(study | {"scale": SCALE})
            write_whole(folder / f"{kind}.html", text.encode())
            written.append(f"{kind}.html")
    return written


def _page(study: dict[str, Any]) -> str:
    data = json.dumps(study).replace("<", "\\u003c")
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Rating videos</title>"
        f"<style>{_STYLE}</style><main><h1>{html.escape(study['question'])}</h1>"
        f"<p>{len(study['trials'])} answers. You can stop and go on later on this machine, under "
        "the same name.</p><form><label>Your name or number <input name=subject required "
        'pattern="[A-Za-z0-9 _\\-]{1,40}" title="letters, digits, spaces, - and _"></label> '
        "<button>Begin</button></form></main>"
        f'<script type="application/json" id=study>{data}</script><script>{_SCRIPT}</script></html>'
    )
