// The faces of a collection: found, chosen, associated, deleted with ten seconds to think.

import { html, useEffect, useRef, useState } from "../lib/html.js";
import { all, call } from "../lib/aws.js";
import { shortId } from "../lib/picture.js";
import { count, percent, plural } from "../lib/figures.js";
import { href } from "../lib/state.js";
import { Avatar, Busy, Dialog, Empty, Failure, later, leaving, toast } from "../parts/basics.js";
import { Rows, useSelection } from "../parts/rows.js";
import { AddPictures } from "./add-pictures.js";

const PAGE = 1000;
/** AWS takes that many faces in one call. */
const MOST_DELETED = 4096;
const MOST_ASSOCIATED = 100;
const keyOf = ({ FaceId }) => FaceId;

/** Loads page after page as the end comes into view; rows keep their order. */
function useFaces(collection) {
  const [state, setState] = useState({ faces: [], isDone: false, error: null });
  const token = useRef(null);
  const isLoading = useRef(false);
  const load = async (isFresh) => {
    if (isLoading.current) return;
    isLoading.current = true;
    try {
      const input = { CollectionId: collection, MaxResults: PAGE };
      if (token.current && !isFresh) input.NextToken = token.current;
      const { output } = await call("ListFaces", input);
      token.current = output.NextToken;
      setState((before) => ({
        faces: isFresh ? output.Faces : [...before.faces, ...output.Faces],
        isDone: !output.NextToken,
        error: null,
      }));
    } catch (error) {
      setState((before) => ({ ...before, isDone: true, error }));
    }
    isLoading.current = false;
  };
  useEffect(() => {
    load(true);
  }, [collection]);
  const change = (edit) => setState((before) => ({ ...before, faces: edit(before.faces) }));
  return { ...state, load, change };
}

export function Faces({ collection, total, onChange }) {
  const { faces, isDone, error, load, change } = useFaces(collection);
  const [filter, setFilter] = useState("");
  const [dialog, setDialog] = useState(null);
  const wanted = filter.trim().toLowerCase();
  const shown = faces.filter(
    (face) =>
      !leaving.value.has(face.FaceId) &&
      (!wanted ||
        [face.ExternalImageId, face.UserId, face.FaceId].some((text) =>
          text?.toLowerCase().includes(wanted),
        )),
  );
  const { selected, toggle, toggleAll, clear } = useSelection(shown, keyOf);
  const chosen = shown.filter((face) => selected.has(face.FaceId));
  const close = () => setDialog(null);

  const remove = () => {
    const ids = chosen.map(keyOf);
    clear();
    later(`${plural(ids.length, "face")} deleted.`, ids, async () => {
      for (let start = 0; start < ids.length; start += MOST_DELETED) {
        await call("DeleteFaces", {
          CollectionId: collection,
          FaceIds: ids.slice(start, start + MOST_DELETED),
        });
      }
      change((before) => before.filter((face) => !ids.includes(face.FaceId)));
      onChange();
    });
  };
  const disassociate = async () => {
    try {
      for (const user of new Set(chosen.map(({ UserId }) => UserId).filter(Boolean))) {
        const ids = chosen.filter(({ UserId }) => UserId === user).map(keyOf);
        await call("DisassociateFaces", { CollectionId: collection, UserId: user, FaceIds: ids });
      }
      const ids = new Set(chosen.map(keyOf));
      change((before) =>
        before.map((face) => (ids.has(face.FaceId) ? { ...face, UserId: undefined } : face)),
      );
      clear();
    } catch (failure) {
      toast(`${failure.code}: ${failure.message}`, { seconds: 12 });
    }
  };

  const summary = [
    `${plural(shown.length, "face")} shown`,
    !isDone && `, of the first ${count(faces.length)}`,
    total != null && total !== faces.length && `; the collection has ${count(total)}`,
    ".",
  ];
  const columns = [
    {
      title: "Face",
      cell: (face) =>
        html`<div class="row">
          <${Avatar} face=${face} size="small" collection=${collection} />
          <span class="mono" title=${face.FaceId}>${shortId(face.FaceId)}</span>
        </div>`,
    },
    {
      title: "ExternalImageId",
      cell: (face) =>
        html`<div class="clip" title=${face.ExternalImageId}>${face.ExternalImageId ?? ""}</div>`,
    },
    {
      title: "User",
      cell: (face) => face.UserId && html`<span class="tag good">${face.UserId}</span>`,
    },
    { title: "Confidence", right: true, cell: (face) => percent(face.Confidence, 2) },
    {
      title: "Similar",
      isHidden: true,
      right: true,
      cell: (face) =>
        html`<button
          type="button"
          class="plain small"
          onClick=${() => setDialog({ kind: "similar", face })}
        >
          Similar faces
        </button>`,
    },
  ];
  return html`<div class="row spread low">
      <label class="field grow"
        ><span>Filter by ExternalImageId, user or id</span>
        <input type="search" value=${filter} onInput=${(event) => setFilter(event.target.value)}
      /></label>
      <button type="button" onClick=${() => setDialog({ kind: "add" })}>Add pictures</button>
    </div>
    <${Failure} error=${error} />
    ${!isDone && faces.length === 0 && html`<${Busy} label="Reading faces" />`}
    ${
      isDone &&
      !error &&
      faces.length === 0 &&
      html`<div class="card">
        <${Empty} title="No face yet">
          <p>
            Add pictures here, index them with an SDK, or start with${" "}
            <a href=${href("try")}>Try it</a>.
          </p><//
        >
      </div>`
    }
    ${
      faces.length > 0 &&
      html`<p class="small muted" aria-live="polite">
          ${summary}
          ${wanted && !isDone && html`${" "}<button type="button" class="small" onClick=${() => load()}>Look through more</button>`}
        </p>
        <${Rows}
          label="Faces"
          rows=${shown}
          columns=${columns}
          keyOf=${keyOf}
          selected=${selected}
          onToggle=${toggle}
          onToggleAll=${toggleAll}
          onEnd=${isDone || wanted ? undefined : load}
        />`
    }
    ${
      chosen.length > 0 &&
      html`<div class="bulk" role="toolbar" aria-label="Chosen faces">
        <strong>${plural(chosen.length, "face")} chosen</strong>
        <button type="button" class="small" onClick=${() => setDialog({ kind: "associate" })}>
          Associate with a user
        </button>
        ${chosen.some(({ UserId }) => UserId) && html`<button type="button" class="small" onClick=${disassociate}>Take from their users</button>`}
        <button type="button" class="small danger" onClick=${remove}>Delete</button>
        <button type="button" class="small plain" onClick=${clear}>Choose none</button>
      </div>`
    }
    ${dialog?.kind === "similar" && html`<${Similar} collection=${collection} face=${dialog.face} onClose=${close} />`}
    ${
      dialog?.kind === "add" &&
      html`<${AddPictures}
        collection=${collection}
        onClose=${() => {
          close();
          load(true);
          onChange();
        }}
      />`
    }
    ${
      dialog?.kind === "associate" &&
      html`<${Associate}
        collection=${collection}
        faces=${chosen}
        onClose=${close}
        onDone=${(user, ids) => {
          change((before) =>
            before.map((face) => (ids.has(face.FaceId) ? { ...face, UserId: user } : face)),
          );
          clear();
          onChange();
        }}
      />`
    }`;
}

