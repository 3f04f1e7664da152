// The API as the pages use it.  The token stays in this tab and goes with it.

const KEY = "facewire-token";

export const token = () => sessionStorage.getItem(KEY);
export const keep = (text) => text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY);

// The answer's JSON; throws an Error with the server's own words.
export async function call(method, path, body) {
  const headers = {};
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const raw = body instanceof Blob;
  if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method, headers, body: raw ? body : body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  // Where a password is asked for, it is that which was wrong.
  if (answer.status === 401 && !body?.password) keep(null);
  throw await problem(answer);
}

// The avatars of who is signed in, the newest first: a list of avatars holds others' as well.
export async function own() {
  const me = await call("GET", "/v1/account");
  return (await call("GET", "/v1/avatars")).filter((one) => one.owner === me.name);
}

async function problem(answer) {
  const said = await answer.json().catch(() => ({}));
  return new Error(said.errors?.map((e) => `${e.at}: ${e.what}`).join("; ")
    || said.detail || `The server answers ${answer.status}.`);
}

// A file as { url, headers }, the url for this page alone; throws as `call` does.
export async function fetched(path) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${token()}` } });
  if (!answer.ok) throw await problem(answer);
  return { url: URL.createObjectURL(await answer.blob()), headers: answer.headers };
}

export function socket(path, hello) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const made = new WebSocket(`${scheme}://${location.host}${path}`);
  made.binaryType = "blob";
  made.addEventListener("open", () => made.send(JSON.stringify({ token: token(), ...hello })));
  return made;
}
