// What the server measures of itself, as curves.

import { html, signal, useEffect } from "../lib/html.js";
import { admin, refreshSystem } from "../lib/admin.js";
import { count, milliseconds } from "../lib/figures.js";

const REFRESH_MILLISECONDS = 3000;
const MOST_SAMPLES = 100;

/** What `/metrics` showed, sample by sample, while this screen was open. */
const samples = signal([]);

/** The numbers of a text exposition that are drawn here. */
function parse(text) {
  const sample = { at: performance.now(), requests: 0, buckets: new Map(), queue: null };
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = line.match(/^(\w+)(?:\{(.*)\})? ([^ ]+)/) ?? [];
    if (name === "lookalike_operation_duration_seconds_bucket") {
      const edge = Number(labels.match(/\ble="([^"]+)"/)[1].replace("+Inf", "Infinity"));
      sample.buckets.set(edge, (sample.buckets.get(edge) ?? 0) + Number(value));
    } else if (name === "lookalike_operation_duration_seconds_count") {
      sample.requests += Number(value);
    } else if (name === "lookalike_inference_queue_depth") {
      sample.queue = Number(value);
    }
  }
  return sample;
}

/** The duration that a share of the requests between two samples stayed below. */
function quantile(before, after, share) {
  const edges = [...after.buckets.keys()].sort((one, other) => one - other);
  const counts = edges.map((edge) => after.buckets.get(edge) - (before.buckets.get(edge) ?? 0));
  const total = counts.at(-1);
  if (!total) return null;
  const at = counts.findIndex((value) => value >= share * total);
  const [low, high] = [at ? edges[at - 1] : 0, edges[at]];
  if (high === Infinity) return low;
  const below = at ? counts[at - 1] : 0;
  return low + ((high - low) * (share * total - below)) / (counts[at] - below || 1);
}

/** Takes a sample every few seconds for as long as the screen is shown. */
export function useSamples() {
  useEffect(() => {
    let isOver = false;
    const read = async () => {
      if (isOver || document.hidden) return;
      try {
        const sample = parse(String(await admin("GET", "metrics")));
        samples.value = [...samples.value, sample].slice(-MOST_SAMPLES);
      } catch {
        // A server without metrics has no curve to draw.
        isOver = true;
      }
      if (!isOver) refreshSystem();
    };
    read();
    const timer = setInterval(read, REFRESH_MILLISECONDS);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, []);
}

/** Rate, durations and queue while the screen was open. */
export function Curves() {
  if (samples.value.length < 2) return null;
  const pairs = samples.value.slice(1).map((after, index) => [samples.value[index], after]);
  const seconds = ([before, after]) => (after.at - before.at) / 1000;
  const curves = [
    [
      "Requests a second",
      pairs.map((pair) => (pair[1].requests - pair[0].requests) / seconds(pair)),
      (value) => value.toFixed(1),
    ],
    [
      "Median duration",
      pairs.map(([before, after]) => quantile(before, after, 0.5)),
      (value) => milliseconds(value * 1000),
    ],
    [
      "95th percentile",
      pairs.map(([before, after]) => quantile(before, after, 0.95)),
      (value) => milliseconds(value * 1000),
    ],
    ["Images that wait", samples.value.slice(1).map(({ queue }) => queue), (value) => count(value)],
  ];
  return html`<section class="card" aria-label="Right now">
    <h2>Right now</h2>
    <ul class="curves">
      ${curves.map(([name, values, show]) => html`<${Curve} key=${name} name=${name} values=${values} show=${show} />`)}
    </ul>
  </section>`;
}

function Curve({ name, values, show }) {
  const known = values.filter((value) => value != null);
  if (!known.length) return null;
  const most = Math.max(...known) || 1;
  let isOpen = false;
  const path = values.map((value, index) => {
    if (value == null) {
      isOpen = false;
      return "";
    }
    const command = isOpen ? "L" : "M";
    isOpen = true;
    const x = MOST_SAMPLES - values.length + index;
    return `${command}${x} ${42 - (40 * value) / most}h0.01`;
  });
  return html`<li>
    <div class="row spread">
      <span class="small muted">${name}</span>
      <span class="small number"
        >${show(known.at(-1))} <span class="muted">of at most ${show(most)}</span></span
      >
    </div>
    <svg
      class="spark"
      viewBox=${`0 0 ${MOST_SAMPLES} 44`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d=${path.join("")} />
    </svg>
  </li>`;
}