function Associate({ collection, faces, onClose, onDone }) {
  const [users, setUsers] = useState([]);
  const [error, setError] = useState();
  useEffect(() => {
    all("ListUsers", { CollectionId: collection }, "Users").then(setUsers, setError);
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    const user = String(new FormData(event.target).get("user")).trim();
    const ids = faces.map(keyOf);
    try {
      if (!users.some(({ UserId }) => UserId === user)) {
        await call("CreateUser", { CollectionId: collection, UserId: user });
      }
      const refused = [];
      const done = new Set();
      for (let start = 0; start < ids.length; start += MOST_ASSOCIATED) {
        const FaceIds = ids.slice(start, start + MOST_ASSOCIATED);
        const input = { CollectionId: collection, UserId: user, FaceIds };
        const { output } = await call("AssociateFaces", input);
        output.AssociatedFaces.forEach(({ FaceId }) => done.add(FaceId));
        refused.push(...output.UnsuccessfulFaceAssociations);
      }
      onDone(user, done);
      const reasons = new Set(refused.flatMap(({ Reasons }) => Reasons));
      const rest = refused.length ? ` ${refused.length} refused: ${[...reasons].join(", ")}.` : "";
      toast(`${plural(done.size, "face")} associated with ${user}.${rest}`);
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title=${`Associate ${plural(faces.length, "face")}`} onClose=${onClose}>
    <form class="stack" onSubmit=${submit} autocomplete="off">
      <label class="field"
        ><span>User, a new one is made</span>
        <input name="user" list="users" required maxlength="128" pattern="[a-zA-Z0-9_.\\-:]+"
      /></label>
      <datalist id="users">
        ${users.map(({ UserId }) => html`<option key=${UserId} value=${UserId} />`)}
      </datalist>
      <${Failure} error=${error} />
      <div class="row"><button class="primary">Associate</button></div>
    </form>
  <//>`;
}

function Similar({ collection, face, onClose }) {
  const [state, setState] = useState(/** @type {Record<string, any>} */ ({}));
  useEffect(() => {
    const input = {
      CollectionId: collection,
      FaceId: face.FaceId,
      MaxFaces: 20,
      FaceMatchThreshold: 0,
    };
    call("SearchFaces", input).then(
      ({ output }) => setState({ matches: output.FaceMatches }),
      (error) => setState({ error }),
    );
  }, []);
  const { matches, error } = state;
  return html`<${Dialog}
    title=${`Similar to ${face.ExternalImageId ?? shortId(face.FaceId)}`}
    onClose=${onClose}
  >
    <${Failure} error=${error} />
    ${!matches && !error && html`<${Busy} label="Searching" />`}
    ${matches?.length === 0 && html`<p class="muted">There is no other face in the collection.</p>`}
    <ol class="matches">
      ${matches?.map(
        ({ Face, Similarity }) =>
          html`<li key=${Face.FaceId} class=${Similarity >= 80 ? "kept" : "dropped"}>
            <${Avatar} face=${Face} collection=${collection} />
            <div class="grow">
              <div>${Face.ExternalImageId ?? "–"}</div>
              <div class="small muted mono">${shortId(Face.FaceId)}</div>
            </div>
            <span class="similarity">${percent(Similarity)}</span>
          </li>`,
      )}
    </ol>
  <//>`;
}
