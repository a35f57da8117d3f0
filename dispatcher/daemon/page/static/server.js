// Asking the daemon, and the tokens that it asks for in turn.

import { h } from "./dom.js";

const OWN = { "X-Dispatcher-Page": "1" };

export class Refused extends Error {
  constructor(status, document) {
    super(document?.message || `the daemon answered ${status}`);
    this.status = status;
    this.document = document ?? {};
  }
}

/** GET a document; `params` that are empty are left out. Asks for the read token when it is missing. */
export async function read(path, params = {}) {
  return ask(url(path, params), {});
}

/** POST a document and get one back. Asks for the act token when it is missing; null: the person would rather not. */
export async function act(path, params, body) {
  return ask(url(path, params), { method: "POST", headers: { ...OWN, "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export async function leave() {
  await fetch("page/session", { method: "DELETE", headers: OWN });
}

export function url(path, params = {}) {
  const kept = Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(kept).toString();
  return query ? `${path}?${query}` : path;
}

async function ask(address, options) {
  for (;;) {
    const reply = await fetch(address, options);
    if (reply.ok) return reply.json();
    const document = await reply.json().catch(() => null);
    if (reply.status !== 401 || !document?.token) throw new Refused(reply.status, document);
    if (!(await askForToken(document.token))) return null;
  }
}

let asking = null;

/** Ask for a token until it is right. Reading cannot go on without one; acting can be given up (false). */
export function askForToken(kind) {
  asking ??= dialog(kind).finally(() => {
    asking = null;
  });
  return asking;
}

function dialog(kind) {
  return new Promise((resolve) => {
    const field = h("input", { type: "password", name: "token", autocomplete: "off", required: true, "aria-describedby": "wrong" });
    const wrong = h("p", { class: "wrong", id: "wrong", role: "alert" });
    const send = h("button", { type: "submit", class: "main" }, kind === "read" ? "Show me" : "Go on");
    const box = h(
      "dialog",
      { "aria-labelledby": "ask-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "ask-title" }, kind === "read" ? "This page asks for a token" : "Acting asks for a token of its own"),
        h("p", { class: "muted" }, kind === "read"
          ? "It is what read_token is set to in the dispatcher's settings."
          : "It is what act_token is set to in the dispatcher's settings. It is asked for once per session."),
        h("label", {}, kind === "read" ? "Read token" : "Act token", field),
        wrong,
        h("div", { class: "row" }, kind === "act" ? h("button", { type: "button", on: { click: () => end(false) } }, "Rather not") : null, send),
      ),
    );
    const end = (result) => {
      box.close();
      box.remove();
      resolve(result);
    };
    box.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (kind === "act") end(false);
    });
    box.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      send.disabled = true;
      wrong.textContent = "";
      const reply = await fetch("page/session", {
        method: "POST",
        headers: { ...OWN, "Content-Type": "application/json" },
        body: JSON.stringify({ for: kind, token: field.value }),
      }).catch(() => null);
      send.disabled = false;
      if (reply?.ok) {
        end(true);
        return;
      }
      const document = await reply?.json().catch(() => null);
      wrong.textContent = document?.message ?? "The dispatcher does not answer.";
      field.select();
      field.focus();
    });
    document.body.append(box);
    box.showModal();
    field.focus();
  });
}

/** Ask whether something shall be done. */
export function confirmed(question, word) {
  return new Promise((resolve) => {
    const end = (result) => {
      box.close();
      box.remove();
      resolve(result);
    };
    const box = h(
      "dialog",
      { "aria-labelledby": "sure-title", on: { cancel: (event) => { event.preventDefault(); end(false); } } },
      h(
        "div",
        { class: "stack" },
        h("h2", { id: "sure-title" }, question),
        h("div", { class: "row" },
          h("button", { type: "button", on: { click: () => end(false) } }, "Rather not"),
          h("button", { type: "button", class: "main", on: { click: () => end(true) } }, word)),
      ),
    );
    document.body.append(box);
    box.showModal();
  });
}
