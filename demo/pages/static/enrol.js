// An enrolment: asked for, given a video from the camera or a file, followed to its end.

import { call, fetched, socket, token } from "./api.js";
import * as camera from "./camera.js";
import { at, button, meter, say, table } from "./page.js";

const SHORTEST = 8; // seconds of film, however quick the script was done

let current = null; // the id of the enrolment under way
let take = null; // { recorder, socket, begun }, from the click on
let sending = false;
let unsent = null; // { id, video }, what was filmed and the server does not have yet

async function ask(name, subject, agreed, seconds, size, guided) {
  if (!token()) throw new Error("Sign in first.");
  if (!agreed) throw new Error("Read the consent, and agree to it, first.");
  const wording = await call("GET", "/v1/consent");
  const consent = { subject, purpose: wording.purpose, version: wording.version, agreed: true };
  const asked = await call("POST", "/v1/enrolments", { name, consent, seconds, size, guided });
  current = asked.id;
  return asked.id;
}

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    say("fw-status", error.message, true);
    at("fw-status")?.scrollIntoView({ block: "nearest" });
  }
}

export const upload = (...wish) => guarded(async () => {
  if (sending) return;
  sending = true;
  let id;
  try {
    const file = at("fw-file").files[0];
    if (!file) throw new Error(token() ? "Choose a video file first." : "Sign in first.");
    id = await ask(...wish, false);
    await put(id, file);
  } finally {
    sending = false;
  }
  await follow(id);
});

async function put(id, video) {
  say("fw-status", `Sending ${(video.size / 1e6).toFixed(1)} MB`);
  await call("PUT", `/v1/enrolments/${id}/video`, video);
}

export const film = (...wish) => guarded(async () => {
  if (take) throw new Error("The camera is on already.");
  const mine = take = { begun: 0, parts: [] };
  const here = () => mine === take; // not cancelled meanwhile
  try {
    mine.id = await ask(...wish, true);
    if (!here()) return await call("DELETE", `/v1/enrolments/${mine.id}`);
    const video = at("fw-camera");
    video.parentElement.classList.add("fw-on");
    const open = (audio) => camera.open(video, camera.ENROLLED, audio, here);
    const stream = await open(true).catch(() => open(false));
    if (!here()) return;
    say("fw-status", "Filming");
    mine.recorder = new MediaRecorder(stream, { videoBitsPerSecond: 6e6 });
    mine.recorder.addEventListener("dataavailable", (event) => mine.parts.push(event.data));
    mine.socket = socket("/v1/capture", { enrolment: mine.id });
    camera.feed(video, mine.socket, guide, (reason) => {
      if (here() && !mine.ending) leftAlone(reason);
    });
  } catch (error) {
    if (!here()) return;
    stop();
    throw error;
  }
});

// The guide has gone: what was filmed is not lost with it.
function leftAlone(reason) {
  if (take.begun) {
    say("fw-prompt", "The guide has ended; you are still filmed.");
    say("fw-advice", `${reason} Use what was filmed, or cancel.`, true);
  } else {
    stop();
    say("fw-status", `${reason} Film again.`, true);
  }
}

// Seconds that were filmed so far.
export const filmed = () => take?.begun ? (performance.now() - take.begun) / 1000 : 0;

function guide(seen) {
  if (!take) return false;
  if (seen.seen && !take.begun) {
    take.begun = performance.now();
    take.recorder.start(1000);
  }
  say("fw-prompt", seen.prompt);
  say("fw-advice", seen.words);
  at("fw-sure").value = seen.confidence;
  at("fw-light").value = seen.light;
  at("fw-distance").value = seen.distance;
  at("fw-script").value = seen.at / seen.of;
  draw(seen.mesh);
  if (take.ending) return false;
  if (seen.gesture === "done" && filmed() > SHORTEST) enough();
  return true;
}

