// Every face of a picture, searched; the threshold is moved over the answers.

import { html, signal, useEffect, useState } from "../lib/html.js";
import { pack } from "../lib/admin.js";
import { call } from "../lib/aws.js";
import { cosineOf, cost, expected, percent } from "../lib/figures.js";
import { cropFace, describe, shortId, sortedByPlace, thumbnail } from "../lib/picture.js";
import { go, href, lastCollection } from "../lib/state.js";
import { Avatar, Busy, Empty, Failure, Head, Segments } from "../parts/basics.js";
import { Exchange } from "../parts/exchange.js";
import { CollectionSelect, Picker, useCollections } from "../parts/picker.js";
import { Picture } from "../parts/picture.js";
import { Histogram, Threshold } from "../parts/charts.js";

const MOST_MATCHES = 50;
const kinds = {
  faces: {
    operation: "SearchFacesByImage",
    member: "FaceMatches",
    limit: "MaxFaces",
    size: "FaceCount",
  },
  users: {
    operation: "SearchUsersByImage",
    member: "UserMatches",
    limit: "MaxUsers",
    size: "UserCount",
  },
};

const state = signal(/** @type {Record<string, any>} */ ({ threshold: 80, kind: "faces" }));
const set = (change) => {
  state.value = { ...state.value, ...change };
};

/** Finds the faces of a picture, then searches each by a crop of its own. */
async function searchAll(picture) {
  set({ picture, faces: null, results: null, error: null, busy: "Looking for faces", selected: 0 });
  try {
    const { output } = await call("DetectFaces", {
      Image: { Bytes: picture.bytes },
      Attributes: ["DEFAULT", "AGE_RANGE", "GENDER"],
    });
    const faces = sortedByPlace(output.FaceDetails);
    const probes = [];
    for (const [index, face] of faces.entries()) {
      const probe = faces.length === 1 ? picture : await cropFace(picture, face.BoundingBox, index);
      probes.push({ probe, crop: await thumbnail(picture, face.BoundingBox) });
    }
    set({ faces, probes });
    await searchProbes();
  } catch (error) {
    set({ error, busy: null });
  }
}

async function searchProbes() {
  const { probes, kind } = state.value;
  const { operation, member, limit } = kinds[kind];
  const collection = lastCollection.value;
  const results = [];
  set({ results, error: null, size: null });
  call("DescribeCollection", { CollectionId: collection }).then(
    ({ output }) => set({ size: output[kinds[kind].size] }),
    () => {},
  );
  try {
    for (const [index, { probe }] of probes.entries()) {
      set({ busy: `Searching face ${index + 1} of ${probes.length}` });
      const input = {
        CollectionId: collection,
        Image: { Bytes: probe.bytes },
        [limit]: MOST_MATCHES,
        [kind === "faces" ? "FaceMatchThreshold" : "UserMatchThreshold"]: 0,
        QualityFilter: "NONE",
      };
      const exchange = await call(operation, input);
      results.push({ exchange, matches: exchange.output[member] });
      set({ results: [...results] });
    }
    set({ busy: null });
  } catch (error) {
    set({ error, busy: null });
  }
}

export function Search() {
  const { ids, error } = useCollections();
  const { picture } = state.value;
  if (error) return html`<${Head} title="Search" /><${Failure} error=${error} />`;
  if (!ids) return html`<${Head} title="Search" /><${Busy} label="Reading collections" />`;
  if (!ids.length) {
    return html`<${Head} title="Search" />
      <div class="card">
        <${Empty} title="There is no collection to search yet">
          <p>Index a face first: <a href=${href("try")}>Try it</a> takes two clicks for that.</p>
        <//>
      </div>`;
  }
  const choose = html`<${CollectionSelect} ids=${ids} />
    <${Segments}
      label="What to search"
      value=${state.value.kind}
      options=${[
        ["faces", "Faces"],
        ["users", "Users"],
      ]}
      onChange=${(kind) => set({ kind })}
    />`;
  return html`<${Head} title="Search" actions=${choose}>
      Every face of a picture is searched in the collection. Move the threshold and see what it
      keeps.
    <//>
    ${picture ? html`<${Results} />` : html`<${Picker} onPicture=${searchAll} label="Who is on it?" />`}`;
}

function Results() {
  const { picture, faces, results, busy, error, selected, threshold, size, kind } = state.value;
  const result = results?.[selected];
  const collection = lastCollection.value;
  useEffect(() => {
    if (state.value.probes && state.value.faces) searchProbes();
  }, [collection, kind]);
  const marks = (results ?? []).flatMap(({ matches }, index) =>
    matches[0]?.Similarity >= threshold ? [index] : [],
  );
  return html`<div class="workbench">
    <div class="stack subject">
      <div class="card">
        <${Picture}
          picture=${picture}
          faces=${faces ?? []}
          selected=${selected}
          marks=${marks}
          notes=${(results ?? []).map(noteOf)}
          landmarks=${false}
          onSelect=${(index) => set({ selected: index })}
        />
      </div>
      <${Picker} compact onPicture=${searchAll} label="Another picture" />
    </div>
    <div class="stack side-by">
      <div class="live" aria-live="polite">${busy && html`<${Busy} label=${busy} />`}</div>
      <${Failure} error=${error} />
      ${faces?.length === 0 && html`<div class="card"><h2>No face here</h2></div>`}
      ${
        result &&
        html`<${Threshold}
            value=${threshold}
            onChange=${(value) => set({ threshold: value })}
            values=${result.matches.map(({ Similarity }) => Similarity)}
            size=${size}
          />
          <${Matches} key=${selected} result=${result} face=${faces[selected]} index=${selected} />`
      }
    </div>
    <div class="wire"><${Exchange} exchange=${result?.exchange} /></div>
  </div>`;
}

