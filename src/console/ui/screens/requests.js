// The last requests, live, each with where its time went.

import { html, signal, useEffect, useState } from "../lib/html.js";
import { admin, listen, troubleOf } from "../lib/admin.js";
import { bytes, clock, count, milliseconds, percent, plural } from "../lib/figures.js";
import { shortId } from "../lib/picture.js";
import { NoAdmin } from "../parts/sign-in.js";
import { Copy, Empty, Head, Segments } from "../parts/basics.js";
import { here } from "../parts/exchange.js";
import { INCOMPLETE, declaredTest, hasImages, inputOf, pytest } from "../parts/python.js";

const MOST_ROWS = 500;
const POLL_MILLISECONDS = 3000;

const rows = signal([]);
/** What came while the list was held still. */
const held = signal([]);
const isHeld = signal(false);

function add(requests) {
  const target = isHeld.value ? held : rows;
  const known = new Set([...rows.value, ...held.value].map(({ id }) => id));
  const fresh = requests.filter(({ id }) => !known.has(id));
  if (fresh.length) target.value = [...fresh, ...target.value].slice(0, MOST_ROWS);
}

function hold(wants) {
  isHeld.value = wants;
  if (wants) return;
  rows.value = [...held.value, ...rows.value].slice(0, MOST_ROWS);
  held.value = [];
}

/**
 * Reads the list once the stream is open, so that nothing falls between the two; asks again and
 * again where no stream is to be had.
 */
async function follow(stop, onTrouble) {
  const opened = async () => {
    add((await admin("GET", `requests?limit=${MOST_ROWS}`)).requests);
    onTrouble(null);
  };
  try {
    await listen("requests/stream", { take: (request) => add([request]), opened, stop });
  } catch (error) {
    if (stop.aborted) return;
    const trouble = troubleOf(error);
    if (trouble === "token" || trouble === "absent") {
      onTrouble(trouble);
      return;
    }
    await opened().catch((failure) => rows.value.length || onTrouble(troubleOf(failure)));
  }
  setTimeout(() => stop.aborted || follow(stop, onTrouble), POLL_MILLISECONDS);
}

const kinds = [
  ["all", "All"],
  ["failed", "Failed"],
  ["slow", "Slow"],
];
const SLOW_MILLISECONDS = 250;
const keeps = {
  all: () => true,
  failed: ({ status }) => status >= 400,
  slow: (request) => request.milliseconds >= SLOW_MILLISECONDS,
};

export function Requests() {
  const [trouble, setTrouble] = useState(null);
  const [filter, setFilter] = useState("");
  const [kind, setKind] = useState("all");
  const [shown, setShown] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    follow(stop.signal, setTrouble);
    return () => stop.abort();
  }, []);
  const wanted = filter.trim().toLowerCase();
  const matches = (request) =>
    keeps[kind](request) &&
    (!wanted ||
      [request.operation, request.collection, request.code, request.id, request.account].some(
        (text) => text?.toLowerCase().includes(wanted),
      ));
  const visible = rows.value.filter(matches);
  const current = visible.find(({ id }) => id === shown);
  const actions = html`<button
    type="button"
    aria-pressed=${String(isHeld.value)}
    onClick=${() => hold(!isHeld.value)}
  >
    ${isHeld.value ? `Go on (${count(held.value.length)} new)` : "Hold still"}
  </button>`;
  return html`<${Head} title="Requests" actions=${!trouble && actions}>
      The last requests to this server as they come in. Images are never among what is kept.
    <//>
    ${trouble && html`<${NoAdmin} trouble=${trouble} what="its requests" />`}
    ${
      !trouble &&
      html`<div class="row spread low">
        <label class="field grow"
          ><span>Filter by operation, collection, error, account or id</span>
          <input type="search" value=${filter} onInput=${(event) => setFilter(event.target.value)}
        /></label>
        <${Segments} label="Which requests" value=${kind} options=${kinds} onChange=${setKind} />
      </div>`
    }
    ${
      !trouble &&
      visible.length === 0 &&
      html`<div class="card">
        <${Empty} title=${rows.value.length ? "No request like that" : "No request yet"}>
          <p>Call the server with an SDK, or use another screen of this console.</p><//
        >
      </div>`
    }
    ${
      visible.length > 0 &&
      html`<div class=${current ? "columns" : ""}>
        <${Table} requests=${visible} shown=${current?.id} onShow=${setShown} />
        ${current && html`<${Detail} request=${current} onClose=${() => setShown(null)} />`}
      </div>`
    }`;
}

