// Calls of the public operations, as any SDK makes them, signed by the browser's own cryptography.

import { account, facts, keys, region } from "./state.js";

const SERVICE = "rekognition";

/** Bytes of a picture in a request: base64 on the wire, the picture's name where it is shown. */
export class Bytes {
  constructor(base64, name, size) {
    this.base64 = base64;
    this.name = name;
    this.size = size;
  }

  toJSON() {
    return this.base64;
  }
}

/** An answer that is no success; `code` is AWS's name of the error. */
export class CallError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    Object.assign(this, { code, ...details });
  }
}

/** Who calls, where nobody else is named. */
const current = () => ({
  account: account.value,
  keys: keys.value ?? {},
  region: region.value,
});

/** Sends a request, as `caller`; the answer with all that is worth showing of the exchange. */
export async function call(operation, input = {}, caller = current()) {
  const body = JSON.stringify(input);
  const plain = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": `RekognitionService.${operation}`,
  };
  const scope = { ...caller, service: SERVICE };
  const headers = facts.value.verify
    ? await sign(plain, body, { ...scope, host: location.host })
    : introduce(plain, scope);
  const started = performance.now();
  let answer;
  let text;
  try {
    answer = await fetch("/", { method: "POST", headers, body });
    text = await answer.text();
  } catch (cause) {
    throw new CallError("Unreachable", "The server does not answer. Is it running?", {
      operation,
      input,
      cause: String(cause),
    });
  }
  const exchange = {
    operation,
    input,
    status: answer.status,
    requestId: answer.headers.get("x-amzn-requestid"),
    milliseconds: performance.now() - started,
    output: parse(text),
  };
  if (answer.ok) return exchange;
  const { output } = exchange;
  const code = output?.__type?.split("#").pop() ?? `HTTP ${answer.status}`;
  const message = output?.message ?? output?.Message ?? text.slice(0, 300);
  const cause = answer.headers.get("x-lookalike-cause");
  throw new CallError(code, message, { ...exchange, cause });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Every item of a paginated operation, page by page; stops once `enough` says so. */
export async function* pages(operation, input, member) {
  let token;
  do {
    const { output } = await call(operation, token ? { ...input, NextToken: token } : input);
    yield output[member] ?? [];
    token = output.NextToken;
  } while (token);
}

/** All items of a paginated operation. */
export async function all(operation, input, member) {
  const items = [];
  for await (const page of pages(operation, input, member)) items.push(...page);
  return items;
}

/** A request or an answer as people read it: bytes by name. */
export function show(value) {
  return JSON.stringify(
    value,
    function bytesByName(name, plain) {
      const held = this[name];
      if (!(held instanceof Bytes)) return plain;
      return `<${held.name}, ${Math.ceil(held.size / 1000)} kB in base64>`;
    },
    2,
  );
}

const encoder = new TextEncoder();

const hex = (bytes) =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (text) => hex(await crypto.subtle.digest("SHA-256", encoder.encode(text)));

async function hmac(key, text) {
  const bytes = typeof key === "string" ? encoder.encode(key) : key;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, encoder.encode(text));
}

/** Adds `authorization` to headers whose names are in lower case. */
async function sign(headers, body, { host, keys, region, service, now = new Date() }) {
  if (!globalThis.crypto?.subtle) {
    throw new Error(
      "This browser signs only on https:// and on localhost. Open the console through one of them.",
    );
  }
  const timestamp = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const day = timestamp.slice(0, 8);
  const signed = { ...headers, host, "x-amz-date": timestamp };
  if (keys.sessionToken) signed["x-amz-security-token"] = keys.sessionToken;
  const names = Object.keys(signed).sort();
  const canonical = [
    "POST",
    "/",
    "",
    ...names.map((name) => `${name}:${signed[name].trim()}`),
    "",
    names.join(";"),
    await sha256(body),
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", timestamp, scope, await sha256(canonical)].join("\n");
  /** @type {string | ArrayBuffer} */
  let key = `AWS4${keys.secretAccessKey}`;
  for (const part of [day, region, service, "aws4_request"]) key = await hmac(key, part);
  const signature = hex(await hmac(key, text));
  delete signed.host;
  signed.authorization =
    `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return signed;
}

/** What an open server needs: whose account and which region, and no secret. */
function introduce(headers, { account, region, service, now = new Date() }) {
  const timestamp = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${timestamp.slice(0, 8)}/${region}/${service}/aws4_request`;
  return {
    ...headers,
    "x-amz-date": timestamp,
    authorization:
      `AWS4-HMAC-SHA256 Credential=${account}/${scope}, SignedHeaders=host;x-amz-date, ` +
      `Signature=${"0".repeat(64)}`,
  };
}
