// What the server is, holds and measures of itself.

import { html, useState } from "../lib/html.js";
import { admin, adminTrouble, refreshSystem, system } from "../lib/admin.js";
import { bytes, count, date, duration } from "../lib/figures.js";
import { account, go, region } from "../lib/state.js";
import { Busy, Dialog, Failure, Head, toast } from "../parts/basics.js";
import { Curves, useSamples } from "../parts/charts.js";
import { NoAdmin } from "../parts/sign-in.js";

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
          ["Images that wait", `${count(is.queue?.waiting)} of ${count(is.queue?.most)}`],
        ]}
      />
    </section>
    <${Curves} />
    <div class="columns">
      <${Pack} pack=${is.pack} />
      <div class="stack">
        <${Tenants} tenants=${is.tenants ?? []} />
        <${Nodes} nodes=${is.nodes ?? []} />
        <${Keys} keys=${is.keys ?? []} />
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
                    <div class="small muted">${tenant.region}</div>
                  </td>
                  <td class="right">${count(tenant.collections)}</td>
                  <td class="right">${count(tenant.faces)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`
    }
  </section>`;

/** The servers that search for one another, where there are several. */
const Nodes = ({ nodes }) =>
  nodes.length > 0 &&
  html`<section class="card" aria-label="Nodes">
    <h2>Nodes</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of nodes">
      <table aria-label="Nodes">
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          ${nodes.map(
            (node) =>
              html`<tr key=${node.address}>
                <td class="mono">${node.address}</td>
                <td>${node.is_own ? "this one" : node.is_asked ? "is asked" : "does not answer"}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;

/** Who may call, where signatures are verified. */
const Keys = ({ keys }) =>
  keys.length > 0 &&
  html`<section class="card" aria-label="Keys">
    <h2>Keys</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of keys">
      <table aria-label="Keys">
        <thead>
          <tr>
            <th scope="col">Access key id</th>
            <th scope="col">User</th>
            <th scope="col">Account</th>
            <th scope="col">Regions</th>
            <th scope="col">Expires</th>
          </tr>
        </thead>
        <tbody>
          ${keys.map(
            (key) =>
              html`<tr key=${key.access_key_id}>
                <td class="mono">${key.access_key_id}</td>
                <td>${key.user}</td>
                <td class="number">${key.account}</td>
                <td>${key.regions?.join(", ") ?? "all"}</td>
                <td>${key.expires ? date(key.expires) : "never"}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
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
