// Small parts that every screen uses: icons, messages, deletions that can be taken back.

import { html, signal, useEffect, useRef, useState } from "../lib/html.js";
import { facts } from "../lib/state.js";
import { crops, fetchCrop } from "../lib/picture.js";

const paths = {
  try: "M4 8V6a2 2 0 0 1 2-2h2M16 4h2a2 2 0 0 1 2 2v2M20 16v2a2 2 0 0 1-2 2h-2M8 20H6a2 2 0 0 1-2-2v-2M9 10h.01M15 10h.01M9 15c1.8 1.3 4.2 1.3 6 0",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4",
  compare: "M12 3v18M5 7h4v10H5zM15 7h4v10h-4z",
  collections: "M4 7h16M4 12h16M4 17h10",
  requests: "M3 12h4l3-7 4 14 3-7h4",
  faults: "M12 4 3 20h18L12 4ZM12 10v4M12 17h.01",
  system: "M5 5h14v6H5zM5 13h14v6H5zM8 8h.01M8 16h.01",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4",
  moon: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10Z",
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  swap: "M7 4 3 8l4 4M3 8h14M17 12l4 4-4 4M21 16H7",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  download: "M12 4v12M7 11l5 5 5-5M4 16v4h16v-4",
  plus: "M12 5v14M5 12h14",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  key: "M14 10a4 4 0 1 1-2.3-3.6M13 9l8 8M18 14l-2 2",
};

export const Icon = ({ name }) =>
  html`<svg
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="1.7"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    <path d=${paths[name]} />
  </svg>`;

export const Busy = ({ label = "Working" }) =>
  html`<span class="row muted" role="status"><span class="busy"></span>${label}…</span>`;

/** The name of a screen, focused when it comes up, so that a screen reader reads it first. */
export function Head({ title, children, actions }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Lookalike`;
    heading.current.focus({ preventScroll: true });
  }, [title]);
  return html`<header class="head">
    <div>
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${children && html`<p>${children}</p>`}
    </div>
    ${actions && html`<div class="row">${actions}</div>`}
  </header>`;
}

/** What went wrong, in the server's words. */
export function Failure({ error }) {
  if (!error) return null;
  return html`<div class="failure" role="alert">
    <strong>${error.code ?? "Error"}</strong> ${error.message}
    ${error.cause && html`<div class="small">${error.cause}</div>`}
    ${error.requestId && html`<div class="small muted">Request ${error.requestId}</div>`}
  </div>`;
}

export const Empty = ({ title, children }) =>
  html`<div class="empty">
    <h2>${title}</h2>
    ${children}
  </div>`;

/** A choice of few: `options` are pairs of value and label. */
export const Segments = ({ label, value, options, onChange }) =>
  html`<div class="segments" role="group" aria-label=${label}>
    ${options.map(
      ([option, text]) =>
        html`<button
          key=${option}
          type="button"
          aria-pressed=${String(option === value)}
          onClick=${() => onChange(option)}
        >
          ${text}
        </button>`,
    )}
  </div>`;

/**
 * A picture of an enrolled face: the crop of this tab or of the server, the operator's own picture,
 * or a pattern of its id.
 */
export function Avatar({ face, size = "", collection }) {
  const [isBroken, setBroken] = useState(false);
  const template = facts.value.thumbnails;
  const id = face.FaceId ?? face.UserId ?? "";
  const own = crops.value.get(id);
  useEffect(() => {
    if (face.FaceId && collection) fetchCrop(collection, face.FaceId);
  }, [id]);
  const members = { ...face };
  const isFilled =
    template && (template.match(/{(\w+)}/g) ?? []).every((name) => members[name.slice(1, -1)]);
  const source =
    own ??
    (isFilled && !isBroken
      ? template.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(members[name]))
      : null);
  if (source) {
    return html`<img
      class=${`avatar ${size}`}
      src=${source}
      alt=""
      onError=${() => setBroken(true)}
    />`;
  }
  return html`<${Identicon}
    id=${id}
    person=${face.ExternalImageId ?? face.UserId ?? id}
    size=${size}
  />`;
}

const hash = (text) => {
  let value = 2166136261;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 16777619) >>> 0;
  return value;
};

/** Faces of one ExternalImageId share a color, each has a pattern of its own. */
function Identicon({ id, person, size }) {
  const hue = hash(person) % 360;
  const bits = hash(id);
  const cells = [];
  for (let index = 0; index < 15; index += 1) {
    if (!((bits >> index) & 1)) continue;
    const [column, row] = [index % 3, Math.floor(index / 3)];
    for (const x of new Set([column, 4 - column])) {
      cells.push(html`<rect x=${x + 1} y=${row + 1} width="1.02" height="1.02" />`);
    }
  }
  return html`<svg class=${`avatar ${size}`} viewBox="0 0 7 7" aria-hidden="true">
    <rect width="7" height="7" fill=${`hsl(${hue} 45% 88%)`} />
    <g fill=${`hsl(${hue} 48% 38%)`}>${cells}</g>
  </svg>`;
}

/** A modal dialog; closes on Escape and returns the focus. */
export function Dialog({ title, onClose, broad, children }) {
  const dialog = useRef(null);
  useEffect(() => {
    const { current } = dialog;
    if (!current.open) current.showModal();
    return () => current.close();
  }, []);
  return html`<dialog
    ref=${dialog}
    class=${broad ? "broad" : ""}
    aria-label=${title}
    onClose=${onClose}
  >
    <div class="stack">
      <div class="row spread">
        <h2>${title}</h2>
        <button type="button" class="plain small" onClick=${() => dialog.current.close()}>
          Close
        </button>
      </div>
      ${children}
    </div>
  </dialog>`;
}

/** Copies a text and states so. */
export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class="small" onClick=${copy}>
    <${Icon} name="copy" />${done ? "Copied" : label}
    <span class="hidden-text" role="status">${done ? "Copied" : ""}</span>
  </button>`;
}

