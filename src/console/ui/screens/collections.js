// All collections of the account and region.

import { html, useEffect, useState } from "../lib/html.js";
import { all, call } from "../lib/aws.js";
import { count, date, plural } from "../lib/figures.js";
import { account, go, href, lastCollection, region } from "../lib/state.js";
import { Busy, Dialog, Empty, Failure, Head, Icon, Segments, toast } from "../parts/basics.js";
import { Faces } from "./faces.js";
import { Users } from "./users.js";

/** Collections whose facts are asked for at once. */
const AT_ONCE = 6;

export function Collections({ rest }) {
  if (rest[0])
    return html`<${Collection} key=${rest[0]} id=${rest[0]} tab=${rest[1] ?? "faces"} />`;
  return html`<${List} />`;
}

function List() {
  const [rows, setRows] = useState(null);
  const [error, setError] = useState();
  const [dialog, setDialog] = useState(null);
  const load = async () => {
    try {
      const ids = await all("ListCollections", {}, "CollectionIds");
      let known = ids.map((id) => ({ id }));
      setRows(known);
      for (let start = 0; start < ids.length; start += AT_ONCE) {
        const described = await Promise.all(ids.slice(start, start + AT_ONCE).map(describe));
        known = known.map((row) => described.find(({ id }) => id === row.id) ?? row);
        setRows(known);
      }
      setError(undefined);
    } catch (failure) {
      setError(failure);
    }
  };
  useEffect(() => {
    load();
  }, [account.value, region.value]);
  const create = html`<button
    type="button"
    class="primary"
    onClick=${() => setDialog({ kind: "create" })}
  >
    <${Icon} name="plus" />New collection
  </button>`;
  return html`<${Head} title="Collections" actions=${create}>
      ${`${rows ? plural(rows.length, "collection") : "Collections"} of account ${account.value} in ${region.value}.`}
    <//>
    <${Failure} error=${error} />
    ${!rows && !error && html`<${Busy} label="Reading collections" />`}
    ${
      rows?.length === 0 &&
      html`<div class="card">
        <${Empty} title="No collection yet">
          <p>
            A collection holds the faces that searches compare with. Make one here, or let ${" "}<a
              href=${href("try")}
              >Try it</a
            >
            make one with its first face. Collections of other accounts and regions are under
            “Account”.
          </p>
        <//>
      </div>`
    }
    ${rows?.length > 0 && html`<${Table} rows=${rows} onDialog=${setDialog} />`}
    ${dialog?.kind === "create" && html`<${Create} onClose=${() => setDialog(null)} onDone=${load} />`}
    ${dialog?.kind === "delete" && html`<${Delete} row=${dialog.row} onClose=${() => setDialog(null)} onDone=${load} />`}
    ${dialog?.kind === "tags" && html`<${Tags} row=${dialog.row} onClose=${() => setDialog(null)} onDone=${load} />`}`;
}

async function describe(id) {
  try {
    const { output } = await call("DescribeCollection", { CollectionId: id });
    const tags = await call("ListTagsForResource", { ResourceArn: output.CollectionARN }).catch(
      () => null,
    );
    return { id, ...output, tags: tags?.output.Tags ?? {} };
  } catch (error) {
    return { id, error };
  }
}

const Table = ({ rows, onDialog }) =>
  html`<div class="scroll">
    <table aria-label="Collections">
      <thead>
        <tr>
          <th scope="col">Collection</th>
          <th scope="col" class="right">Faces</th>
          <th scope="col" class="right">Users</th>
          <th scope="col">Model version</th>
          <th scope="col">Created</th>
          <th scope="col">Tags</th>
          <th scope="col"><span class="hidden-text">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr key=${row.id}>
              <td>
                <a href=${href("collections", row.id, "faces")}><strong>${row.id}</strong></a>
              </td>
              <td class="right">${count(row.FaceCount)}</td>
              <td class="right">${count(row.UserCount)}</td>
              <td>
                ${row.error ? html`<span class="tag bad">${row.error.code}</span>` : row.FaceModelVersion}
              </td>
              <td>${row.CreationTimestamp ? date(row.CreationTimestamp) : ""}</td>
              <td>
                <div class="row">
                  ${Object.entries(row.tags ?? {}).map(
                    ([key, value]) =>
                      html`<span class="tag" key=${key}>${key}${value && `: ${value}`}</span>`,
                  )}
                </div>
              </td>
              <td class="right">
                <button
                  type="button"
                  class="plain small"
                  aria-label=${`Tags of ${row.id}`}
                  disabled=${!row.CollectionARN}
                  onClick=${() => onDialog({ kind: "tags", row })}
                >
                  Tags
                </button>
                <button
                  type="button"
                  class="plain small"
                  aria-label=${`Delete ${row.id}`}
                  onClick=${() => onDialog({ kind: "delete", row })}
                >
                  <${Icon} name="trash" />
                </button>
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

/** A form in a dialog: closes and reloads on success, shows the error otherwise. */
function DialogForm({ title, label, danger, disabled, onSubmit, onClose, onDone, children }) {
  const [error, setError] = useState();
  const submit = async (event) => {
    event.preventDefault();
    try {
      await onSubmit(Object.fromEntries(new FormData(event.target)));
      onClose();
      onDone();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="stack" onSubmit=${submit} autocomplete="off">
      ${children}
      <${Failure} error=${error} />
      <div class="row">
        <button class=${danger ? "danger" : "primary"} disabled=${disabled}>${label}</button>
      </div>
    </form>
  <//>`;
}

