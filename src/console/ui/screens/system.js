// What the server is, holds and measures of itself.

import { html, signal, useEffect, useState } from "../lib/html.js";
import { admin, adminTrouble, refreshSystem, system } from "../lib/admin.js";
import { bytes, count, duration, milliseconds } from "../lib/figures.js";
import { account, go, region } from "../lib/state.js";
import { Busy, Dialog, Failure, Head } from "../parts/basics.js";
import { NoAdmin } from "../parts/sign-in.js";
import { toast } from "../parts/toasts.js";

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

function useSamples() {
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

export function System() {
  useSamples();
  const [isResetting, setResetting] = useState(false);
  const is = system.value;
  if (!is) {
    return html`<${Head} title="System" />${
        adminTrouble.value
          ? html`<${NoAdmin} trouble=${adminTrouble.value} what="what it is" />`
          : html`<${Busy} label="Asking the server" />`
      }`;
  }
  const actions = html`<button type="button" class="danger" onClick=${() => setResetting(true)}>
    Reset
  </button>`;
  return html`<${Head} title="System" actions=${actions}>
      Lookalike ${is.version}, up for ${duration(is.uptime_seconds)}.
    <//>
    <section class="card" aria-label="What it holds">
      <${Facts}
        of=${[
          ["Collections", count(is.collections)],
          ["Faces", count(is.faces)],
          ["Users", count(is.users)],
          ["Memory", bytes(is.memory?.resident)],
          ["Vectors in memory", bytes(is.memory?.search)],
          ["Inference threads", count(is.workers)],
          ["Images that may wait", count(is.queue?.most)],
        ]}
      />
    </section>
    ${samples.value.length > 1 && html`<${Curves} />`}
    <div class="columns">
      <${Pack} pack=${is.pack} />
      <div class="stack">
        <${Tenants} tenants=${is.tenants ?? []} />
        <${Settings} settings=${is.settings} />
      </div>
    </div>
    ${isResetting && html`<${Reset} onClose=${() => setResetting(false)} />`}`;
}

const Facts = ({ of, plain }) =>
  html`<dl class=${plain ? "facts plain" : "facts"}>
    ${of.map(
      ([name, value]) =>
        html`<div key=${name}>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;

function Curves() {
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

/** `recall_over_96_px_percent` as "recall over 96 px" and "94.9 %". */
function figure([name, value]) {
  const isShare = name.endsWith("_percent");
  const isRate = /(^|_)(false_match|miss)_rate_/.test(name);
  const words = name
    .replace(/_percent$/, "")
    .replaceAll("_", " ")
    .replace(/^./, (first) => first.toUpperCase());
  if (typeof value !== "number") return [words, String(value)];
  if (isShare) return [words, `${value.toFixed(1)} %`];
  return [words, isRate ? `${Number((value * 100).toPrecision(3))} %` : String(value)];
}

/** Figures that answer the first questions, where a pack states them. */
const headline = [
  ["false_match_rate_at_80", "Strangers who match at 80"],
  ["miss_rate_at_80", "True pairs missed at 80"],
  ["recall_over_96_px_percent", "Large faces found"],
  ["false_faces_per_photo_without_people", "False faces a photo"],
];

function Pack({ pack }) {
  if (!pack) return null;
  const figures = Object.entries(pack.accuracy ?? {}).map(figure);
  const main = headline
    .filter(([name]) => pack.accuracy?.[name] != null)
    .map(([name, words]) => [words, figure([name, pack.accuracy[name]])[1]]);
  return html`<section class="card stack" aria-label="Pack">
    <div>
      <h2>Pack ${pack.name} ${pack.version}</h2>
      <p class="muted">${pack.description}</p>
    </div>
    <${Facts}
      plain
      of=${[
        ["License", pack.license],
        ["Vector space", pack.vector_space],
        ["Attributes", pack.has_analyzer ? "yes" : "no"],
      ]}
    />
    ${main.length > 0 && html`<${Facts} of=${main} />`}
    <${Calibration} calibration=${pack.calibration} />
    <details>
      <summary>All ${figures.length} measured figures</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Measured figures">
        <table aria-label="Measured figures">
          <tbody>
            ${figures.map(
              ([name, value]) =>
                html`<tr key=${name}>
                  <th scope="row">${name}</th>
                  <td class="right">${value}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </section>`;
}

function Calibration({ calibration }) {
  const { cosine, similarity } = calibration ?? {};
  if (!cosine?.length) return null;
  const points = cosine.map((value, index) => [(value + 1) * 50, 100 - similarity[index]]);
  return html`<figure class="stack tight">
    <figcaption class="label">From the cosine of two vectors to Similarity</figcaption>
    <svg
      class="calibration"
      viewBox="-1 -2 102 104"
      preserveAspectRatio="none"
      role="img"
      aria-label=${cosine.map((value, index) => `cosine ${value} is ${similarity[index]}`).join(", ")}
    >
      <path class="grid" d="M0 0H100M0 20H100M0 50H100M0 100H100M50 0V100" />
      <path
        class="line"
        d=${points.map(([x, y], index) => `${index ? "L" : "M"}${x} ${y}`).join("")}
      />
    </svg>
    <div class="row spread small muted number" aria-hidden="true">
      <span>−1</span><span>0</span><span>1</span>
    </div>
  </figure>`;
}

const Tenants = ({ tenants }) =>
  html`<section class="card" aria-label="Accounts">
    <h2>Accounts</h2>
    ${tenants.length === 0 && html`<p class="muted">Nobody has a collection yet.</p>`}
    ${
      tenants.length > 0 &&
      html`<div class="scroll" tabindex="0" role="region" aria-label="Table of accounts">
        <table aria-label="Accounts">
          <thead>
            <tr>
              <th scope="col">Account</th>
              <th scope="col">Region</th>
              <th scope="col" class="right">Collections</th>
              <th scope="col" class="right">Faces</th>
            </tr>
          </thead>
          <tbody>
            ${tenants.map(
              (tenant) =>
                html`<tr key=${tenant.account + tenant.region}>
                  <td>
                    <button type="button" class="link" onClick=${() => visit(tenant)}>
                      ${tenant.account}
                    </button>
                  </td>
                  <td>${tenant.region}</td>
                  <td class="right">${count(tenant.collections)}</td>
                  <td class="right">${count(tenant.faces)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`
    }
  </section>`;

function visit(tenant) {
  account.value = tenant.account;
  region.value = tenant.region;
  go("collections");
}

function Settings({ settings }) {
  const show = (value) => {
    if (Array.isArray(value)) return value.join(", ") || "none";
    return value == null ? "none" : String(value);
  };
  const rows = Object.entries(settings ?? {}).map(([name, value]) => [
    name.replaceAll("_", " "),
    show(value),
  ]);
  return html`<section class="card" aria-label="Settings">
    <h2>Settings</h2>
    <${Facts} plain of=${rows} />
  </section>`;
}

function Reset({ onClose }) {
  const [everything, setEverything] = useState(false);
  const [typed, setTyped] = useState("");
  const [error, setError] = useState();
  const word = everything ? "everything" : account.value;
  const submit = async (event) => {
    event.preventDefault();
    try {
      const scope = everything ? {} : { account: account.value, region: region.value };
      await admin("POST", "reset", scope);
      await refreshSystem();
      toast(
        everything
          ? "Everything is deleted."
          : `Account ${account.value} in ${region.value} is empty.`,
      );
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title="Reset" onClose=${onClose}>
    <form class="stack" onSubmit=${submit} autocomplete="off">
      <p>
        Deletes all collections of account ${account.value} in ${region.value}, or of every account.
        This cannot be undone.
      </p>
      <label class="row"
        ><input
          type="checkbox"
          checked=${everything}
          onChange=${(event) => setEverything(event.target.checked)}
        />
        Every account and region</label
      >
      <label class="field"
        ><span>Type ${word} to confirm</span>
        <input value=${typed} onInput=${(event) => setTyped(event.target.value)}
      /></label>
      <${Failure} error=${error} />
      <div class="row">
        <button class="danger" disabled=${typed !== word}>Delete for good</button>
      </div>
    </form>
  <//>`;
}
