// What is drawn of numbers: what a threshold of Similarity keeps and costs by the figures of the
// pack, and what the server measures of itself.

import { html, signal, useEffect } from "../lib/html.js";
import { admin, pack, refreshSystem } from "../lib/admin.js";
import {
  cost,
  count,
  expected,
  histogram,
  milliseconds,
  percent,
  plural,
} from "../lib/figures.js";

/** `values` are the Similarities at hand; `size` is how many faces a probe is compared with. */
export function Threshold({ value, onChange, values, size, sizeName = "collection" }) {
  const kept = values.filter((similarity) => similarity >= value).length;
  return html`<section class="card threshold" aria-label="Threshold">
    <div class="row spread">
      <label for="threshold"><h2>Threshold</h2></label>
      <output for="threshold" class="similarity">${value}</output>
    </div>
    <svg class="spots" viewBox="0 0 100 26" preserveAspectRatio="none" aria-hidden="true">
      <rect x=${value} y="0" width=${100 - value} height="26" fill="var(--teal-wash)" />
      ${values.map(
        (similarity, index) =>
          html`<path
            key=${index}
            d=${`M${Math.min(99.8, similarity)} 4v18`}
            stroke=${similarity >= value ? "var(--teal)" : "var(--line-strong)"}
            stroke-width="2.5"
            stroke-linecap="round"
            vector-effect="non-scaling-stroke"
          />`,
      )}
    </svg>
    <input
      id="threshold"
      type="range"
      min="0"
      max="100"
      step="1"
      value=${value}
      onInput=${(event) => onChange(Number(event.target.value))}
    />
    <div class="ticks" aria-hidden="true">
      ${[0, 20, 40, 60, 80, 100].map((tick) => html`<span key=${tick}>${tick}</span>`)}
    </div>
    <p aria-live="polite">
      <strong class="number">${count(kept)} kept</strong>, ${count(values.length - kept)} dropped.
    </p>
    <${Cost} threshold=${value} size=${size} sizeName=${sizeName} />
    <${Histogram} threshold=${value} />
  </section>`;
}

function Cost({ threshold, size, sizeName }) {
  const accuracy = pack.value?.accuracy;
  const known = cost(accuracy, threshold);
  if (!known) {
    return html`<p class="muted small">
      The server does not show the figures of its pack here, so what a threshold costs is not known.
    </p>`;
  }
  const { side } = known;
  const bound = { below: "at least ", above: "at most ", at: "" }[side];
  const missBound = { below: "at most ", above: "at least ", at: "" }[side];
  const strangers = size == null ? null : size * known.falseMatchRate;
  return html`<dl class="facts">
      <div>
        <dt>Strangers who match a probe</dt>
        <dd>${strangers == null ? "–" : `${bound}${expected(strangers)}`}</dd>
      </div>
      <div>
        <dt>True pairs missed</dt>
        <dd>${missBound}${percent(known.missRate * 100, 0)} %</dd>
      </div>
    </dl>
    <p class="muted small">
      Expected in a ${sizeName} of ${size == null ? "unknown size" : plural(size, "face")}, by what
      the pack was measured with: ${bound}${expected(known.falseMatchRate * 100)} % of pairs of
      strangers, and small photographs for the misses; yours may be better.
    </p>`;
}

/** A millionth of the pairs is where a bar begins: each sixth of its height is ten times as many. */
const DECADES = 6;
const height = (share) => Math.max(0, 1 + Math.log10(share || 1e-9) / DECADES) * 100;
const share = (value) => `${expected(value * 100)} %`;

/**
 * Pairs of one person beside pairs of strangers, by the Similarity that the pack gave them when it
 * was measured; `at` is a Similarity to be found on it.
 */
export function Histogram({ threshold, at }) {
  const bins = histogram(pack.value?.accuracy);
  if (!bins.length) return null;
  const isHere = ({ from, to }) => at != null && at >= from && (at < to || to === 100);
  return html`<figure class="stack tight">
    <figcaption class="row spread small">
      <span class="label">Pairs by their Similarity</span>
      <span class="row muted">
        <span><i class="swatch"></i> one person</span>
        <span><i class="swatch stranger"></i> strangers</span>
      </span>
    </figcaption>
    <ol class="histogram" aria-label="Pairs by their Similarity">
      ${bins.map((bin) => {
        const { from, to, genuine, impostor } = bin;
        const name = from === 0 ? `<${to}` : `${from}\u2013${to}`;
        const text = `${share(genuine)} of the pairs of one person, ${share(impostor)} of those of strangers`;
        return html`<li
          key=${from}
          class=${`${from >= threshold ? "kept" : ""} ${isHere(bin) ? "here" : ""}`}
          title=${`${name}: ${text}`}
        >
          <span class="pair" aria-hidden="true">
            <span style=${{ height: `${height(genuine)}%` }}></span>
            <span class="stranger" style=${{ height: `${height(impostor)}%` }}></span>
          </span>
          <span class="number">${name}</span>
          <span class="hidden-text">: ${text}${isHere(bin) ? "; this match is here" : ""}</span>
        </li>`;
      })}
    </ol>
    <p class="muted small">
      By what the pack was measured with. A bar that is a sixth higher stands for ten times as many
      pairs.
    </p>
  </figure>`;
}

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
  const seconds = (pair) => (pair[1].at - pair[0].at) / 1000;
  /** @type {[string, (number | null)[], (value: number) => string][]} */
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
