// The lab's results: a choice of clip and codecs, curves and a video of it.

import { call, fetched } from "./api.js";
import { at, say } from "./page.js";

export async function offer() {
  const form = at("fw-compare");
  if (!form) return;
  try {
    const has = await call("GET", "/v1/lab");
    fill(form.elements.clip, has.clips);
    fill(form.elements.metric, has.metrics);
    at("fw-codecs").replaceChildren(...has.codecs.map(tick));
    form.onsubmit = (event) => { event.preventDefault(); show(form); };
    form.hidden = false;
    say("fw-compare-status", "");
  } catch (error) {
    say("fw-compare-status", error.message, true);
  }
}

const fill = (list, names) => list.replaceChildren(...names.map((name) => new Option(name)));

function tick(name) {
  const label = document.createElement("label"), box = document.createElement("input");
  Object.assign(box, { type: "checkbox", name: "codec", value: name, checked: true });
  label.append(box, ` ${name}`);
  return label;
}

async function show(form) {
  const asked = new URLSearchParams(new FormData(form));
  for (const id of ["fw-curves", "fw-beside"]) at(id).hidden = true;
  try {
    say("fw-compare-status", "Drawing.");
    const curves = await fetched(`/v1/lab/curves?${asked}`);
    place("fw-curves", "img", curves);
    say("fw-compare-status", "Putting videos side by side.");
    const video = await fetched(`/v1/lab/video?${asked}`);
    place("fw-beside", "video", video);
    at("fw-beside").querySelector("figcaption").textContent = video.headers.get("X-Panels");
    say("fw-compare-status", "");
  } catch (error) {
    say("fw-compare-status", error.message, true);
  }
}

function place(id, kind, { url }) {
  const shown = at(id).querySelector(kind);
  if (shown.src) URL.revokeObjectURL(shown.src);
  shown.src = url;
  at(id).hidden = false;
}
