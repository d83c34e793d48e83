// The frame around the screens, and which one is shown.

import { html, render, signal, useEffect, useRef } from "./lib/html.js";
import { refreshSystem, system } from "./lib/admin.js";
import { account, facts, href, isSignedIn, loadFacts, region, route } from "./lib/state.js";
import { Icon, Toasts } from "./parts/basics.js";
import { SignIn, isSigningIn } from "./parts/sign-in.js";
import { Collections } from "./screens/collections.js";
import { Compare } from "./screens/compare.js";
import { Faults } from "./screens/faults.js";
import { Requests } from "./screens/requests.js";
import { Search } from "./screens/search.js";
import { System } from "./screens/system.js";
import { Try } from "./screens/try.js";

const screens = {
  try: { label: "Try it", Screen: Try },
  search: { label: "Search", Screen: Search },
  compare: { label: "Compare", Screen: Compare },
  collections: { label: "Collections", Screen: Collections },
  requests: { label: "Requests", Screen: Requests },
  faults: { label: "Faults and limits", Screen: Faults },
  system: { label: "System", Screen: System },
};

/** The mark stands in the page once, as its icon. */
const mark = document.querySelector("link[rel=icon]").getAttribute("href");
const theme = signal(document.documentElement.dataset.theme ?? "");
const isDark = () =>
  theme.value ? theme.value === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

function toggleTheme() {
  theme.value = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem("theme", theme.value);
}

function Side({ current }) {
  const nav = useRef(null);
  useEffect(() => {
    const link = nav.current.querySelector("[aria-current]");
    nav.current.scrollLeft = link.offsetLeft - nav.current.clientWidth / 2 + link.clientWidth / 2;
  }, [current]);
  const who = facts.value.verify ? "Keys" : "Account";
  return html`<aside class="side">
    <a class="brand" href=${href("try")}><img src=${mark} alt="" />Lookalike</a>
    <nav aria-label="Screens" ref=${nav}>
      <ul>
        ${Object.entries(screens).map(
          ([name, { label }]) =>
            html`<li key=${name}>
              <a href=${href(name)} aria-current=${name === current ? "page" : undefined}>
                <${Icon} name=${name} />${label}
              </a>
            </li>`,
        )}
      </ul>
    </nav>
    <div class="foot">
      <div class="row">
        <button type="button" class="small" onClick=${() => (isSigningIn.value = true)}>
          <${Icon} name="key" />${who}
        </button>
        <button
          type="button"
          class="small plain"
          onClick=${toggleTheme}
          aria-label="Switch between light and dark"
        >
          <${Icon} name=${isDark() ? "sun" : "moon"} />
        </button>
      </div>
      <div class="about">
        ${!facts.value.verify && html`<div class="number">${account.value}</div>`}
        <div>${region.value}</div>
        ${facts.value.kept !== "off" && html`<div>Crops of faces: ${facts.value.kept}</div>`}
        <div>Lookalike ${facts.value.version}</div>
      </div>
    </div>
  </aside>`;
}

function Banner() {
  const on = [
    system.value?.faults_on && "Faults are on: some calls fail or wait on purpose.",
    system.value?.answers_on && "Declared answers are on: some calls are answered without looking.",
  ].filter(Boolean);
  if (!on.length) return null;
  return html`<div class="banner" role="alert">
    <span>${on.join(" ")}</span><a href=${href("faults")}>Faults and limits</a>
  </div>`;
}

function App() {
  const [name = "try", ...rest] = route.value.parts;
  const { Screen } = screens[name] ?? screens.try;
  useEffect(() => {
    scrollTo(0, 0);
    refreshSystem();
  }, [name, rest[0]]);
  return html`<a class="skip" href="#content" onClick=${skip}>Skip to the content</a>
    <div class="frame">
      <${Side} current=${screens[name] ? name : "try"} />
      <div class="page">
        <${Banner} />
        <main id="content" tabindex="-1">
          ${isSignedIn.value ? html`<${Screen} rest=${rest} />` : html`<${SignIn} isPage />`}
        </main>
      </div>
    </div>
    ${isSigningIn.value && html`<${SignIn} />`}
    <${Toasts} />`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("content").focus();
}

loadFacts().finally(() => render(html`<${App} />`, document.body));
