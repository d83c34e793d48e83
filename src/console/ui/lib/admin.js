// The server's own routes under `/_lookalike/`.

import { computed, signal } from "./html.js";
import { adminToken, facts } from "./state.js";
import { CallError } from "./aws.js";

/** What `/_lookalike/system` answered last; null where it is not there or not allowed. */
export const system = signal(null);
/** Why the control plane does not answer, or null: `token`, `absent`, or a sentence. */
export const adminTrouble = signal(null);

/** The calibration and the figures of the pack, where the server shows them. */
export const pack = computed(() => system.value?.pack ?? null);

function headers(extra = {}) {
  const token = adminToken.value ? { authorization: `Bearer ${adminToken.value}` } : {};
  return { accept: "application/json", "x-lookalike-admin": "1", ...token, ...extra };
}

/** Fails where the answer is known, and a refusal would be one more line in the log. */
function needToken() {
  if (facts.value.verify && !adminToken.value) {
    throw new CallError("HTTP 401", "The control plane needs its token.", { status: 401 });
  }
}

/**
 * Sends a body as it is; the answer, if it is no error.
 *
 * @param {{ body?: BodyInit, type?: string | false, accept?: string }} [options]
 */
async function send(method, path, options = {}) {
  const { body, type, accept = "application/json" } = options;
  needToken();
  const answer = await fetch(`/_lookalike/${path}`, {
    method,
    headers: headers({ accept, ...(type && { "content-type": type }) }),
    body,
  }).catch((cause) => {
    throw new CallError("Unreachable", "The server does not answer. Is it running?", {
      cause: String(cause),
    });
  });
  if (answer.ok) return answer;
  const text = await answer.text();
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    // Not every answer is one of the control plane.
  }
  const message = told.error ?? (text.startsWith("<") ? "The server has no such route." : text);
  throw new CallError(`HTTP ${answer.status}`, message, {
    status: answer.status,
    cause: told.cause,
  });
}

/** Asks a route; the parsed answer. */
export async function admin(method, path, body) {
  const isFile = body instanceof Blob;
  const answer = await send(method, path, {
    body: isFile || body === undefined ? body : JSON.stringify(body),
    type: body !== undefined && (isFile ? "application/jsonl" : "application/json"),
  });
  const text = await answer.text();
  return text && text.trim().startsWith("{") ? JSON.parse(text) : text;
}

/** A query of a route; what is empty is left out. */
export const query = (members) =>
  new URLSearchParams(Object.entries(members).filter(([, value]) => value));

/** What a route answers as a file. */
export async function file(path) {
  return (await send("GET", path, { accept: "*/*" })).blob();
}

/** Saves what a route answers under a name. */
export async function save(path, name) {
  const url = URL.createObjectURL(await file(path));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Opens a stream of server-sent events, calls `opened`, and hands each object to `take` until
 * `stop` is aborted.
 */
export async function listen(path, { take, opened, stop }) {
  needToken();
  const answer = await fetch(`/_lookalike/${path}`, {
    headers: headers({ accept: "text/event-stream" }),
    signal: stop,
  });
  if (!answer.ok) {
    const { status } = answer;
    throw new CallError(`HTTP ${status}`, "The stream is not there.", { status });
  }
  await opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split(/\r?\n\r?\n/);
    rest = events.pop();
    for (const event of events) {
      const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      if (data.length) take(JSON.parse(data.map((line) => line.slice(5)).join("\n")));
    }
  }
}

/** Asks again what the server is; never fails. */
export async function refreshSystem() {
  try {
    system.value = await admin("GET", "system");
    adminTrouble.value = null;
  } catch (error) {
    system.value = null;
    adminTrouble.value = troubleOf(error);
  }
}

export function troubleOf(error) {
  if (error.status === 401) return "token";
  if (error.status === 404 || error.status === 405) return "absent";
  if (error.status === 403 && /route|MissingAuth/i.test(error.message)) return "absent";
  return error.cause ? `${error.message} ${error.cause}` : error.message;
}
