// The pages, as HTML without scripts.

import type { UserSession } from "edge-session";

/** HTML in which everything that a user wrote is escaped. Only the tag `html` makes it. */
export type Html = { readonly text: string };

type Content = Html | string | number | false | undefined | Content[];

/** Makes HTML of a template. Values are escaped, unless they are HTML themselves; `false` and `undefined` are left out. */
function html(parts: TemplateStringsArray, ...values: Content[]): Html {
  return { text: parts.reduce((text, part, index) => text + escaped(values[index - 1]) + part) };
}

function escaped(value: Content): string {
  if (value === false || value === undefined) return "";
  if (Array.isArray(value)) return value.map(escaped).join("");
  if (typeof value === "object") return value.text;
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The sign-in form. `ended` tells that the session of this device is over, `problem` what is wrong with the name. */
export function signInPage({ ended, user, problem }: { ended?: boolean; user?: string; problem?: string }): Html {
  return document("Sign in", html`
    <main class="narrow">
      <h1>Sign in</h1>
      ${ended && html`<p class="note" role="status">You are signed out on this device. Sign in again to continue.</p>`}
      <form method="post" action="/sign-in" class="card form">
        <label for="user">User name</label>
        <input id="user" name="user" value="${user}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required
          ${problem && html`aria-invalid="true" aria-describedby="problem"`}>
        ${problem && html`<p id="problem" class="problem">${problem}</p>`}
        <button class="primary">Sign in</button>
        <p class="hint">This is an example. It takes any name and asks for no password.</p>
      </form>
    </main>`);
}

/** The devices of a user. `signedOut` is the number of devices that the last form has signed out. */
export function devicesPage({ user, devices, signedOut }: { user: string; devices: UserSession[]; signedOut: number | undefined }): Html {
  const others = devices.filter(({ current }) => !current);
  return document("Your devices", html`
    <main>
      <h1>Your devices</h1>
      <p class="lead">Signed in as <strong>${user}</strong>. If you do not recognise a device, sign it out.</p>
      ${signedOut !== undefined && html`<p class="note" role="status">${report(signedOut)}</p>`}
      <form method="post" action="/sign-out-device" class="card">
        <ul class="devices" role="list">
          ${[...devices.filter(({ current }) => current), ...others].map(deviceItem)}
        </ul>
      </form>
      ${others.length > 0 && html`
        <form method="post" action="/sign-out-others" class="others">
          <button class="danger">Sign out all other devices</button>
          <p class="hint">You stay signed in on this one.</p>
        </form>`}
    </main>`);
}

function deviceItem({ id, current, createdAt, lastSeenAt, label }: UserSession): Html {
  const name = label ?? "Unknown device";
  const seen = current ? html`Now` : html`<time datetime="${lastSeenAt.toISOString()}">${ago(lastSeenAt)}</time>`;
  return html`
    <li${current && html` class="current"`}>
      <h2>${name} ${current && html`<span class="badge">This device</span>`}</h2>
      <dl id="times-${id}">
        <div><dt>Signed in</dt> <dd><time datetime="${createdAt.toISOString()}">${DATE.format(createdAt)} UTC</time></dd></div>
        <div><dt>Last seen</dt> <dd>${seen}</dd></div>
      </dl>
      ${current
        ? html`<button formaction="/sign-out" aria-label="Sign out this device">Sign out</button>`
        : html`<button name="id" value="${id}" aria-label="Sign out ${name}" aria-describedby="times-${id}">Sign out</button>`}
    </li>`;
}

/** A page that only says something. */
export function messagePage(title: string, message: string): Html {
  return document(title, html`
    <main class="narrow">
      <h1>${title}</h1>
      <p class="lead">${message}</p>
      <p><a href="/">Go to your devices</a></p>
    </main>`);
}

function document(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title}</title>
  <link rel="icon" href="/favicon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  ${body}
</body>
</html>
`;
}

function report(signedOut: number): string {
  if (signedOut === 0) return "There was no other device to sign out.";
  return signedOut === 1 ? "One device is signed out." : `${signedOut} devices are signed out.`;
}

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const AGO = new Intl.RelativeTimeFormat("en");

/** Returns how long ago a device was seen. The time can be an hour old, so that minutes would be invented. */
function ago(date: Date): string {
  const hours = Math.floor((Date.now() - date.getTime()) / 3_600_000);
  if (hours < 1) return "In the last hour";
  return hours < 24 ? `About ${AGO.format(-hours, "hour")}` : `About ${AGO.format(-Math.floor(hours / 24), "day")}`;
}
