// All collections of the account and region.

import { html, useEffect, useState } from "../lib/html.js";
import { admin, query, save, system } from "../lib/admin.js";
import { all, call } from "../lib/aws.js";
import { bytes, count, date, plural } from "../lib/figures.js";
import { account, go, href, lastCollection, region } from "../lib/state.js";
import { Busy, Empty, Failure, Head, Icon, Segments } from "../parts/basics.js";
import { Create, Delete, ImportFile, Tags } from "./collection-dialogs.js";
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
  const exportTo = async (id) => {
    try {
      await save(`export?${queryOf(id)}`, `${id ?? account.value}.jsonl`);
      setError(undefined);
    } catch (failure) {
      setError(failure);
    }
  };
  // Exports and imports belong to the control plane, the rest to the API.
  const onExport = system.value && exportTo;
  const actions = html`${
      onExport &&
      html`<button type="button" onClick=${() => setDialog({ kind: "import" })}>
          <${Icon} name="upload" />Import
        </button>
        ${
          rows?.length > 0 &&
          html`<button type="button" onClick=${() => exportTo()}>
            <${Icon} name="download" />Export all
          </button>`
        }`
    }
    <button type="button" class="primary" onClick=${() => setDialog({ kind: "create" })}>
      <${Icon} name="plus" />New collection
    </button>`;
  return html`<${Head} title="Collections" actions=${actions}>
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
            >${" "}
            make one with its first face. Collections of other accounts and regions are under
            “Account”.
          </p>
        <//>
      </div>`
    }
    ${rows?.length > 0 && html`<${Table} rows=${rows} onDialog=${setDialog} onExport=${onExport} />`}
    ${dialog?.kind === "import" && html`<${ImportFile} onClose=${() => setDialog(null)} onDone=${load} />`}
    ${dialog?.kind === "create" && html`<${Create} onClose=${() => setDialog(null)} onDone=${load} />`}
    ${dialog?.kind === "delete" && html`<${Delete} row=${dialog.row} onClose=${() => setDialog(null)} onDone=${load} />`}
    ${dialog?.kind === "tags" && html`<${Tags} row=${dialog.row} onClose=${() => setDialog(null)} onDone=${load} />`}`;
}

/** What names a collection to the control plane; without an id all of the account and region. */
const queryOf = (collection) =>
  query({ account: account.value, region: region.value, collection });

async function describe(id) {
  try {
    const { output } = await call("DescribeCollection", { CollectionId: id });
    const tags = await call("ListTagsForResource", { ResourceArn: output.CollectionARN }).catch(
      () => null,
    );
    return { id, ...output, tags: tags?.output.Tags ?? {}, held: await held(id) };
  } catch (error) {
    return { id, error };
  }
}

/** Bytes of the vectors that searches of a collection have loaded, where the control plane answers. */
async function held(collection) {
  if (!system.value) return undefined;
  const { faces, users } = await admin("GET", `memory?${queryOf(collection)}`).catch(() => ({}));
  return (faces?.bytes ?? 0) + (users?.bytes ?? 0);
}

const Table = ({ rows, onDialog, onExport }) =>
  html`<div class="scroll">
    <table aria-label="Collections">
      <thead>
        <tr>
          <th scope="col">Collection</th>
          <th scope="col" class="right">Faces</th>
          <th scope="col" class="right">Users</th>
          ${system.value && html`<th scope="col" class="right">In memory</th>`}
          <th scope="col">Model</th>
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
              ${system.value && html`<td class="right">${row.held > 0 ? bytes(row.held) : "–"}</td>`}
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
                ${
                  onExport &&
                  html`<button
                    type="button"
                    class="plain small"
                    aria-label=${`Export ${row.id}`}
                    onClick=${() => onExport(row.id)}
                  >
                    <${Icon} name="download" />
                  </button>`
                }
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