const toasts = signal([]);

/**
 * Shows a message for a while; `action` is a button on it.
 *
 * @param {{ action?: { label: string, run: () => void }, seconds?: number }} [options]
 */
export function toast(text, options = {}) {
  const { action, seconds = 5 } = options;
  const shown = { id: Symbol(text), text, action, close: () => {} };
  toasts.value = [...toasts.value, shown];
  const close = () => {
    toasts.value = toasts.value.filter((other) => other !== shown);
  };
  setTimeout(close, seconds * 1000);
  shown.close = close;
  return close;
}

export const Toasts = () =>
  html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      (shown) =>
        html`<div class="toast" key=${shown.id}>
          <span class="grow">${shown.text}</span>
          ${
            shown.action &&
            html`<button
              type="button"
              class="small"
              onClick=${() => {
                shown.action.run();
                shown.close();
              }}
            >
              ${shown.action.label}
            </button>`
          }
        </div>`,
    )}
  </div>`;

const SECONDS = 10;

/** Keys of what is hidden because its deletion is on its way. */
export const leaving = signal(new Set());

const without = (keys) => new Set([...leaving.value].filter((key) => !keys.includes(key)));

/** Hides `keys` now and runs `send` in ten seconds, unless the person takes it back. */
export function later(text, keys, send) {
  leaving.value = new Set([...leaving.value, ...keys]);
  const timer = setTimeout(async () => {
    try {
      await send();
    } catch (error) {
      toast(`${error.code}: ${error.message}`, { seconds: 12 });
    }
    leaving.value = without(keys);
  }, SECONDS * 1000);
  const undo = () => {
    clearTimeout(timer);
    leaving.value = without(keys);
  };
  toast(text, { seconds: SECONDS, action: { label: "Undo", run: undo } });
}

addEventListener("beforeunload", (event) => {
  // What is hidden is not deleted yet: whoever leaves now should know.
  if (leaving.value.size) event.preventDefault();
});
