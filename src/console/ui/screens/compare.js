// Two pictures: every face of one against every face of the other.

import { html, signal, useEffect, useRef, useState } from "../lib/html.js";
import { call } from "../lib/aws.js";
import { cropFace, overlap, sortedByPlace } from "../lib/picture.js";
import { percent, plural } from "../lib/figures.js";
import { Busy, Failure, Head, Icon } from "../parts/basics.js";
import { Exchange } from "../parts/exchange.js";
import { Picker } from "../parts/picker.js";
import { Picture } from "../parts/picture.js";
import { Threshold } from "../parts/charts.js";

const state = signal(/** @type {Record<string, any>} */ ({ threshold: 80 }));
const set = (change) => {
  state.value = { ...state.value, ...change };
};

async function take(side, picture) {
  set({ [side]: { picture }, rows: null, error: null, exchange: null });
  try {
    const { output } = await call("DetectFaces", {
      Image: { Bytes: picture.bytes },
      Attributes: ["AGE_RANGE", "GENDER"],
    });
    if (state.value[side]?.picture !== picture) return;
    set({ [side]: { picture, faces: sortedByPlace(output.FaceDetails), selected: 0 } });
    await compare();
  } catch (error) {
    set({ error, busy: null });
  }
}

/** CompareFaces takes the largest face of its source, so each face is sent as a crop. */
async function compare() {
  const { source, target } = state.value;
  if (!source?.faces?.length || !target?.faces?.length) return;
  const rows = [];
  try {
    for (const [index, face] of source.faces.entries()) {
      set({ busy: `Comparing face ${index + 1} of ${source.faces.length}` });
      const { picture } = source;
      const probe =
        source.faces.length === 1 ? picture : await cropFace(picture, face.BoundingBox, index);
      const exchange = await call("CompareFaces", {
        SourceImage: { Bytes: probe.bytes },
        TargetImage: { Bytes: target.picture.bytes },
        SimilarityThreshold: 0,
        QualityFilter: "NONE",
      });
      rows.push({ exchange, similarities: align(exchange.output.FaceMatches, target.faces) });
    }
    set({ rows, busy: null });
  } catch (error) {
    set({ error, busy: null });
  }
}

/** The Similarity of each detected face: the answer names faces by their boxes alone. */
function align(matches, faces) {
  return faces.map(({ BoundingBox }) => {
    const [best] = matches
      .map(({ Face, Similarity }) => ({
        Similarity,
        shared: overlap(Face.BoundingBox, BoundingBox),
      }))
      .sort((one, other) => other.shared - one.shared);
    return best?.shared > 0.5 ? best.Similarity : null;
  });
}

function swap() {
  const { source, target } = state.value;
  set({ source: target, target: source, rows: null });
  compare();
}

export function Compare() {
  const { source, target, rows, busy, error, threshold } = state.value;
  const values = (rows ?? [])
    .flatMap(({ similarities }) => similarities)
    .filter((value) => value != null);
  const actions =
    source &&
    target &&
    html`<button type="button" onClick=${swap}><${Icon} name="swap" />Swap</button>`;
  const best = rows?.[source.selected ?? 0];
  const frame = useRef(null);
  return html`<${Head} title="Compare" actions=${actions}>
      Two pictures, every face of one against every face of the other.
    <//>
    <div class="columns even linked" ref=${frame}>
      <${Side} name="source" title="Source" side=${source} />
      <${Side} name="target" title="Target" side=${target} />
      ${rows && html`<${Links} frame=${frame} />`}
    </div>
    <div class="live" aria-live="polite">${busy && html`<${Busy} label=${busy} />`}</div>
    <${Failure} error=${error} />
    ${
      rows &&
      html`<div class="columns">
          <${Matrix} rows=${rows} source=${source} target=${target} />
          <${Threshold}
            value=${threshold}
            onChange=${(value) => set({ threshold: value })}
            values=${values}
            size=${target.faces.length}
            sizeName="picture"
          />
        </div>
        <${Exchange} exchange=${best?.exchange} />`
    }`;
}

