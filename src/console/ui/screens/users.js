// The users of a collection and the faces that make them up.

import { html, useEffect, useState } from "../lib/html.js";
import { all, call } from "../lib/aws.js";
import { shortId } from "../lib/picture.js";
import { plural } from "../lib/figures.js";
import {
  Avatar,
  Busy,
  Dialog,
  Empty,
  Failure,
  Icon,
  later,
  leaving,
  toast,
} from "../parts/basics.js";
import { Rows, useSelection } from "../parts/rows.js";

const keyOf = ({ UserId }) => UserId;

export function Users({ collection, onChange }) {
  const [users, setUsers] = useState(null);
  const [error, setError] = useState();
  const [filter, setFilter] = useState("");
  const [shownUser, setShownUser] = useState(null);
  const [isNew, setNew] = useState(false);
  const load = () =>
    all("ListUsers", { CollectionId: collection }, "Users").then(setUsers, setError);
  useEffect(() => {
    load();
  }, [collection]);
  const wanted = filter.trim().toLowerCase();
  const shown = (users ?? []).filter(
    ({ UserId }) => !leaving.value.has(UserId) && UserId.toLowerCase().includes(wanted),
  );
  const { selected, toggle, toggleAll, clear } = useSelection(shown, keyOf);
  const chosen = shown.filter(({ UserId }) => selected.has(UserId)).map(keyOf);
  const remove = () => {
    clear();
    later(`${plural(chosen.length, "user")} deleted.`, chosen, async () => {
      for (const UserId of chosen) await call("DeleteUser", { CollectionId: collection, UserId });
      await load();
      onChange();
    });
  };
  const columns = [
    {
      title: "User",
      cell: (user) =>
        html`<div class="row">
          <${Avatar} face=${user} size="small" /><strong>${user.UserId}</strong>
        </div>`,
    },
    {
      title: "Status",
      cell: ({ UserStatus }) =>
        html`<span class=${UserStatus === "ACTIVE" ? "tag good" : "tag warn"}>${UserStatus}</span>`,
    },
    {
      title: "Faces",
      isHidden: true,
      right: true,
      cell: ({ UserId }) =>
        html`<button type="button" class="plain small" onClick=${() => setShownUser(UserId)}>
          Faces of ${UserId}
        </button>`,
    },
  ];
  return html`<div class="row spread low">
      <label class="field grow"
        ><span>Filter by user id</span>
        <input type="search" value=${filter} onInput=${(event) => setFilter(event.target.value)}
      /></label>
      <button type="button" onClick=${() => setNew(true)}><${Icon} name="plus" />New user</button>
    </div>
    <${Failure} error=${error} />
    ${!users && !error && html`<${Busy} label="Reading users" />`}
    ${
      users?.length === 0 &&
      html`<div class="card">
        <${Empty} title="No user yet">
          <p>
            A user joins up to 100 faces of one person into one vector. Choose faces under “Faces”
            and associate them, or make an empty user here.
          </p><//
        >
      </div>`
    }
    ${
      users?.length > 0 &&
      html`<${Rows}
        label="Users"
        rows=${shown}
        columns=${columns}
        keyOf=${keyOf}
        selected=${selected}
        onToggle=${toggle}
        onToggleAll=${toggleAll}
      />`
    }
    ${
      chosen.length > 0 &&
      html`<div class="bulk" role="toolbar" aria-label="Chosen users">
        <strong>${plural(chosen.length, "user")} chosen</strong>
        <button type="button" class="small danger" onClick=${remove}>Delete</button>
        <button type="button" class="small plain" onClick=${clear}>Choose none</button>
      </div>`
    }
    ${
      isNew &&
      html`<${NewUser}
        collection=${collection}
        onClose=${() => setNew(false)}
        onDone=${() => {
          load();
          onChange();
        }}
      />`
    }
    ${
      shownUser &&
      html`<${UserFaces}
        collection=${collection}
        user=${shownUser}
        onClose=${() => {
          setShownUser(null);
          load();
        }}
      />`
    }`;
}

function NewUser({ collection, onClose, onDone }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    const UserId = String(new FormData(event.target).get("user")).trim();
    try {
      await call("CreateUser", { CollectionId: collection, UserId });
      onClose();
      onDone();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title="New user" onClose=${onClose}>
    <form class="stack" onSubmit=${submit} autocomplete="off">
      <label class="field"
        ><span>User id</span>
        <input
          name="user"
          required
          maxlength="128"
          pattern="[a-zA-Z0-9_.\\-:]+"
          title="Letters, digits, _ . - :"
      /></label>
      <${Failure} error=${error} />
      <div class="row"><button class="primary">Create</button></div>
    </form>
  <//>`;
}

function UserFaces({ collection, user, onClose }) {
  const [faces, setFaces] = useState(null);
  const [odd, setOdd] = useState(null);
  const [error, setError] = useState();
  const load = () =>
    all("ListFaces", { CollectionId: collection, UserId: user }, "Faces").then(setFaces, setError);
  useEffect(() => {
    load();
  }, []);
  const take = async (FaceId) => {
    try {
      await call("DisassociateFaces", {
        CollectionId: collection,
        UserId: user,
        FaceIds: [FaceId],
      });
      toast(`A face was taken from ${user}.`);
      await load();
    } catch (failure) {
      setError(failure);
    }
  };
  /** A face that is nearest to somebody else's is worth a look. */
  const check = async () => {
    try {
      const found = new Map();
      for (const { FaceId } of faces) {
        const input = { CollectionId: collection, FaceId, MaxUsers: 1, UserMatchThreshold: 80 };
        const { output } = await call("SearchUsers", input);
        const nearest = output.UserMatches[0]?.User.UserId ?? "nobody";
        if (nearest !== user) found.set(FaceId, nearest);
      }
      setOdd(found);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title=${`Faces of ${user}`} onClose=${onClose}>
    <${Failure} error=${error} />
    ${!faces && !error && html`<${Busy} label="Reading faces" />`}
    ${faces?.length === 0 && html`<p class="muted">No face is associated with ${user} yet.</p>`}
    <ul class="matches">
      ${faces?.map(
        (face) =>
          html`<li key=${face.FaceId}>
            <${Avatar} face=${face} collection=${collection} />
            <div class="grow">
              <div>${face.ExternalImageId ?? "–"}</div>
              <div class="small muted mono">${shortId(face.FaceId)}</div>
            </div>
            ${odd?.has(face.FaceId) ? html`<span class="tag warn">nearest: ${odd.get(face.FaceId)}</span>` : html`<span></span>`}
            <button type="button" class="small plain" onClick=${() => take(face.FaceId)}>
              Take away
            </button>
          </li>`,
      )}
    </ul>
    ${
      faces?.length > 1 &&
      html`<div class="row">
        <button type="button" class="small" onClick=${check}>Check whether they agree</button>
        <span role="status" class="small muted"
          >${odd && (odd.size ? "" : "Each is nearest to this user.")}</span
        >
      </div>`
    }
  <//>`;
}
