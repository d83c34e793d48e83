// Requests that fail or wait on purpose, and the limits in force.

import { html, useEffect, useState } from "../lib/html.js";
import { admin, refreshSystem, system, troubleOf } from "../lib/admin.js";
import { count, howOften, whatHappens } from "../lib/figures.js";
import { NoAdmin } from "../parts/sign-in.js";
import { Busy, Dialog, Failure, Head, Icon } from "../parts/basics.js";

const REFRESH_MILLISECONDS = 3000;
const presets = [
  [
    "aws-quotas",
    "AWS’s quotas",
    "AWS’s default requests a second for each operation and region; what is beyond gets ProvisionedThroughputExceededException.",
  ],
  ["throttle", "Throttle", "A fifth of all requests get ThrottlingException."],
  ["slow", "Slow", "Half a second to two for a request with an image, 50 to 250 ms for others."],
  ["s3-errors", "S3 errors", "A fifth of all S3 objects cannot be read."],
];
const errors = [
  "ThrottlingException",
  "ProvisionedThroughputExceededException",
  "InternalServerError",
  "AccessDeniedException",
  "InvalidParameterException",
  "InvalidS3ObjectException",
  "ResourceNotFoundException",
];

/** The rules of the plan that are no preset's, without what the report adds to them. */
const ownRules = (report) =>
  (report?.rules ?? []).filter(({ preset }) => !preset).map(({ struck, preset, ...rule }) => rule);

export function Faults() {
  const [report, setReport] = useState(null);
  const [trouble, setTrouble] = useState(null);
  const [error, setError] = useState();
  const [isAdding, setAdding] = useState(false);
  const load = () =>
    admin("GET", "faults").then(
      (answer) => {
        setReport(answer);
        setTrouble(null);
      },
      (failure) => setTrouble(troubleOf(failure)),
    );
  useEffect(() => {
    load();
    const timer = setInterval(() => document.hidden || load(), REFRESH_MILLISECONDS);
    return () => clearInterval(timer);
  }, []);
  const change = async (act) => {
    try {
      await act();
      setError(undefined);
    } catch (failure) {
      setError(failure);
    }
    await load();
    refreshSystem();
  };
  const put = (plan) =>
    change(() =>
      plan.presets.length + plan.rules.length
        ? admin("PUT", "faults", plan)
        : admin("DELETE", "faults"),
    );
  if (trouble) {
    return html`<${Head} title="Faults and limits" /><${NoAdmin}
        trouble=${trouble}
        what="faults"
      />`;
  }
  if (!report) return html`<${Head} title="Faults and limits" /><${Busy} label="Reading faults" />`;
  const plan = { seed: report.seed ?? undefined, presets: report.presets, rules: ownRules(report) };
  const off =
    report.on &&
    html`<button
      type="button"
      class="danger"
      onClick=${() => change(() => admin("DELETE", "faults"))}
    >
      Turn all off
    </button>`;
  return html`<${Head} title="Faults and limits" actions=${off}>
      Let requests fail or wait on purpose, and see whether your client copes. Everybody who uses
      this server is struck.
    <//>
    <${Failure} error=${error} />
    <ul class="presets" aria-label="Presets">
      ${presets.map(([name, title, text]) => {
        const isOn = plan.presets.includes(name);
        const next = isOn
          ? plan.presets.filter((other) => other !== name)
          : [...plan.presets, name];
        return html`<li key=${name} class="card">
          <label class="row spread">
            <strong>${title}</strong>
            <input
              type="checkbox"
              role="switch"
              checked=${isOn}
              onChange=${() => put({ ...plan, presets: next })}
            />
          </label>
          <p class="muted small">${text}</p>
        </li>`;
      })}
    </ul>
    <section class="card stack" aria-label="Rules">
      <div class="row spread">
        <h2>Rules</h2>
        <button type="button" onClick=${() => setAdding(true)}>
          <${Icon} name="plus" />Add a rule
        </button>
      </div>
      ${
        report.on &&
        html`<p class="small muted">
          Seed <span class="mono">${String(report.seed)}</span>: the same seed and the same requests
          meet the same faults.
        </p>`
      }
      <${Rules}
        report=${report}
        onRemove=${(index) => put({ ...plan, rules: plan.rules.filter((_, at) => at !== index) })}
      />
    </section>
    <${Answers} />
    <${Limits} />
    ${
      isAdding &&
      html`<${AddRule}
        onClose=${() => setAdding(false)}
        onAdd=${async (rule) => {
          await admin("PUT", "faults", { ...plan, rules: [...plan.rules, rule] });
          await load();
          refreshSystem();
        }}
      />`
    }`;
}