const Table = ({ requests, shown, onShow }) =>
  html`<div
    class=${shown ? "scroll tall narrow" : "scroll tall"}
    tabindex="0"
    role="region"
    aria-label="Requests"
  >
    <table aria-label="Requests">
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Operation</th>
          <th scope="col">Status</th>
          <th scope="col" class="right">Took</th>
          <th scope="col" class="right">Faces</th>
          <th scope="col" class="right">Top</th>
          <th scope="col">Collection</th>
          <th scope="col">Account</th>
        </tr>
      </thead>
      <tbody>
        ${requests.map(
          (request) =>
            html`<tr key=${request.id} class=${request.id === shown ? "current" : ""}>
              <td class="number">${clock(request.time)}</td>
              <td>
                <button
                  type="button"
                  class="link"
                  aria-expanded=${String(request.id === shown)}
                  onClick=${() => onShow(request.id === shown ? null : request.id)}
                >
                  ${request.operation ?? "no operation"}
                </button>
              </td>
              <td>
                <span class=${request.status < 400 ? "tag good" : "tag bad"}
                  >${request.code ?? request.status}</span
                >
              </td>
              <td class="right">${milliseconds(request.milliseconds)}</td>
              <td class="right">${request.faces ?? ""}</td>
              <td class="right">
                ${request.top_similarity == null ? "" : percent(request.top_similarity)}
              </td>
              <td><div class="clip">${request.collection ?? ""}</div></td>
              <td class="number">${request.account ?? ""}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

/** A test of an operation that ends as this request did, as far as the list knows how it did. */
function testOf(request) {
  const { operation, code, faces, top_similarity: top } = request;
  const matches = top ? [{ Similarity: top }] : [];
  const output = {
    DetectFaces: { FaceDetails: Array(faces ?? 0).fill({}) },
    IndexFaces: { FaceRecords: Array(faces ?? 0).fill({}) },
    CompareFaces: { FaceMatches: matches },
    SearchFacesByImage: { FaceMatches: matches },
    SearchUsersByImage: { UserMatches: matches.map((match) => ({ ...match, User: { UserId: "ann" } })) },
  }[operation];
  const exchange = { operation, code, output, input: inputOf(request) };
  return INCOMPLETE + (hasImages(operation) ? declaredTest(exchange) : pytest(exchange, here()));
}

function Detail({ request, onClose }) {
  const facts = [
    ["Request id", request.id],
    ["Client", request.client],
    ["Access key", request.access_key_id],
    ["Region", request.region],
    ["Body", request.bytes == null ? null : bytes(request.bytes)],
    ["Image", request.image],
    ["Trace", request.trace_id],
  ];
  return html`<section class="card stack" aria-label=${`Request ${shortId(request.id)}`}>
    <div class="row spread">
      <h2>${request.operation ?? "Request"}</h2>
      <div class="row">
        ${request.operation && html`<${Copy} text=${() => testOf(request)} label="Copy as test" />`}
        <button type="button" class="plain small" onClick=${onClose}>Close</button>
      </div>
    </div>
    ${
      (request.message ?? request.cause) &&
      html`<div class="failure">
        <strong>${request.code ?? request.status}</strong> ${request.message}
        ${request.cause && html`<div class="small">${request.cause}</div>`}
      </div>`
    }
    <${Waterfall} request=${request} />
    <dl class="facts plain">
      ${facts.map(
        ([name, value]) =>
          value &&
          html`<div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}

/** Where the time went; stages that overlap were side by side. */
function Waterfall({ request }) {
  const { stages = [] } = request;
  if (!stages.length)
    return html`<p class="muted small">No stage of this request was measured.</p>`;
  const end = Math.max(request.milliseconds, ...stages.map(({ start_ms, ms }) => start_ms + ms));
  const share = (value) => `${(100 * value) / (end || 1)}%`;
  return html`<div class="stack tight">
    <h3>${plural(stages.length, "stage")} in ${milliseconds(request.milliseconds)}</h3>
    <ol class="waterfall" aria-label="Stages">
      ${stages.map(
        ({ name, start_ms, ms }, index) =>
          html`<li key=${index}>
            <span>${name.replaceAll("_", " ")}</span>
            <span class="lane"
              ><span style=${{ left: share(start_ms), width: share(ms) }}></span
            ></span>
            <span class="number muted">${milliseconds(ms)}</span>
          </li>`,
      )}
    </ol>
  </div>`;
}