/** "team=door, owner=ana" as a map. */
function parseTags(text) {
  const pairs = text
    .split(/[,\n]/)
    .map((pair) => pair.trim())
    .filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key, ...value] = pair.split("=");
      return [key.trim(), value.join("=").trim()];
    }),
  );
}

const Create = (props) =>
  html`<${DialogForm}
    title="New collection"
    label="Create"
    ...${props}
    onSubmit=${async ({ id, tags }) => {
      const Tags = parseTags(tags);
      await call("CreateCollection", {
        CollectionId: id,
        ...(Object.keys(Tags).length && { Tags }),
      });
      lastCollection.value = id;
      toast(`${id} is there.`);
    }}
  >
    <label class="field"
      ><span>Collection id</span>
      <input
        name="id"
        required
        maxlength="255"
        pattern="[a-zA-Z0-9_.\\-]+"
        title="Letters, digits, _ . -"
    /></label>
    <label class="field"
      ><span>Tags, as key=value with commas</span><input name="tags" placeholder="team=door"
    /></label>
  <//>`;

function Delete({ row, ...props }) {
  const [typed, setTyped] = useState("");
  return html`<${DialogForm}
    title=${`Delete ${row.id}`}
    label="Delete for good"
    danger
    disabled=${typed !== row.id}
    ...${props}
    onSubmit=${async () => {
      await call("DeleteCollection", { CollectionId: row.id });
      toast(`${row.id} is deleted.`);
    }}
  >
    <p>
      ${plural(row.FaceCount ?? 0, "face")} and ${plural(row.UserCount ?? 0, "user")} are deleted
      with it. This cannot be undone.
    </p>
    <label class="field"
      ><span>Type ${row.id} to confirm</span>
      <input value=${typed} onInput=${(event) => setTyped(event.target.value)}
    /></label>
  <//>`;
}

const Tags = ({ row, ...props }) =>
  html`<${DialogForm}
    title=${`Tags of ${row.id}`}
    label="Save"
    ...${props}
    onSubmit=${async ({ tags }) => {
      const wanted = parseTags(tags);
      const ResourceArn = row.CollectionARN;
      const gone = Object.keys(row.tags).filter((key) => !(key in wanted));
      if (gone.length) await call("UntagResource", { ResourceArn, TagKeys: gone });
      if (Object.keys(wanted).length) await call("TagResource", { ResourceArn, Tags: wanted });
    }}
  >
    <label class="field"
      ><span>One key=value a line</span>
      <textarea name="tags">
${Object.entries(row.tags)
          .map((pair) => pair.join("="))
          .join("\n")}</textarea>
    </label>
  <//>`;

function Collection({ id, tab }) {
  const [facts, setFacts] = useState(null);
  const [error, setError] = useState();
  const load = () =>
    call("DescribeCollection", { CollectionId: id }).then(
      ({ output }) => setFacts(output),
      setError,
    );
  useEffect(() => {
    lastCollection.value = id;
    load();
  }, [tab]);
  const tabs = html`<${Segments}
    label="Faces or users"
    value=${tab}
    options=${[
      ["faces", "Faces"],
      ["users", "Users"],
    ]}
    onChange=${(next) => go("collections", id, next)}
  />`;
  return html`<${Head} title=${id} actions=${tabs}>
      <a href=${href("collections")}>Collections</a>
      ${
        facts &&
        html` · ${plural(facts.FaceCount, "face")}, ${plural(facts.UserCount ?? 0, "user")} · model
        version ${" "}${facts.FaceModelVersion} · created ${date(facts.CreationTimestamp)}`
      }
    <//>
    <${Failure} error=${error} />
    ${
      !error &&
      (tab === "users"
        ? html`<${Users} collection=${id} onChange=${load} />`
        : html`<${Faces} collection=${id} total=${facts?.FaceCount} onChange=${load} />`)
    }`;
}