function Rules({ report, onRemove }) {
  if (!report.rules.length)
    return html`<p class="muted">No rule is on: every request is answered as usual.</p>`;
  let own = -1;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of rules">
    <table aria-label="Rules">
      <thead>
        <tr>
          <th scope="col">Operations</th>
          <th scope="col">How often</th>
          <th scope="col">What happens</th>
          <th scope="col">From</th>
          <th scope="col" class="right">Struck</th>
          <th scope="col"><span class="hidden-text">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${report.rules.map((rule, index) => {
          const at = rule.preset ? null : (own += 1);
          return html`<tr key=${index}>
            <td>
              <div class="clip" title=${rule.operations?.join(", ")}>
                ${rule.operations?.join(", ") || "all"}
              </div>
            </td>
            <td>${howOften(rule)}</td>
            <td>${whatHappens(rule)}</td>
            <td>${rule.preset ?? "you"}</td>
            <td class="right">${count(rule.struck)}</td>
            <td class="right">
              ${
                at != null &&
                html`<button
                  type="button"
                  class="plain small"
                  aria-label="Remove this rule"
                  onClick=${() => onRemove(at)}
                >
                  <${Icon} name="trash" />
                </button>`
              }
            </td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

function AddRule({ onClose, onAdd }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const given = /** @type {Record<string, string>} */ (
      Object.fromEntries(new FormData(event.target))
    );
    const number = (text) => (text === "" ? undefined : Number(text));
    const rule = {
      operations: given.operations.split(/[\s,]+/).filter(Boolean),
      error: given.error.trim() || undefined,
      latency_ms: number(given.latency) ?? 0,
      jitter_ms: number(given.jitter) ?? 0,
      per_second: number(given.rate),
      times: number(given.times),
      probability: given.share === "" ? undefined : Number(given.share) / 100,
    };
    try {
      await onAdd(rule);
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  const field = (name, label, more) =>
    html`<label class="field grow"><span>${label}</span><input name=${name} ...${more} /></label>`;
  return html`<${Dialog} title="Add a rule" onClose=${onClose}>
    <form class="stack" onSubmit=${submit} autocomplete="off">
      ${field("operations", "Operations, such as IndexFaces or Search*; empty for all", {})}
      <label class="field"
        ><span>Error, empty for none</span>
        <input name="error" list="errors" />
      </label>
      <datalist id="errors">
        ${errors.map((name) => html`<option key=${name} value=${name} />`)}
      </datalist>
      <div class="row wide">
        ${field("latency", "Wait, ms", { type: "number", min: 0, max: 120000 })}
        ${field("jitter", "and up to, ms more", { type: "number", min: 0, max: 120000 })}
      </div>
      <div class="row wide">
        ${field("share", "Share of requests, %", { type: "number", min: 0, max: 100, step: "any" })}
        ${field("rate", "Beyond, a second", { type: "number", min: 0, step: "any" })}
        ${field("times", "Times at most", { type: "number", min: 1 })}
      </div>
      <${Failure} error=${error} />
      <div class="row"><button class="primary">Add</button></div>
    </form>
  <//>`;
}

function Limits() {
  const limits = system.value?.settings?.limits ?? [];
  return html`<section class="card" aria-label="Limits">
    <h2>Limits</h2>
    ${
      limits.length
        ? html`<ul class="row">
            ${limits.map((limit) => html`<li class="tag" key=${limit}>${limit} a second</li>`)}
          </ul>`
        : html`<p class="muted">
            No limit was set. Start the server with <code>--limit IndexFaces=50</code> to set one.
          </p>`
    }
  </section>`;
}

/** Answers that stand for images; tests declare them. */
function Answers() {
  const [answers, setAnswers] = useState([]);
  useEffect(() => {
    admin("GET", "answers").then(
      (list) => setAnswers(list.answers),
      () => {},
    );
  }, []);
  const forget = async () => {
    await admin("DELETE", "answers");
    setAnswers([]);
    refreshSystem();
  };
  const forWhich = ({ image }) => Object.values(image).join(", ") || "every image";
  const what = ({ error, faces }) => error ?? `${count(faces?.length)} faces`;
  return html`<section class="card stack" aria-label="Declared answers">
    <div class="row spread">
      <h2>Declared answers</h2>
      ${answers.length > 0 && html`<button type="button" onClick=${forget}>Forget all</button>`}
    </div>
    ${answers.length === 0 && html`<p class="muted">None: every image is looked at.</p>`}
    ${
      answers.length > 0 &&
      html`<div class="scroll" tabindex="0" role="region" aria-label="Table of declared answers">
        <table aria-label="Declared answers">
          <thead>
            <tr>
              <th scope="col">Image</th>
              <th scope="col">Answer</th>
              <th scope="col" class="right">Used</th>
            </tr>
          </thead>
          <tbody>
            ${answers.map(
              (answer) =>
                html`<tr key=${answer.id}>
                  <td><div class="clip">${forWhich(answer)}</div></td>
                  <td>${what(answer)}</td>
                  <td class="right">${count(answer.used)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`
    }
  </section>`;
}
