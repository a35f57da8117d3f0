// The frame: which account, which view, light or dark; and the stream that keeps the view up to date.

import * as accounts from "./accounts.js";
import * as letters from "./letters.js";
import * as job from "./job.js";
import * as jobs from "./jobs.js";
import * as map from "./map.js";
import * as nodes from "./nodes.js";
import * as overview from "./overview.js";
import { h, replace, text } from "./dom.js";
import { count, rate } from "./format.js";
import { ready as plotlyReady } from "./plot.js";
import { Refused, askForToken, leave, read } from "./server.js";
import { Stream } from "./stream.js";

const VIEWS = { "": overview, map, jobs, job, dead: letters, accounts, nodes };
const TABS = [
  ["", "Overview"],
  ["map", "Map"],
  ["jobs", "Jobs"],
  ["dead", "Dead letters"],
  ["accounts", "Accounts"],
  ["nodes", "Nodes"],
];
const SPEAK_MS = 15000;
const ACCOUNT = "dispatcher-account";
const HIDDEN_MS = 10000;

const $ = (id) => document.getElementById(id);
const main = $("content");

/** What every view is given. */
const app = {
  settings: null,
  account: "",
  now: null,
  history: null,
  go(view, ...parts) {
    location.hash = `#/${[view, ...parts.map(encodeURIComponent)].join("/")}`;
  },
  choose,
};
let view = null;
let spokenAt = 0;

const stream = new Stream({
  tell(document, history) {
    const counts = document.counts;
    app.now = document;
    app.history = history;
    if (view?.update) view.update(document, history);
    nav(counts);
    alone(document);
    banner(document);
    pick(document.accounts.map((line) => line.name));
    if (Date.now() - spokenAt > SPEAK_MS) {
      spokenAt = Date.now();
      const waiting = counts.accepted + counts.assigned + counts.sending;
      text($("spoken"), `${rate(document.rates.confirmed)} confirmed, ${count(waiting)} waiting, ${count(counts.held)} held, ${count(counts.rejected + counts.dead)} dead letters`);
    }
  },
  state(now) {
    const live = $("live");
    live.dataset.is = now;
    text(live, { live: "live", waiting: "connecting", lost: "no connection" }[now]);
  },
  async denied() {
    try {
      await load();
      return true;
    } catch {
      return false;
    }
  },
});

async function load() {
  app.settings = await read("page/settings");
  if (!app.settings.reads) {
    if (!app.settings.token) throw new Refused(403, { message: "This page is for its own readers on this machine: open it under 127.0.0.1 or localhost." });
    await askForToken("read");
    app.settings = await read("page/settings");
  }
  $("leave").hidden = !app.settings.token;
}

function choose(account) {
  if (!account || account === app.account) return;
  app.account = account;
  try {
    localStorage.setItem(ACCOUNT, account);
  } catch {
    // it is chosen anew next time
  }
  $("account").value = account;
  app.now = app.history = null;
  stream.open(account);
  show();
}

function pick(names) {
  const select = $("account");
  const known = [...select.options].map((option) => option.value);
  if (known.join("\n") === names.join("\n")) return;
  replace(select, names.map((name) => h("option", { value: name, selected: name === app.account }, name)));
  $("account-pick").hidden = names.length < 2;
}

function banner(document) {
  const away = document.nodes?.problem ? `The database is away, so what is shown here stands still: ${document.nodes.problem}` : "";
  const fleet = document.fleet.policy === "none" || (document.leader && !document.leader.here) ? "" : document.fleet.problem;
  const told = away || document.problem || fleet;
  const place = $("banner");
  place.hidden = !told;
  text(place, told);
}

function nav(counts) {
  const [current] = route();
  const here = current === "job" ? "jobs" : current;
  const dead = counts ? counts.rejected + counts.dead : 0;
  const place = $("nav");
  if (!place.childElementCount) {
    replace(place, TABS.map(([name, word]) => h("a", { href: `#/${name}`, data: { view: name }, hidden: name === "nodes" }, word)));
  }
  for (const link of place.children) {
    if (link.dataset.view === here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const letter = place.querySelector('[data-view="dead"]');
  const badge = letter.querySelector(".badge");
  if (!dead) badge?.remove();
  else if (badge) text(badge, count(dead));
  else letter.append(h("span", { class: "badge" }, count(dead)));
}

/** A spool that is this daemon's alone has no nodes to show. */
function alone(document) {
  $("nav").querySelector('[data-view="nodes"]').hidden = !document.nodes;
}

/** View, its parts and its parameters, as the address says. */
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...parts] = path.split("/").map(decodeURIComponent);
  return [VIEWS[name] ? name : "", parts, new URLSearchParams(query)];
}

function show({ focus = false } = {}) {
  view?.close?.();
  const [name, parts, params] = route();
  main.replaceChildren();
  nav(app.now?.counts);
  view = VIEWS[name].open(main, app, parts, params);
  document.title = `${main.querySelector("h1")?.textContent ?? "Dispatcher"} · dispatcher`;
  if (app.now && view.update) view.update(app.now, app.history);
  if (focus) {
    const title = main.querySelector("h1");
    title?.setAttribute("tabindex", "-1");
    title?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function themeButton() {
  const button = $("theme");
  const words = { "": "Auto", light: "Light", dark: "Dark" };
  const next = { "": "light", light: "dark", dark: "" };
  const label = () => {
    const now = window.pageTheme.get();
    text(button, words[now]);
    button.setAttribute("aria-label", `Light or dark: ${words[now]}. Change to ${words[next[now]]}`);
  };
  button.addEventListener("click", () => {
    window.pageTheme.set(next[window.pageTheme.get()]);
    label();
  });
  label();
}

/** Nobody looks at a hidden tab: its stream ends, for a browser has only a few connections to one host. */
function restWhileHidden() {
  let timer = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => stream.close(), HIDDEN_MS);
    else if (app.account && !stream.source) stream.open(app.account);
  });
}

async function start() {
  themeButton();
  nav(null);
  $("account").addEventListener("change", (event) => choose(event.target.value));
  $("leave").addEventListener("click", async () => {
    await leave();
    location.reload();
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address is the view's
    main.focus();
  });
  try {
    await load();
  } catch (error) {
    replace(main, h("p", { class: "plain" }, error.message));
    return;
  }
  plotlyReady(app.settings);
  let kept = "";
  try {
    kept = localStorage.getItem(ACCOUNT) ?? "";
  } catch {
    // the first one then
  }
  const names = app.settings.accounts;
  pick(names);
  choose(names.includes(kept) ? kept : names[0]);
  restWhileHidden();
  addEventListener("hashchange", () => show({ focus: true }));
}

start();
