// Your camera, through the codec, as your avatar.

import { call, socket } from "./api.js";
import * as camera from "./camera.js";
import { at, say } from "./page.js";

let line = null;

export async function mirror(size) {
  try {
    if (line) return;
    const [avatar] = await call("GET", "/v1/avatars");
    if (!avatar) throw new Error("Enrol first: there is no avatar of yours yet.");
    const video = at("fw-mirror-camera");
    at("fw-mirror-pair").hidden = false;
    await camera.open(video);
    say("fw-mirror-status", "The avatar is being unpacked.");
    line = socket("/v1/mirror", { avatar: avatar.id, size });
    camera.feed(video, line, heard, (reason) => { unmirror(); if (reason) say("fw-mirror-status", reason, true); });
  } catch (error) {
    say("fw-mirror-status", error.message, true);
  }
}

function heard(message) {
  if (message instanceof Blob) {
    const image = at("fw-mirror-picture");
    if (image.src) URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(message);
    return true;
  }
  const face = message.owner === false ? ", this is not the enrolled face: the avatar stands still"
    : message.visible ? "" : ", no face is seen";
  const less = message.left_out ? `, ${message.left_out} steps less fine to keep up` : "";
  say("fw-mirror-status", `${message.kbps} kbit/s, ${message.milliseconds} ms a picture${less}${face}`);
  return false; // its picture follows
}

export function unmirror() {
  line?.close();
  line = null;
  camera.close(at("fw-mirror-camera"));
  at("fw-mirror-pair").hidden = true;
  say("fw-mirror-status", "");
}
