// From a picture to the first hit: detect, index, search.

import { html, signal, useState } from "../lib/html.js";
import { all, call } from "../lib/aws.js";
import {
  describe,
  openSample,
  refusals,
  remember,
  shortId,
  sortedByPlace,
  thumbnail,
} from "../lib/picture.js";
import { percent, plural } from "../lib/figures.js";
import { href, lastCollection } from "../lib/state.js";
import { Attributes, Picture } from "../parts/picture.js";
import { Avatar, Busy, Failure, Head } from "../parts/basics.js";
import { Exchange } from "../parts/exchange.js";
import { Picker, Samples, samples } from "../parts/picker.js";

/** What stays when another screen is looked at meanwhile. */
const state = signal(/** @type {Record<string, any>} */ ({}));
const set = (change) => {
  state.value = { ...state.value, ...change };
};

async function detect(picture, sample) {
  state.value = { picture, sample, busy: "Looking for faces" };
  try {
    const exchange = await call("DetectFaces", {
      Image: { Bytes: picture.bytes },
      Attributes: ["ALL"],
    });
    const faces = sortedByPlace(exchange.output.FaceDetails);
    set({ exchange, faces, selected: 0, busy: null });
    const refused = faces.length ? await refusals(picture, faces) : [];
    if (state.value.picture === picture) set({ refused });
  } catch (error) {
    set({ error, exchange: error, faces: [], busy: null });
  }
}

async function ensureCollection(id) {
  const ids = await all("ListCollections", {}, "CollectionIds");
  if (!ids.includes(id)) await call("CreateCollection", { CollectionId: id });
}

async function index(collection, name) {
  const { picture } = state.value;
  set({ busy: "Indexing", error: null });
  try {
    await ensureCollection(collection);
    lastCollection.value = collection;
    const exchange = await call("IndexFaces", {
      CollectionId: collection,
      ...(name && { ExternalImageId: name }),
      Image: { Bytes: picture.bytes },
      DetectionAttributes: ["DEFAULT"],
    });
    await remember(picture, exchange.output.FaceRecords);
    set({ exchange, indexed: { collection, name, ...exchange.output }, busy: null });
  } catch (error) {
    set({ error, exchange: error, busy: null });
  }
}

async function search(probe) {
  const { collection } = state.value.indexed;
  set({ busy: "Searching", error: null, hit: null });
  try {
    const exchange = await call("SearchFacesByImage", {
      CollectionId: collection,
      Image: { Bytes: probe.bytes },
    });
    const crop = await thumbnail(probe, exchange.output.SearchedFaceBoundingBox);
    set({ exchange, hit: { crop, probe, ...exchange.output }, busy: null });
  } catch (error) {
    set({ error, exchange: error, busy: null });
  }
}

export function Try() {
  const { picture, faces, selected, exchange, error, busy, indexed, hit } = state.value;
  if (!picture) {
    return html`<${Head} title="Try it">
        Drop a picture and see what your code will get. It stays between this tab and your server,
        which keeps no image.
      <//>
      <${Picker} onPicture=${detect} label="Start with a picture">
        <p class="muted">
          JPEG or PNG as the API takes them; the console converts other formats. The people on the
          samples do not exist: a statistical model drew them.
        </p>
      <//>`;
  }
  const face = faces?.[selected];
  const refused = state.value.refused ?? [];
  const again = html`<button type="button" onClick=${() => (state.value = {})}>
    Another picture
  </button>`;
  return html`<${Head} title="Try it" actions=${again}>
      ${faces ? `${plural(faces.length, "face")} in ${picture.name}` : picture.name}
    <//>
    <div class="workbench">
      <div class="card subject">
        <${Picture}
          picture=${picture}
          faces=${faces}
          selected=${selected}
          onSelect=${(index) => set({ selected: index })}
          notes=${refused.map((reasons) => reasons && "would not be indexed")}
        />
      </div>
      <div class="stack side-by">
        <div class="live" aria-live="polite">${busy && html`<${Busy} label=${busy} />`}</div>
        <${Failure} error=${error} />
        ${
          faces?.length > 0 &&
          (indexed ? html`<${SearchStep} />` : html`<${IndexStep} key=${picture.url} />`)
        }
        ${hit && html`<${Hit} hit=${hit} collection=${indexed.collection} />`}
        ${
          faces?.length === 0 &&
          !error &&
          html`<div class="card">
            <h2>No face here</h2>
            <p class="muted">
              The detector finds faces of 16 pixels and more. Is one turned away or covered?
            </p>
          </div>`
        }
        ${
          face &&
          html`<section class="card" aria-label=${`Face ${selected + 1}`}>
            <h2>Face ${selected + 1}${describe(face) && `: ${describe(face)}`}</h2>
            ${
              refused[selected] &&
              html`<p>
                <span class="tag warn">would not be indexed</span> With QualityFilter AUTO, its
                default, IndexFaces refuses this face: ${refused[selected].join(", ")}.
              </p>`
            }
            <${Attributes} face=${face} />
          </section>`
        }
      </div>
      <div class="wire"><${Exchange} exchange=${exchange} /></div>
    </div>`;
}

