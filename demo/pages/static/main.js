// What the pages' buttons call.

import { call, keep, token } from "./api.js";
import * as line from "./call.js";
import * as compare from "./compare.js";
import * as enrol from "./enrol.js";
import * as mirror from "./mirror.js";
import { at, say } from "./page.js";
import * as yours from "./yours.js";

// Returns the empty password for the field, so that it does not stay on the screen.
async function signIn(name, password, fresh) {
  const who = { name, password };
  try {
    if (fresh) await call("POST", "/v1/accounts", who);
    keep((await call("POST", "/v1/sessions", who)).token);
    await greet();
    return "";
  } catch (error) {
    say("fw-account", error.message, true);
    return password;
  }
}

async function greet() {
  if (!token() || !at("fw-account")) return;
  try {
    say("fw-account", `You are ${(await call("GET", "/v1/account")).name}.`);
    document.body.classList.add("fw-signed-in");
    enrol.resume();
    yours.show();
    compare.offer();
  } catch (error) {
    say("fw-account", error.message, true);
  }
}

window.facewire = { signIn, upload: enrol.upload, film: enrol.film, enough: enrol.enough,
  filmed: enrol.filmed, cancel: enrol.cancel, mirror: mirror.mirror, unmirror: mirror.unmirror,
  makeRoom: line.makeRoom, join: line.join, leave: line.leave, erase: yours.erase,
  signOutOthers: yours.signOutOthers };

// Gradio puts its parts on the page some time after this has run.
const waiting = setInterval(() => {
  if (!at("fw-account")) return;
  clearInterval(waiting);
  line.invited();
  greet();
}, 100);
