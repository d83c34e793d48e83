// Many pictures into a collection: looked at first, then indexed one after the other.

import { html, useRef, useState } from "../lib/html.js";
import { call } from "../lib/aws.js";
import { open, remember } from "../lib/picture.js";
import { plural } from "../lib/figures.js";
import { Dialog, Icon } from "../parts/basics.js";

/** The name of the folder is the person; a lone file is one by its own name. */
function nameOf(file) {
  const folders = (file.webkitRelativePath || "").split("/").slice(1, -1);
  const name = folders.at(-1) ?? file.name.replace(/\.\w+$/, "");
  return name.replace(/[^\w.:-]+/g, "-").slice(0, 255) || "picture";
}

export function AddPictures({ collection, onClose }) {
  const [items, setItems] = useState([]);
  const [isRunning, setRunning] = useState(false);
  const files = useRef(null);
  const folder = useRef(null);
  const stop = useRef(false);

  const add = (list) => {
    const pictures = [...list].filter(({ type }) => type.startsWith("image/"));
    setItems((before) => [
      ...before,
      ...pictures.map((file) => ({ file, name: nameOf(file), status: "waits" })),
    ]);
  };
  const update = (item, change) => {
    setItems((before) =>
      before.map((other) => (other.file === item.file ? { ...other, ...change } : other)),
    );
  };
  const run = async () => {
    setRunning(true);
    stop.current = false;
    for (const item of items) {
      if (stop.current) break;
      if (item.status === "done") continue;
      update(item, { status: "runs" });
      try {
        const picture = await open(item.file);
        const { output } = await call("IndexFaces", {
          CollectionId: collection,
          ExternalImageId: item.name,
          Image: { Bytes: picture.bytes },
        });
        await remember(picture, output.FaceRecords);
        URL.revokeObjectURL(picture.url);
        const reasons = new Set(output.UnindexedFaces.flatMap(({ Reasons }) => Reasons));
        update(item, {
          status: "done",
          faces: output.FaceRecords.length,
          note: [...reasons].join(", "),
        });
      } catch (error) {
        update(item, { status: "failed", note: `${error.code ?? ""} ${error.message}` });
      }
    }
    setRunning(false);
  };
  const done = items.filter(({ status }) => status === "done");
  const faces = done.reduce((sum, item) => sum + item.faces, 0);
  const names = new Set(items.map(({ name }) => name)).size;
  const summary =
    `${plural(items.length, "picture")} of ${plural(names, "name")}; ` +
    `${plural(done.length, "picture")} done, ${plural(faces, "face")} indexed.`;
  const left = items.length - done.length;
  return html`<${Dialog}
    title=${`Add pictures to ${collection}`}
    broad
    onClose=${() => {
      stop.current = true;
      onClose();
    }}
  >
    <div
      class="drop compact"
      onDragOver=${(event) => event.preventDefault()}
      onDrop=${(event) => {
        event.preventDefault();
        add(event.dataTransfer.files);
      }}
    >
      <p class="muted">
        A folder with one folder a person gives each face that person's name as ExternalImageId; a
        lone file gives it the file's. Nothing is sent before you start.
      </p>
      <div class="row">
        <button type="button" onClick=${() => folder.current.click()}>
          <${Icon} name="collections" />Choose a folder
        </button>
        <button type="button" onClick=${() => files.current.click()}>
          <${Icon} name="upload" />Choose files
        </button>
      </div>
      <input
        ref=${folder}
        type="file"
        webkitdirectory
        multiple
        hidden
        aria-label="A folder of pictures"
        onChange=${(event) => add(event.target.files)}
      />
      <input
        ref=${files}
        type="file"
        accept="image/*"
        multiple
        hidden
        aria-label="Pictures to add"
        onChange=${(event) => add(event.target.files)}
      />
    </div>
    ${
      items.length > 0 &&
      html`<div class="row spread">
          <p role="status">${summary}</p>
          ${
            isRunning
              ? html`<button type="button" onClick=${() => (stop.current = true)}>Pause</button>`
              : html`<button type="button" class="primary" disabled=${!left} onClick=${run}>
                  Index ${plural(left, "picture")}
                </button>`
          }
        </div>
        <div
          class="scroll"
          tabindex="0"
          role="region"
          aria-label="Pictures"
          style=${{ maxHeight: "320px" }}
        >
          <table aria-label="Pictures">
            <thead>
              <tr>
                <th scope="col">Picture</th>
                <th scope="col">ExternalImageId</th>
                <th scope="col">Result</th>
              </tr>
            </thead>
            <tbody>
              ${items.map(
                (item, index) =>
                  html`<tr key=${index}>
                    <td><div class="clip">${item.file.name}</div></td>
                    <td>${item.name}</td>
                    <td>
                      <span
                        class=${`tag ${{ done: item.faces ? "good" : "warn", failed: "bad" }[item.status] ?? ""}`}
                      >
                        ${item.status === "done" ? plural(item.faces, "face") : item.status}
                      </span>
                      ${item.note && html`${" "}<span class="small muted">${item.note}</span>`}
                    </td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>`
    }
  <//>`;
}