function IndexStep() {
  const { sample, picture, faces, busy } = state.value;
  const [collection, setCollection] = useState(lastCollection.value || "people");
  const own = picture.name.replace(/\.\w+$/, "").replace(/[^\w.:-]+/g, "-");
  const [name, setName] = useState(sample ? sample.person : own);
  const submit = (event) => {
    event.preventDefault();
    index(collection.trim(), name.trim());
  };
  return html`<form class="card next stack" onSubmit=${submit}>
    <h2>Next: remember ${faces.length === 1 ? "this face" : "these faces"}</h2>
    <div class="row wide">
      <label class="field grow"
        ><span>Collection</span>
        <input
          value=${collection}
          required
          pattern="[a-zA-Z0-9_.\\-]+"
          maxlength="255"
          onInput=${(event) => setCollection(event.target.value)}
      /></label>
      <label class="field grow"
        ><span>ExternalImageId</span>
        <input
          value=${name}
          pattern="[a-zA-Z0-9_.\\-:]+"
          maxlength="255"
          onInput=${(event) => setName(event.target.value)}
      /></label>
    </div>
    <div class="row">
      <button class="primary" disabled=${Boolean(busy)}>
        Index ${plural(faces.length, "face")}
      </button>
      <span class="muted small">The collection is made if it is not there.</span>
    </div>
  </form>`;
}

function SearchStep() {
  const { indexed, sample, busy } = state.value;
  const refused = indexed.UnindexedFaces ?? [];
  const others = samples.filter((other) => other.file !== sample?.file);
  // The other picture of the same person comes first.
  const isOf = ({ person }) => Number(person === sample?.person);
  others.sort((one, other) => isOf(other) - isOf(one));
  const pick = async (other) => !busy && search(await openSample(other));
  return html`<section class="card next stack" aria-label="Search">
    <div>
      <h2>Next: find ${indexed.name || "them"} in another picture</h2>
      <p class="muted small">
        ${plural(indexed.FaceRecords.length, "face")} indexed in${" "}
        <a href=${href("collections", indexed.collection, "faces")}>${indexed.collection}</a>.
        ${
          refused.length > 0 &&
          ` ${plural(refused.length, "face")} not indexed: ${refused.flatMap(({ Reasons }) => Reasons).join(", ")}.`
        }
      </p>
    </div>
    <${Samples} compact onPick=${pick} only=${others} />
    <${Picker.Button} onPicture=${search} disabled=${Boolean(busy)} />
  </section>`;
}

function Hit({ hit, collection }) {
  const [best, ...others] = hit.FaceMatches;
  if (!best) {
    return html`<section class="card" aria-label="Result" role="status">
      <h2>Nobody in ${collection} is like this face</h2>
      <p class="muted">
        No Similarity reaches 80. <a href=${href("search")}>Search</a> shows those below, too.
      </p>
    </section>`;
  }
  return html`<section class="card" aria-label="Result" role="status">
    <div class="hit-pair">
      <img class="avatar large" src=${hit.crop} alt="The face that was searched" />
      <${Avatar} face=${best.Face} size="large" collection=${collection} />
      <div class="grow">
        <div class="similarity">${percent(best.Similarity)}</div>
        <h2>${best.Face.ExternalImageId ?? shortId(best.Face.FaceId)}</h2>
        <p class="muted small">
          Similarity of the picture searched to the face in ${collection}.
          ${others.length > 0 && ` ${plural(others.length, "more match", "more matches")}.`}
        </p>
      </div>
    </div>
  </section>`;
}
