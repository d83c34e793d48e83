// What is asked before a collection is made, tagged, imported or deleted.

import { html, useState } from "../lib/html.js";
import { admin, query } from "../lib/admin.js";
import { call } from "../lib/aws.js";
import { plural } from "../lib/figures.js";
import { account, lastCollection, region } from "../lib/state.js";
import { Busy, Dialog, Failure, toast } from "../parts/basics.js";

/** A form in a dialog: closes and reloads on success, shows the error otherwise. */
function DialogForm({ title, label, danger, disabled, onSubmit, onClose, onDone, children }) {
  const [error, setError] = useState();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await onSubmit(Object.fromEntries(new FormData(event.target)));
      onClose();
      onDone();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="stack" onSubmit=${submit} autocomplete="off">
      ${children}
      <${Failure} error=${error} />
      <div class="row">
        <button class=${danger ? "danger" : "primary"} disabled=${disabled || isBusy}>
          ${label}
        </button>
        ${isBusy && html`<${Busy} />`}
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

export const Create = (props) =>
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

export function Delete({ row, ...props }) {
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

export const Tags = ({ row, ...props }) =>
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

/** Reads an export into the account and region at hand, all of it or nothing. */
export const ImportFile = (props) =>
  html`<${DialogForm}
    title="Import"
    label="Import"
    ...${props}
    onSubmit=${async ({ file, name, replace }) => {
      const [to, at] = [account.value, region.value];
      const members = { account: to, region: at, as: name.trim(), replace: replace && "true" };
      const { collections } = await admin("POST", `import?${query(members)}`, file);
      const texts = collections.map(
        ({ collection, faces }) => `${collection}: ${plural(faces, "face")}`,
      );
      toast(`Imported ${texts.join(", ") || "no collection"}.`);
    }}
  >
    <p class="muted">
      A file of an export: collections with their faces, users and tags. They become those of
      account ${account.value} in ${region.value}, together and only if the whole file is sound.
    </p>
    <label class="field"
      ><span>File</span><input name="file" type="file" accept=".jsonl" required
    /></label>
    <label class="field"
      ><span>New name, if there is one collection in it</span>
      <input name="name" maxlength="255" pattern="[a-zA-Z0-9_.\\-]+" title="Letters, digits, _ . -"
    /></label>
    <label class="row"
      ><input type="checkbox" name="replace" />Replace collections of the same name</label
    >
  <//>`;
