// A call from a plain browser: camera and microphone to the server, its rendering back.

import { call, own, token } from "./api.js";
import * as camera from "./camera.js";
import { at, say } from "./page.js";

const RETRY = 2000; // ms before a lost call is joined again
const USUAL = 30; // frames a second that a camera gives
const STEP = Math.log(1.3); // a change by less is not worth a new start of the coder
const GATHER = 2000; // ms that addresses are gathered for at most

let line = null; // { connection, room, member, wish }, from the click on

export async function makeRoom() {
  try {
    if (!token()) throw new Error("Sign in first.");
    const room = await call("POST", "/v1/rooms");
    const link = new URL(room.link, location).href;
    say("fw-call-link", `Send this link to the other: ${link}`);
    return link;
  } catch (error) {
    say("fw-call-status", error.message, true);
    return "";
  }
}

// The id of a room, from its link too.
const idOf = (text) => (text.match(/[0-9a-f]{32}/) ?? [""])[0];

// Says so to who has come by a room's link.
export function invited() {
  if (idOf(location.search)) say("fw-call-status", "You are invited to a room. Sign in, and join.");
}

export async function join(text, width, fit, background, around) {
  if (line) return;
  const mine = line = {};
  const here = () => mine === line; // not left meanwhile
  try {
    if (!token()) throw new Error("Sign in first.");
    mine.room = idOf(text || location.search);
    if (!mine.room) throw new Error("Give a room's link, or make a room.");
    const avatar = (await own())[0]?.id;
    mine.wish = { avatar, width, height: width, fit, background,
      room: around, light: around };
    if (!here() || !await camera.open(at("fw-self"), camera.CALLED, true, here)) return;
    at("fw-call-pair").hidden = false;
    await connect(mine);
  } catch (error) {
    if (!here()) return;
    await leave();
    say("fw-call-status", error.message, true);
  }
}

async function connect(mine) {
  const connection = mine.connection = new RTCPeerConnection();
  const stream = at("fw-self").srcObject;
  for (const track of stream.getTracks()) connection.addTrack(track, stream);
  const other = new MediaStream();
  at("fw-other").srcObject = other;
  connection.ontrack = (event) => {
    // What is rendered was held back already, as long as the network needs.
    if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0;
    other.addTrack(event.track);
  };
  connection.createDataChannel("status").onmessage = (event) => figures(JSON.parse(event.data));
  connection.onconnectionstatechange = () => changed(mine, connection);
  await connection.setLocalDescription(await connection.createOffer());
  await gathered(connection);
  if (mine !== line) return;
  say("fw-call-status", "Joining.");
  const sdp = connection.localDescription.sdp;
  const joined = await call("POST", `/v1/rooms/${mine.room}/members`,
    { sdp, mode: "video", ...mine.wish });
  mine.member = joined.member;
  if (mine !== line) return hangUp(mine); // left while it was asked
  await connection.setRemoteDescription({ type: "answer", sdp: joined.sdp });
}

const gathered = (connection) => new Promise((done) => {
  const look = () => connection.iceGatheringState === "complete" && done();
  connection.onicegatheringstatechange = look;
  setTimeout(done, GATHER);
  look();
});

function changed(mine, connection) {
  if (mine !== line || connection !== mine.connection) return;
  if (connection.connectionState === "connected") standing(mine);
  if (["failed", "disconnected"].includes(connection.connectionState)) again(mine);
}

async function again(mine) {
  say("fw-call-status", "The line is lost; joining again.", true);
  mine.connection.close();
  while (mine === line) {
    await new Promise((done) => setTimeout(done, RETRY));
    if (mine !== line) return;
    try {
      await hangUp(mine);
      await connect(mine);
      return;
    } catch (error) {
      if (mine !== line) return;
      if (!token()) await leave(); // no other try would be let in
      say("fw-call-status", error.message, true);
    }
  }
}

const WAYS = { avatar: "the avatar", fallback: "the fallback, not the avatar", nothing: "nothing",
  refused: "nothing: you have no permission to receive this avatar" };

const SIGNED = { verified: ", signed by who was enrolled", unverified: ", not signed by anybody" };

// No more frames are sent than the server can look at: on its side and on ours each costs time.
async function limit(connection, most) {
  const sender = connection.getSenders().find((each) => each.track?.kind === "video");
  const wish = sender?.getParameters();
  const coding = wish?.encodings?.[0]; // none while the line is being made
  if (!coding || Math.abs(Math.log(most / (coding.maxFramerate ?? USUAL))) < STEP) return;
  coding.maxFramerate = most;
  await sender.setParameters(wish);
}

function figures(now) {
  warn(now.owner);
  if (line?.connection) limit(line.connection, now.frames_wanted).catch(() => {});
  const who = now.others.length ? `With ${now.others.join(", ")}` : "Nobody else is here yet";
  const trip = now.round_trip_ms == null ? "" : `, ${now.round_trip_ms} ms there and back`;
  const way = now.carried === "avatar" ? WAYS.avatar + (SIGNED[now.identity] ?? "") : WAYS[now.carried];
  const seen = now.stopped ? `${way}: somebody else is before the other's camera`
    : now.identity === "mismatch" ? `${way}: their avatar's stream is not signed by who was enrolled` : way;
  say("fw-call-figures", `${who}. Receiving ${seen}: ${now.kbps_in} kbit/s in, `
    + `${now.kbps_out} kbit/s out, ${now.delay_ms} ms held back${trip}, `
    + `${(100 * now.loss).toFixed(1)} % lost.`
    + (now.left_out ? ` The picture is ${now.left_out} steps less fine, to keep up.` : "")
    + (now.saving ? ` Your line is narrow: ${now.saving} steps less is sent.` : "")
    + (now.refused && now.carried !== "refused" ? " You have no permission to receive this avatar." : ""));
}

// How the caller stands in a call that is joined: said anew whenever any of it changes, so that no
// part of it is written over by another that came later.
function standing(mine) {
  if (mine.stranger) say("fw-call-status", "The face before your camera is not the one that was "
    + "enrolled: your avatar is not moved by it.", true);
  else if (!mine.wish.avatar) say("fw-call-status", "In the call. You have no avatar yet: the other "
    + "sees you only by the fallback, where both have one.", true);
  else say("fw-call-status", "In the call.");
}

// What the server says of the face before the camera: null where it has not looked.
function warn(owner) {
  if (owner == null || line?.connection?.connectionState !== "connected") return;
  const stranger = !owner;
  if (stranger === Boolean(line.stranger)) return;
  line.stranger = stranger;
  standing(line);
}

export async function leave() {
  const mine = line;
  line = null;
  mine?.connection?.close();
  camera.close(at("fw-self"));
  at("fw-call-pair").hidden = true;
  say("fw-call-status", "Not in a call.");
  say("fw-call-figures", "");
  await hangUp(mine);
}

// Gives the place in the room back, if there is one.
async function hangUp(mine) {
  if (mine?.member) await call("DELETE", `/v1/rooms/${mine.room}/members/${mine.member}`).catch(() => {});
}
