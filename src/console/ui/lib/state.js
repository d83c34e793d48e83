// Who calls, what the server is, and which screen the address names. Secrets stay in this tab: sessionStorage dies with it.

import { computed, effect, signal } from "./html.js";

const read = (storage, name, otherwise) => {
  try {
    return JSON.parse(storage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
};

const kept = (storage, name, otherwise) => {
  const value = signal(read(storage, name, otherwise));
  effect(() => storage.setItem(name, JSON.stringify(value.value)));
  return value;
};

/**
 * What the server told of itself; `kept` is where it keeps crops of faces: `off`, `memory`, `disk`.
 */
export const facts = signal({ version: "", verify: false, thumbnails: null, kept: "off" });
/** Twelve digits; an open server takes the account from the access key. */
export const account = kept(localStorage, "account", "123456789012");
export const region = kept(localStorage, "region", "us-east-1");
/** `{accessKeyId, secretAccessKey, sessionToken}` where calls have to be signed. */
export const keys = kept(sessionStorage, "keys", null);
/** The bearer token of the control plane. */
export const adminToken = kept(sessionStorage, "admin-token", "");
/** The collection that was last used in this tab. */
export const lastCollection = kept(sessionStorage, "collection", "");

export const isSignedIn = computed(() => !facts.value.verify || Boolean(keys.value?.accessKeyId));
/** The access key that a copied command has to carry. */
export const accessKey = computed(() => keys.value?.accessKeyId || account.value);

export async function loadFacts() {
  const answer = await fetch("facts.json");
  facts.value = await answer.json();
}

// The screen that the address names: `#/collections/staff/faces`.
const parse = () => {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
};

export const route = signal(parse());

addEventListener("hashchange", () => {
  route.value = parse();
});

export const href = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

export function go(...parts) {
  location.hash = href(...parts);
}
