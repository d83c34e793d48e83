// Messages that pass, and deletions that wait ten seconds so that they can be taken back.

import { html, signal } from "../lib/html.js";

const toasts = signal([]);

/** Shows a message for a while; `action` is a button on it. */
export function toast(text, { action, seconds = 5 } = {}) {
  const shown = { id: Symbol(text), text, action };
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
