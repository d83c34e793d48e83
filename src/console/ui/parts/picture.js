// A picture with the faces that were found on it, the same faces as a list, and one in full.

import { html } from "../lib/html.js";
import { percent } from "../lib/figures.js";
import { describe, place } from "../lib/picture.js";

const share = (value) => `${value * 100}%`;

/**
 * `faces` have a BoundingBox; `selected` is an index; `marks` are the
 * indices that matched, `notes` what to add to each.
 */
export function Picture({
  picture,
  faces = [],
  selected,
  onSelect,
  marks = [],
  landmarks = true,
  notes = [],
  name,
}) {
  const label = (face, index) =>
    [
      `Face ${index + 1}`,
      place(face.BoundingBox),
      describe(face),
      notes[index] ?? (marks.includes(index) && "matches"),
    ]
      .filter(Boolean)
      .join(", ");
  return html`<div class="picture">
    <div class="stage">
      <img
        src=${picture.url}
        alt=${name ?? picture.name}
        width=${picture.width}
        height=${picture.height}
      />
      ${landmarks && faces[selected]?.Landmarks && html`<${Marks} face=${faces[selected]} picture=${picture} />`}
      ${faces.map(({ BoundingBox: box, ...face }, index) => {
        const title = label({ ...face, BoundingBox: box }, index);
        return html`<button
          key=${index}
          type="button"
          class=${marks.includes(index) ? "box hit" : "box"}
          style=${{
            left: share(box.Left),
            top: share(box.Top),
            width: share(box.Width),
            height: share(box.Height),
          }}
          tabindex="-1"
          aria-hidden="true"
          aria-pressed=${String(index === selected)}
          title=${title}
          onClick=${() => onSelect?.(index)}
        >
          <span>${index + 1}</span>
        </button>`;
      })}
    </div>
    ${
      faces.length > 0 &&
      html`<ul class="pick-list" aria-label="Faces in the picture">
        ${faces.map(
          (face, index) =>
            html`<li key=${index}>
              <button
                type="button"
                class=${marks.includes(index) ? "hit" : ""}
                aria-pressed=${String(index === selected)}
                onClick=${() => onSelect?.(index)}
              >
                ${label(face, index)}
              </button>
            </li>`,
        )}
      </ul>`
    }
  </div>`;
}

/** Landmarks as dots; the pose as the axes of the head, from the nose. */
function Marks({ face, picture: { width, height } }) {
  const { Landmarks: landmarks, BoundingBox: box, Pose: pose } = face;
  const size = (box.Width * width) / 90;
  const nose = landmarks.find(({ Type }) => Type === "nose") ?? landmarks[0];
  const [x, y] = [nose.X * width, nose.Y * height];
  return html`<svg
    viewBox=${`0 0 ${width} ${height}`}
    preserveAspectRatio="none"
    aria-hidden="true"
  >
    ${landmarks.map(
      ({ Type, X, Y }) =>
        html`<circle key=${Type} class="landmark" cx=${X * width} cy=${Y * height} r=${size}>
          <title>${Type}</title>
        </circle>`,
    )}
    ${
      pose &&
      axes(pose).map(
        ([axis, right, down]) =>
          html`<path
            key=${axis}
            class=${`axis ${axis}`}
            d=${`M${x} ${y}l${right * box.Width * width * 0.42} ${down * box.Width * width * 0.42}`}
          />`,
      )
    }
  </svg>`;
}

/**
 * Where the head's own axes point on the picture: right of the face, up, and out of it.
 *
 * @returns {[string, number, number][]}
 */
function axes({ Yaw, Pitch, Roll }) {
  const [yaw, pitch, roll] = [Yaw, Pitch, Roll].map((degrees) => (degrees * Math.PI) / 180);
  /** @returns {[number, number]} */
  const turn = (x, y) => [
    x * Math.cos(roll) - y * Math.sin(roll),
    x * Math.sin(roll) + y * Math.cos(roll),
  ];
  return [
    ["x", ...turn(Math.cos(yaw), 0)],
    ["y", ...turn(0, -Math.cos(pitch))],
    ["z", ...turn(Math.sin(yaw), -Math.sin(pitch))],
  ];
}

const words = {
  Smile: "Smile",
  Eyeglasses: "Eyeglasses",
  Sunglasses: "Sunglasses",
  Beard: "Beard",
  Mustache: "Mustache",
  EyesOpen: "Eyes open",
  MouthOpen: "Mouth open",
  FaceOccluded: "Occluded",
};

export const Bar = ({ value }) =>
  html`<span class="bar" aria-hidden="true"><span style=${{ width: `${value}%` }}></span></span>`;

const Row = ({ name, value, confidence }) =>
  html`<div>
    <dt>${name}</dt>
    <dd class=${confidence == null ? "value alone" : "value"}>${value}</dd>
    ${confidence != null && html`<dd class="sure number"><${Bar} value=${confidence} />${percent(confidence)}</dd>`}
  </div>`;

/** `face` is a FaceDetail with all attributes. */
export function Attributes({ face }) {
  const { Pose: pose, Quality: quality, EyeDirection: eyes } = face;
  const emotions = [...(face.Emotions ?? [])].sort(
    (one, other) => other.Confidence - one.Confidence,
  );
  return html`<dl class="bars">
    <${Row} name="Face" value="found" confidence=${face.Confidence} />
    ${face.Gender && html`<${Row} name="Gender" value=${face.Gender.Value} confidence=${face.Gender.Confidence} />`}
    ${face.AgeRange && html`<${Row} name="Age" value=${`${face.AgeRange.Low}–${face.AgeRange.High}`} />`}
    ${Object.entries(words).map(
      ([name, text]) =>
        face[name] &&
        html`<${Row}
          key=${name}
          name=${text}
          value=${face[name].Value ? "yes" : "no"}
          confidence=${face[name].Confidence}
        />`,
    )}
    ${emotions
      .slice(0, 3)
      .map(
        ({ Type, Confidence }, index) =>
          html`<${Row}
            key=${Type}
            name=${index ? "" : "Emotion"}
            value=${Type.toLowerCase()}
            confidence=${Confidence}
          />`,
      )}
    ${
      quality &&
      html`<${Row} name="Sharpness" value=${percent(quality.Sharpness, 0)} />
        <${Row} name="Brightness" value=${percent(quality.Brightness, 0)} />`
    }
    ${
      pose &&
      html`<${Row}
        name="Pose"
        value=${`yaw ${percent(pose.Yaw, 0)}°, pitch ${percent(pose.Pitch, 0)}°, roll ${percent(pose.Roll, 0)}°`}
      />`
    }
    ${
      eyes &&
      html`<${Row}
        name="Gaze"
        value=${`yaw ${percent(eyes.Yaw, 0)}°, pitch ${percent(eyes.Pitch, 0)}°`}
        confidence=${eyes.Confidence}
      />`
    }
  </dl>`;
}
