// What is kept of who is signed in: avatars, grants, the log, erasure.

import { call, keep, own, token } from "./api.js";
import { at, button, say, table } from "./page.js";

const DAYS = 30; // that a grant lasts, where nothing else is said

async function guarded(work) {
  try {
    say("fw-yours-status", "");
    await work();
  } catch (error) {
    say("fw-yours-status", error.message, true);
    at("fw-yours-status")?.scrollIntoView({ block: "nearest" });
  }
}

export const show = () => guarded(async () => {
  if (!at("fw-avatars")) return;
  const parts = await Promise.all((await own()).map(avatar));
  const none = document.createElement("p");
  none.textContent = "You have no avatar yet.";
  at("fw-avatars").replaceChildren(...(parts.length ? parts : [none]));
  await log();
});

async function avatar(one) {
  const place = document.createElement("section");
  const title = document.createElement("h3");
  const made = new Date(one.created).toLocaleDateString();
  title.textContent = `${one.name}, ${(one.size / 1e6).toFixed(1)} MB, of ${made}`;
  const given = await call("GET", `/v1/avatars/${one.id}/grants`);
  const now = Date.now();
  const standing = given.filter((g) => !g.revoked && new Date(g.expires) > now);
  const rows = standing.map((g) => [g.holder, until(g)]);
  place.append(title, table(rows, rows.length ? "May see it" : "Nobody but you may see it"),
    form(one.id), button("Delete this avatar", () => guarded(async () => {
      await call("DELETE", `/v1/avatars/${one.id}`);
      await show();
    })));
  return place;
}

function until(grant) {
  const part = document.createElement("span");
  part.append(`until ${new Date(grant.expires).toLocaleDateString()} `,
    button("Take back", () => guarded(async () => {
      await call("DELETE", `/v1/grants/${grant.id}`);
      await show();
    })));
  return part;
}

function form(id) {
  const made = document.createElement("form");
  made.className = "fw-form";
  const holder = field(made, "User name", { required: true, maxLength: 64, name: "holder" });
  const days = field(made, "Days", { type: "number", min: 1, max: 365, value: DAYS, name: "days" });
  made.append(button("Let them see it"));
  made.onsubmit = (event) => {
    event.preventDefault();
    guarded(async () => {
      const wanted = { holder: holder.value.trim(), days: Number(days.value) };
      await call("POST", `/v1/avatars/${id}/grants`, wanted);
      await show();
    });
  };
  return made;
}

function field(form, words, properties) {
  const label = document.createElement("label"), input = document.createElement("input");
  Object.assign(input, properties);
  label.append(`${words} `, input);
  form.append(label);
  return input;
}

const ACTIONS = { "account.registered": "made the account", "token.issued": "signed in",
  "token.revoked": "ended a sign-in", "avatar.added": "added an avatar",
  "avatar.deleted": "deleted an avatar", "avatar.fetched": "downloaded an avatar",
  "avatar.leased": "asked for a download", "avatar.shown": "was shown an avatar in a call",
  "avatar.rendered": "rendered a call with an avatar",
  "key.fetched": "took the signing key",
  "grant.given": "let somebody see an avatar", "grant.revoked": "took a permission back" };

async function log() {
  const rows = (await call("GET", "/v1/audit")).map((event) => [
    new Date(event.time).toLocaleString(),
    `${event.actor || "somebody who was erased"} ${ACTIONS[event.action] ?? event.action}`,
  ]);
  at("fw-audit").replaceChildren(table(rows, "Newest first"));
}

export const signOutOthers = () => guarded(async () => {
  if (!token()) throw new Error("Sign in first.");
  await call("DELETE", "/v1/tokens");
  await show();
  say("fw-yours-status", "You are signed in here alone.");
});

// Returns the empty password for the field.
export async function erase(password) {
  try {
    await call("POST", "/v1/account/erasure", { password });
    keep(null);
    document.body.classList.remove("fw-signed-in");
    at("fw-avatars").replaceChildren();
    at("fw-audit").replaceChildren();
    say("fw-yours-status", "");
    say("fw-account", "Your account is erased.");
  } catch (error) {
    say("fw-yours-status", error.message, true);
  }
  return "";
}
