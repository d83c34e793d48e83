// What every part is made of: templates, hooks and signals, from one place.

import { Fragment, h, render } from "preact";
import htm from "htm";

export { useEffect, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal, useComputed, useSignal } from "@preact/signals";
export { Fragment, h, render };

export const html = htm.bind(h);
