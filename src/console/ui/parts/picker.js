// Four ways to a picture: a sample, a file, the clipboard, the camera. And one to a collection.

import { html, useEffect, useRef, useState } from "../lib/html.js";
import { all } from "../lib/aws.js";
import { open, openSample } from "../lib/picture.js";
import { account, lastCollection, region } from "../lib/state.js";
import { Busy, Dialog, Failure, Icon } from "./basics.js";

/** The pictures that the server carries; the people do not exist. */
export const samples = [
  { file: "ana-1.jpg", person: "ana", label: "Ana" },
  { file: "ana-2.jpg", person: "ana", label: "Ana again" },
  { file: "ben.jpg", person: "ben", label: "Ben" },
  { file: "group.jpg", person: "", label: "Three people" },
];

export const Samples = ({ onPick, compact, only = samples }) =>
  html`<div class=${compact ? "samples compact" : "samples"}>
    ${only.map(
      (sample) =>
        html`<button type="button" key=${sample.file} onClick=${() => onPick(sample)}>
          <img src=${`samples/${sample.file}`} alt="" />
          ${compact ? html`<span class="hidden-text">${sample.label}</span>` : sample.label}
        </button>`,
    )}
  </div>`;

/** Hands pictures to `onPicture(picture, sample)`. `compact` is for a picture that replaces another. */
export function Picker({
  onPicture,
  compact,
  label = "Drop a picture",
  pasteHere = true,
  children,
}) {
  const [state, setState] = useState(/** @type {Record<string, any>} */ ({}));
  const [isOver, setOver] = useState(false);
  const [isCamera, setCamera] = useState(false);
  const input = useRef(null);

  const take = async (source) => {
    setState({ busy: true });
    try {
      onPicture(await source(), undefined);
      setState({});
    } catch (error) {
      setState({ error });
    }
  };
  const takeFiles = (files) => {
    const file = [...files].find(({ type }) => type.startsWith("image/"));
    if (file) take(() => open(file));
    else setState({ error: new Error("That is no picture.") });
  };
  const takeSample = async (sample) => {
    setState({ busy: true });
    try {
      onPicture(await openSample(sample), sample);
      setState({});
    } catch (error) {
      setState({ error });
    }
  };
  useEffect(() => {
    if (!pasteHere) return undefined;
    const paste = (event) => {
      if (event.clipboardData.files.length) takeFiles(event.clipboardData.files);
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);

  const drag = (isIn) => (event) => {
    event.preventDefault();
    setOver(isIn);
  };
  return html`<section
    class=${`drop ${compact ? "compact" : ""} ${isOver ? "over" : ""}`}
    aria-label=${label}
    onDragOver=${drag(true)}
    onDragLeave=${drag(false)}
    onDrop=${(event) => {
      drag(false)(event);
      takeFiles(event.dataTransfer.files);
    }}
  >
    ${!compact && html`<h2>${label}</h2>`} ${children}
    <div class="row">
      <button
        type="button"
        class=${compact ? "small" : "primary"}
        onClick=${() => input.current.click()}
      >
        <${Icon} name="upload" />Choose a file
      </button>
      <button type="button" class=${compact ? "small" : ""} onClick=${() => setCamera(true)}>
        <${Icon} name="camera" />Use the camera
      </button>
      ${pasteHere && !compact && html`<span class="muted small">or paste one</span>`}
    </div>
    <input
      ref=${input}
      type="file"
      accept="image/*"
      hidden
      aria-label=${label}
      onChange=${(event) => {
        takeFiles(event.target.files);
        event.target.value = "";
      }}
    />
    <${Samples} onPick=${takeSample} compact=${compact} />
    ${state.busy && html`<${Busy} label="Reading the picture" />`}
    <${Failure} error=${state.error} />
    ${
      isCamera &&
      html`<${Camera}
        onClose=${() => setCamera(false)}
        onPicture=${(picture) => {
          setCamera(false);
          onPicture(picture, undefined);
        }}
      />`
    }
  </section>`;
}

/** A lone button that reads a file. */
Picker.Button = function FileButton({ onPicture, disabled, label = "Choose a file" }) {
  const input = useRef(null);
  const [error, setError] = useState();
  const take = async (file) => {
    try {
      setError(undefined);
      if (file) onPicture(await open(file));
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<div class="stack tight">
    <div class="row">
      <button
        type="button"
        class="small"
        disabled=${disabled}
        onClick=${() => input.current.click()}
      >
        <${Icon} name="upload" />${label}
      </button>
    </div>
    <input
      ref=${input}
      type="file"
      accept="image/*"
      hidden
      aria-label=${label}
      onChange=${(event) => take(event.target.files[0])}
    />
    <${Failure} error=${error} />
  </div>`;
};

function Camera({ onClose, onPicture }) {
  const video = useRef(null);
  const [error, setError] = useState();
  useEffect(() => {
    let stream;
    const start = async () => {
      if (!navigator.mediaDevices) {
        throw new Error("Browsers give the camera only to https:// and localhost.");
      }
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 } });
      if (video.current) video.current.srcObject = stream;
    };
    start().catch(setError);
    return () => stream?.getTracks().forEach((track) => track.stop());
  }, []);
  const shoot = async () => {
    const { videoWidth, videoHeight } = video.current;
    const canvas = Object.assign(document.createElement("canvas"), {
      width: videoWidth,
      height: videoHeight,
    });
    canvas.getContext("2d").drawImage(video.current, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    onPicture(await open(blob, "camera.jpg"));
  };
  return html`<${Dialog} title="Take a picture" onClose=${onClose}>
    <${Failure} error=${error} />
    ${
      !error &&
      html`<video ref=${video} autoplay muted playsinline aria-label="What the camera sees"></video>
        <button type="button" class="primary" onClick=${shoot}>
          <${Icon} name="camera" />Take it
        </button>`
    }
  <//>`;
}

/** The collections of the account and region: `{ids, error}`, both empty until they are known. */
export function useCollections() {
  const [state, setState] = useState({ ids: null, error: null });
  const load = () =>
    all("ListCollections", {}, "CollectionIds").then(
      (ids) => {
        setState({ ids, error: null });
        if (!ids.includes(lastCollection.value)) lastCollection.value = ids[0] ?? "";
      },
      (error) => setState({ ids: null, error }),
    );
  useEffect(() => {
    load();
  }, [account.value, region.value]);
  return state;
}

export const CollectionSelect = ({ ids }) =>
  html`<label class="field">
    <span>Collection</span>
    <select
      value=${lastCollection.value}
      onChange=${(event) => (lastCollection.value = event.target.value)}
    >
      ${ids.map((id) => html`<option key=${id} value=${id}>${id}</option>`)}
    </select>
  </label>`;
