// Your camera, through the codec, as your avatar.

import { own, socket } from "./api.js";
import * as camera from "./camera.js";
import { at, say } from "./page.js";

let line = null; // { socket }, from the click on

export async function mirror(size) {
  if (line) return;
  const mine = line = {};
  const here = () => mine === line; // not stopped meanwhile
  const end = (words) => {
    if (!here()) return;
    unmirror();
    if (words) say("fw-mirror-status", words, true);
  };
  try {
    const [avatar] = await own();
    if (!avatar) throw new Error("Enrol first: there is no avatar of yours yet.");
    const video = at("fw-mirror-camera");
    if (!here() || !await camera.open(video, camera.CALLED, false, here)) return;
    at("fw-mirror-pair").hidden = false;
    say("fw-mirror-status", "The avatar is being unpacked.");
    mine.socket = socket("/v1/mirror", { avatar: avatar.id, size });
    camera.feed(video, mine.socket, heard, end);
  } catch (error) {
    end(error.message);
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
  const mine = line;
  line = null;
  mine?.socket?.close();
  camera.close(at("fw-mirror-camera"));
  at("fw-mirror-pair").hidden = true;
  say("fw-mirror-status", "");
}