function draw(mesh) {
  const overlay = at("fw-overlay"), video = at("fw-camera");
  overlay.width = video.clientWidth;
  overlay.height = video.clientHeight;
  const pen = overlay.getContext("2d");
  pen.fillStyle = "#22d3ee";
  for (let i = 0; i < mesh.length; i += 2) {
    const x = mesh[i] / 1000 * overlay.width, y = mesh[i + 1] / 1000 * overlay.height;
    pen.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
}

export const enough = () => guarded(async () => {
  if (!take?.begun) throw new Error("Nothing was filmed yet.");
  if (take.ending) return;
  take.ending = true;
  const { recorder, parts, id } = take;
  const last = new Promise((done) => recorder.addEventListener("stop", done));
  recorder.stop();
  await last;
  stop();
  unsent = { id, video: new Blob(parts, { type: recorder.mimeType }) };
  await send();
});

// What was filmed is kept until the server has it.
async function send() {
  const { id, video } = unsent;
  try {
    await put(id, video);
  } catch (error) {
    const again = button("Send it again", () => guarded(send));
    again.id = "fw-send-again";
    const why = error.message.replace(/[^.]$/, "$&.");
    say("fw-status", `${why} What was filmed is still here. `, true);
    at("fw-status").append(again);
    return;
  }
  unsent = null;
  await follow(id);
}

function stop() {
  const { socket } = take;
  take = null;
  socket?.close();
  camera.close(at("fw-camera"));
  at("fw-camera").parentElement.classList.remove("fw-on");
  for (const id of ["fw-prompt", "fw-advice"]) say(id, "");
}

export const cancel = () => guarded(async () => {
  if (take) stop();
  unsent = null;
  if (!current) throw new Error("There is nothing to cancel.");
  await call("DELETE", `/v1/enrolments/${current}`);
  say("fw-status", "Cancelled; the video is destroyed.");
});

// Goes on with what was under way when the page was left.
export const resume = () => guarded(async () => {
  if (current || !at("fw-status")) return;
  const all = await call("GET", "/v1/enrolments");
  const busy = all.find((one) => ["waiting", "running"].includes(one.state));
  if (!busy) return;
  current = busy.id;
  await follow(busy.id);
});

// Asks again and again: an EventSource cannot send a token, and a page may sleep.
async function follow(id) {
  let shown = "";
  for (;;) {
    const now = await call("GET", `/v1/enrolments/${id}`);
    if (now.id !== current) return;
    at("fw-progress").value = now.progress;
    const left = now.seconds_left == null ? "" : `, about ${Math.ceil(now.seconds_left)} s left`;
    const line = now.ahead ? `, ${now.ahead} before it` : "";
    const words = { waiting: "Waiting for its turn" + line, running: (now.note || "Begun") + left,
      done: "Your avatar is ready.", failed: now.error, cancelled: "Cancelled." };
    say("fw-status", words[now.state], now.state === "failed");
    if (now.preview && now.updated !== shown) await preview(id);
    shown = now.updated;
    if (now.state === "done") return report(now);
    if (now.state === "failed" || now.state === "cancelled") return;
    await new Promise((done) => setTimeout(done, 1000));
  }
}

async function preview(id) {
  const got = await fetched(`/v1/enrolments/${id}/preview`).catch(() => null);
  if (!got) return;
  const figure = at("fw-preview"), image = figure.querySelector("img");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = got.url;
  figure.hidden = false;
}

const NAMES = { left: "turned to the left", right: "turned to the right", up: "chin up",
  down: "chin down", mouth: "mouth open", smile: "smile", blinks: "blinks", length: "length" };

const TURNED = ["far left", "left", "ahead", "right", "far right"], NODDED = ["up", "level", "down"];

// Where the head was, as its owner sees it in a mirror; empty places are what to film next time.
function looked({ seconds }) {
  const most = Math.max(...seconds.flat(), 1e-6);
  const rows = [...seconds].reverse().map((row, i) => [NODDED[i], ...[...row].reverse().map((s) => {
    const cell = document.createElement("span");
    cell.className = "fw-looked";
    cell.style.setProperty("--share", Math.sqrt(s / most));
    cell.textContent = s ? `${s.toFixed(1)} s` : "\u2013";
    return cell;
  })]);
  const shown = table([["", ...TURNED], ...rows], "Where your head was turned");
  shown.id = "fw-map";
  return shown;
}

function report({ report: { figures, coverage, map, warnings, liveness }, avatar }) {
  const place = at("fw-report");
  const words = { true: "shown: the script was followed", false: "not shown: the script was not followed" };
  const rows = [
    ["PSNR on frames kept from learning", `${figures.psnr} dB`],
    ["of that the face", `${figures.psnr_face} dB`],
    ["frames learned from / kept", `${figures.training_frames} / ${figures.held_out_frames}`],
    ["steps of fitting", `${figures.steps} in ${figures.seconds} s`],
    ["liveness", words[liveness] ?? "not asked for, with a file"],
  ];
  const seen = Object.entries(coverage).map(([name, share]) => [NAMES[name], meter(share)]);
  const lines = warnings.map((text) => {
    const line = document.createElement("p");
    line.textContent = text;
    return line;
  });
  place.replaceChildren(table(rows, "Quality"), table(seen, "What the video shows of you"),
    ...(map ? [looked(map)] : []), ...lines);
  const publish = document.createElement("p");
  const yours = document.createElement("a");
  yours.href = "/yours";
  yours.textContent = "let them";
  const drop = button("Delete it", () => guarded(async () => {
    await call("DELETE", `/v1/avatars/${avatar}`);
    place.replaceChildren();
    at("fw-preview").hidden = true;
    say("fw-status", "Deleted.");
  }));
  drop.id = "fw-delete";
  publish.append("Nobody but you can use this avatar until you ", yours, ". ", drop);
  place.append(publish);
}
