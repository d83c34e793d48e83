// Whose calls these are: keys where the server verifies them, account and region where not; and
// what a screen of the control plane shows to those whom it does not let in.

import { batch, html, signal, useState } from "../lib/html.js";
import { refreshSystem } from "../lib/admin.js";
import { call } from "../lib/aws.js";
import { account, adminToken, facts, keys, region } from "../lib/state.js";
import { Dialog, Empty, Failure, Head, Icon, toast } from "./basics.js";

export const isSigningIn = signal(false);

export function SignIn({ isPage }) {
  const { verify } = facts.value;
  if (isPage) {
    return html`<${Head} title="Sign in">
        This server takes only signed calls. The console signs with your key and can do what that
        key may.
      <//>
      <div class="card"><${Form} verify /></div>`;
  }
  const close = () => (isSigningIn.value = false);
  return html`<${Dialog} title=${verify ? "Keys" : "Account and region"} onClose=${close}>
    <${Form} verify=${verify} onDone=${close} />
  <//>`;
}

function Form({ verify, onDone }) {
  const [error, setError] = useState();
  const before = keys.value ?? {};
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    const text = (name) => String(given[name] ?? "").trim();
    const caller = { account: text("account"), region: text("region"), keys: null };
    if (verify) {
      const [accessKeyId, secretAccessKey] = [text("accessKeyId"), text("secretAccessKey")];
      caller.keys = { accessKeyId, secretAccessKey, sessionToken: text("sessionToken") };
    }
    try {
      await check(caller);
    } catch (failure) {
      setError(failure);
      return;
    }
    batch(() => {
      region.value = caller.region;
      adminToken.value = text("adminToken");
      if (verify) keys.value = caller.keys;
      else account.value = caller.account;
    });
    refreshSystem();
    toast(verify ? "Signed in for this tab." : `Account ${account.value}, ${region.value}.`);
    onDone?.();
  };
  const signOut = () => {
    keys.value = null;
    adminToken.value = "";
    onDone?.();
  };
  return html`<form class="stack" onSubmit=${submit} autocomplete="off">
    ${
      verify
        ? html`<${Field}
              name="accessKeyId"
              label="Access key id"
              value=${before.accessKeyId}
              required
            />
            <${Field}
              name="secretAccessKey"
              label="Secret access key"
              type="password"
              value=${before.secretAccessKey}
              required
            />
            <${Field}
              name="sessionToken"
              label="Session token, if the key has one"
              type="password"
              value=${before.sessionToken}
            />`
        : html`<p class="muted small">
              An open server takes any key; an access key id of twelve digits is the account.
              Collections of different accounts and regions are separate.
            </p>
            <${Field}
              name="account"
              label="Account"
              value=${account.value}
              pattern="[0-9]{12}"
              title="Twelve digits"
              required
            />`
    }
    <${Field} name="region" label="Region" value=${region.value} pattern="[a-z0-9\\-]+" required />
    <${Field}
      name="adminToken"
      label="Admin token, if the server has one"
      type="password"
      value=${adminToken.value}
    />
    <${Failure} error=${error} />
    <div class="row">
      <button class="primary">${verify ? "Sign in" : "Use these"}</button>
      ${verify && keys.value && html`<button type="button" onClick=${signOut}>Sign out</button>`}
    </div>
    <p class="muted small">
      ${verify ? "Keys and token stay in this tab and are gone when you close it." : "The token is gone when you close this tab."}
    </p>
  </form>`;
}

const Field = ({ label, ...input }) =>
  html`<label class="field"><span>${label}</span><input ...${input} /></label>`;

/** A key that may not list collections is a key all the same. */
async function check(caller) {
  try {
    await call("ListCollections", { MaxResults: 1 }, caller);
  } catch (error) {
    if (error.code !== "AccessDeniedException") throw error;
  }
}

/** Why a screen of the control plane is empty. `trouble` is what `troubleOf` made of an error. */
export function NoAdmin({ trouble, what }) {
  const token = html`<button type="button" onClick=${() => (isSigningIn.value = true)}>
    <${Icon} name="key" />Give a token
  </button>`;
  const titles = {
    token: "The control plane asks for its token",
    absent: `This server does not show ${what} here`,
  };
  const texts = {
    token: html`<p>It is the one that the server was started with: <code>--admin-token</code>.</p>
      ${token}`,
    absent: html`<p>
      The control plane may be on a listener of its own, or this server may be an older one.
    </p>`,
  };
  return html`<div class="card">
    <${Empty} title=${titles[trouble] ?? `The server did not show ${what}`}>
      ${
        texts[trouble] ??
        html`<p>${trouble}</p>
          ${token}`
      }
    <//>
  </div>`;
}
