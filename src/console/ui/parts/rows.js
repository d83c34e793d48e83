// A table of any length: only the rows in view are in the page.

import { html, useEffect, useRef, useState } from "../lib/html.js";

const ROW = 49;
const MARGIN = 8;

/**
 * `columns` are `{title, cell(row), right}`; `onEnd` is called when the last rows come into view.
 * Rows keep the order in which they came.
 */
export function Rows({
  label,
  rows,
  columns,
  keyOf,
  selected,
  onToggle,
  onToggleAll,
  onEnd,
  height = 560,
}) {
  const frame = useRef(null);
  const [top, setTop] = useState(0);
  const first = Math.max(0, Math.floor(top / ROW) - MARGIN);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + MARGIN);
  useEffect(() => {
    if (onEnd && last >= rows.length - MARGIN) onEnd();
  }, [last, rows.length, onEnd]);
  const isAll = rows.length > 0 && rows.every((row) => selected.has(keyOf(row)));
  const filler = (count) =>
    count > 0 &&
    html`<tr aria-hidden="true" style=${{ height: `${count * ROW}px` }}>
      <td colspan=${columns.length + 1}></td>
    </tr>`;
  return html`<div
    class="scroll"
    tabindex="0"
    role="region"
    aria-label=${label}
    ref=${frame}
    style=${{ maxHeight: `${height}px` }}
    onScroll=${() => setTop(frame.current.scrollTop)}
  >
    <table aria-rowcount=${rows.length + 1} aria-label=${label}>
      <thead>
        <tr aria-rowindex="1">
          <th scope="col">
            <input
              type="checkbox"
              aria-label="Select all shown"
              checked=${isAll}
              onChange=${() => onToggleAll(!isAll)}
            />
          </th>
          ${columns.map(
            ({ title, right, isHidden }) =>
              html`<th scope="col" key=${title} class=${right ? "right" : ""}>
                ${isHidden ? html`<span class="hidden-text">${title}</span>` : title}
              </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${filler(first)}
        ${rows.slice(first, last).map((row, offset) => {
          const key = keyOf(row);
          const isSelected = selected.has(key);
          return html`<tr
            key=${key}
            aria-rowindex=${first + offset + 2}
            aria-selected=${String(isSelected)}
            style=${{ height: `${ROW}px` }}
          >
            <td>
              <input
                type="checkbox"
                aria-label=${`Select ${key}`}
                checked=${isSelected}
                onClick=${(event) => onToggle(row, event.shiftKey)}
              />
            </td>
            ${columns.map(
              ({ title, cell, right }) =>
                html`<td key=${title} class=${right ? "right" : ""}>${cell(row)}</td>`,
            )}
          </tr>`;
        })}
        ${filler(rows.length - last)}
      </tbody>
    </table>
  </div>`;
}

/** Which rows are chosen: by click, by shift and click, all. */
export function useSelection(rows, keyOf) {
  const [selected, setSelected] = useState(new Set());
  const anchor = useRef(null);
  const toggle = (row, isRange) => {
    const next = new Set(selected);
    const wants = !selected.has(keyOf(row));
    const to = rows.indexOf(row);
    const from =
      isRange && anchor.current ? rows.findIndex((other) => keyOf(other) === anchor.current) : to;
    const [start, end] = from < 0 ? [to, to] : [Math.min(from, to), Math.max(from, to)];
    for (const other of rows.slice(start, end + 1)) {
      if (wants) next.add(keyOf(other));
      else next.delete(keyOf(other));
    }
    anchor.current = keyOf(row);
    setSelected(next);
  };
  const toggleAll = (wants) => setSelected(new Set(wants ? rows.map(keyOf) : []));
  return { selected, toggle, toggleAll, clear: () => setSelected(new Set()) };
}