/** The best match in few words. */
function noteOf({ matches }) {
  const [best] = matches;
  if (!best || best.Similarity < state.value.threshold) return "nobody";
  const item = best.Face ?? best.User;
  const name = item.ExternalImageId ?? item.UserId ?? shortId(item.FaceId);
  return `${name} ${percent(best.Similarity)}`;
}

function Matches({ result, face, index }) {
  const { threshold, probes } = state.value;
  const [why, setWhy] = useState(null);
  const { matches } = result;
  const dropped = matches.findIndex(({ Similarity }) => Similarity < threshold);
  return html`<section class="card" aria-label=${`Matches of face ${index + 1}`}>
    <h2>Face ${index + 1}${describe(face) && `, ${describe(face)}`}</h2>
    ${matches.length === 0 && html`<p class="muted">The collection holds nobody to compare with.</p>`}
    <ol class="matches">
      ${matches.map((match, position) => {
        const { Face, User, Similarity } = match;
        const item = Face ?? User;
        const isKept = Similarity >= threshold;
        const id = item.FaceId ?? item.UserId;
        return html`<li key=${id} class=${isKept ? "kept" : "dropped"}>
          <${Avatar} face=${item} collection=${lastCollection.value} />
          <div class="grow">
            <div>
              ${item.ExternalImageId ?? item.UserId ?? html`<span class="muted">no ExternalImageId</span>`}
            </div>
            <div class="small muted mono">
              ${item.FaceId ? shortId(item.FaceId) : item.UserStatus}
            </div>
          </div>
          <span class="similarity">${percent(Similarity)}</span>
          <button
            type="button"
            class="small plain"
            aria-expanded=${String(why === position)}
            onClick=${() => setWhy(why === position ? null : position)}
          >
            Why
          </button>
          ${why === position && html`<${Why} matches=${matches} position=${position} crop=${probes[index].crop} face=${face} />`}
        </li>`;
      })}
    </ol>
    ${dropped === 0 && matches.length > 0 && html`<p class="muted small">Nobody reaches the threshold.</p>`}
  </section>`;
}

function Why({ matches, position, crop, face }) {
  const { Face, User, Similarity } = matches[position];
  const { Pose: pose, Quality: quality } = face;
  const item = Face ?? User;
  const next = matches[position + 1];
  const cosine = cosineOf(pack.value?.calibration, Similarity);
  const known = cost(pack.value?.accuracy, Similarity);
  const bound = { below: ["at least ", "at least "], above: ["at most ", "at most "] };
  const [reach, stranger] = bound[known?.side] ?? ["", ""];
  return html`<div class="stack tight why">
    <div class="row">
      <img class="avatar large" src=${crop} alt="The face of the picture" />
      <${Avatar} face=${item} size="large" collection=${lastCollection.value} />
    </div>
    <dl class="facts plain">
      <div>
        <dt>Similarity</dt>
        <dd>${percent(Similarity, 3)}</dd>
      </div>
      ${
        cosine != null &&
        html`<div>
          <dt>Cosine of the vectors</dt>
          <dd>${cosine.toFixed(3)}</dd>
        </div>`
      }
      <div>
        <dt>Rank</dt>
        <dd>${position + 1} of ${matches.length}</dd>
      </div>
      ${
        next &&
        html`<div>
          <dt>Ahead of the next by</dt>
          <dd>${percent(Similarity - next.Similarity, 2)}</dd>
        </div>`
      }
      ${
        known &&
        html`<div>
            <dt>Pairs of one person this alike</dt>
            <dd>${reach}${percent((1 - known.missRate) * 100, 0)} %</dd>
          </div>
          <div>
            <dt>Pairs of strangers this alike</dt>
            <dd>${stranger}${expected(known.falseMatchRate * 100)} %</dd>
          </div>`
      }
      ${
        quality &&
        html`<div>
          <dt>The picture’s sharpness, brightness</dt>
          <dd>${percent(quality.Sharpness, 0)}, ${percent(quality.Brightness, 0)}</dd>
        </div>`
      }
      ${
        pose &&
        html`<div>
          <dt>Its yaw, pitch, roll</dt>
          <dd>${[pose.Yaw, pose.Pitch, pose.Roll].map((turn) => `${percent(turn, 0)}°`).join(", ")}</dd>
        </div>`
      }
      ${
        pack.value &&
        html`<div>
          <dt>Pack</dt>
          <dd>${pack.value.name} ${pack.value.version}</dd>
        </div>`
      }
    </dl>
    <${Histogram} threshold=${state.value.threshold} at=${Similarity} />
    ${
      item.FaceId &&
      html`<button
        type="button"
        class="small"
        onClick=${() => go("collections", lastCollection.value, "faces")}
      >
        Show it among the faces
      </button>`
    }
  </div>`;
}