function Side({ name, title, side }) {
  const { rows, threshold } = state.value;
  const onPicture = (picture) => take(name, picture);
  if (!side)
    return html`<${Picker} onPicture=${onPicture} label=${title} pasteHere=${name === "source"} />`;
  const { picture, faces, selected } = side;
  const isHit = (index) =>
    (rows ?? []).some(({ similarities }, row) =>
      name === "source"
        ? row === index && similarities.some(isAbove)
        : isAbove(similarities[index]),
    );
  const isAbove = (value) => value != null && value >= threshold;
  const marks = (faces ?? []).flatMap((_, index) => (isHit(index) ? [index] : []));
  return html`<section class="stack" aria-label=${title}>
    <div class="card">
      <div class="row spread">
        <h2>${title}</h2>
        <span class="muted small"
          >${faces ? plural(faces.length, "face") : "Looking for faces…"}</span
        >
      </div>
      <${Picture}
        picture=${picture}
        faces=${faces ?? []}
        selected=${selected}
        marks=${marks}
        landmarks=${false}
        onSelect=${(index) => set({ [name]: { ...side, selected: index } })}
      />
    </div>
    <${Picker} compact onPicture=${onPicture} label=${`Another ${name}`} pasteHere=${false} />
  </section>`;
}

/** The point of a box that is nearest to a point. */
const edgeOf = ({ left, right, top, bottom }, { x, y }) => ({
  x: Math.min(Math.max(x, left), right),
  y: Math.min(Math.max(y, top), bottom),
});
const centerOf = ({ left, right, top, bottom }) => ({
  x: (left + right) / 2,
  y: (top + bottom) / 2,
});

/** Lines from face to face where a pair is kept; the matrix has the same in numbers. */
function Links({ frame }) {
  const { rows, threshold, source } = state.value;
  const [places, setPlaces] = useState(null);
  useEffect(() => {
    const measure = () => {
      if (!frame.current) return;
      const origin = frame.current.getBoundingClientRect();
      const boxes = (side) =>
        [...frame.current.querySelectorAll(`[aria-label="${side}"] .box`)].map((box) => {
          const { left, right, top, bottom } = box.getBoundingClientRect();
          return {
            left: left - origin.left,
            right: right - origin.left,
            top: top - origin.top,
            bottom: bottom - origin.top,
          };
        });
      setPlaces({ from: boxes("Source"), to: boxes("Target") });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [rows]);
  const pairs = rows.flatMap(({ similarities }, row) =>
    similarities.flatMap((value, column) =>
      value != null && value >= threshold ? [{ row, column, value }] : [],
    ),
  );
  return html`<svg aria-hidden="true">
    ${pairs.map(({ row, column, value }) => {
      const [from, to] = [places?.from[row], places?.to[column]];
      if (!from || !to) return null;
      const start = edgeOf(from, centerOf(to));
      const end = edgeOf(to, centerOf(from));
      return html`<line
          key=${`${row} ${column}`}
          class=${row === source.selected ? "" : "faint"}
          x1=${start.x}
          y1=${start.y}
          x2=${end.x}
          y2=${end.y}
        />
        <text x=${(start.x + end.x) / 2} y=${(start.y + end.y) / 2 - 6}>${percent(value)}</text>`;
    })}
  </svg>`;
}

function Matrix({ rows, source, target }) {
  const { threshold } = state.value;
  return html`<section class="card" aria-label="Similarity of every pair">
    <h2>Similarity of every pair</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Matrix of similarities">
      <table class="matrix">
        <thead>
          <tr>
            <th scope="col">Source</th>
            ${target.faces.map((_, index) => html`<th scope="col" key=${index}>Target ${index + 1}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ similarities }, row) =>
              html`<tr key=${row} class=${row === source.selected ? "current" : ""}>
                <th scope="row">Source ${row + 1}</th>
                ${similarities.map(
                  (value, column) =>
                    html`<td key=${column} class=${value >= threshold ? "kept" : ""}>
                      ${value == null ? "–" : percent(value)}
                    </td>`,
                )}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
