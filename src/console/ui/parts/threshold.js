// The threshold of Similarity, and what it costs by the figures of the pack.

import { html } from "../lib/html.js";
import { pack } from "../lib/admin.js";
import { cost, count, expected, percent, plural } from "../lib/figures.js";

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
