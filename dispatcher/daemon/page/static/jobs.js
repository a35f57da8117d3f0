// The table of jobs, the latest first, filtered where they are stored.

import { h, person, pill, put, table } from "./dom.js";
import { day, moment } from "./format.js";
import { read, url } from "./server.js";

const PAGE = 50;
export const STATES = ["accepted", "assigned", "sending", "unknown", "held", "confirmed", "rejected", "dead"];

export function open(root, app, parts, params) {
  const state = h("select", { name: "state" }, h("option", { value: "" }, "any state"), STATES.map((name) => h("option", { value: name, selected: name === params.get("state") }, name)));
  const text = h("input", { type: "search", name: "q", value: params.get("q") ?? "", placeholder: "part of the key", autocomplete: "off" });
  const worker = h("input", { type: "search", name: "worker", value: params.get("worker") ?? "", placeholder: "username", autocomplete: "off" });
  const form = h(
    "form",
    { class: "filters", role: "search" },
    h("label", {}, "State", state),
    h("label", {}, "Key", text),
    h("label", {}, "Member", worker),
    h("button", { type: "submit", class: "main" }, "Show"),
    h("button", { type: "button", on: { click: () => { location.hash = "#/jobs"; } } }, "Clear"),
  );
  const list = listing(app, () => ({ state: params.get("state"), q: params.get("q"), worker: params.get("worker") }), {
    caption: "Jobs, the latest first",
    columns: COLUMNS,
    empty: "No job is like that.",
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = `#/${url("jobs", { state: state.value, q: text.value.trim(), worker: worker.value.trim() })}`;
    if (location.hash === wanted) list.load();
    else location.hash = wanted;
  });
  root.append(h("div", { class: "head" }, h("h1", {}, "Jobs")), h("section", { class: "card" }, form, list.element));
  if (app.account) list.load();
  return { close: list.close };
}

export const jobLink = (key) => h("a", { href: `#/job/${encodeURIComponent(key)}`, class: "key" }, key);
export const memberLink = (worker) => (worker ? h("a", { href: `#/map?worker=${encodeURIComponent(worker)}` }, person(worker)) : "");

export const COLUMNS = [
  { name: "Key", cell: (row) => jobLink(row.key) },
  { name: "State", cell: (row) => (row.withdrawn ? pill("dead", "withdrawn") : pill(row.state)) },
  { name: "Member", cell: (row) => memberLink(row.worker) || (row.autoassign ? "the server assigns" : "") },
  { name: "Day", cell: (row) => day(row.day) },
  { name: "Priority", number: true, cell: (row) => row.priority },
  { name: "Tries", number: true, cell: (row) => row.attempts },
  { name: "Changed", cell: (row) => moment(row.updated_at) },
  { name: "Last error", cell: (row) => row.error },
];

/** By what a control of a row is known again when the rows were read anew. */
const name = (element) => element.getAttribute("aria-label") || element.textContent;

/** A table that is loaded page by page. `ask()` gives the filter. */
export function listing(app, ask, { caption, columns, empty, loaded = () => {} }) {
  const place = h("div", { class: "scroll" });
  const more = h("div", { class: "more" });
  const element = h("div", {}, place, more);
  let rows = [];
  let closed = false;
  let run = 0;

  async function load(before = null) {
    const mine = ++run;
    let found;
    try {
      found = await read("page/jobs", { account: app.account, ...ask(), before, limit: PAGE });
    } catch (error) {
      place.replaceChildren(h("p", { class: "empty" }, error.message));
      return;
    }
    if (closed || mine !== run) return;
    const held = place.contains(document.activeElement) ? name(document.activeElement) : "";
    rows = before ? [...rows, ...found.jobs] : found.jobs;
    place.replaceChildren(rows.length ? table({ caption, columns, rows }) : h("p", { class: "empty" }, found.before ? "Not found among the latest jobs." : empty));
    if (held) [...place.querySelectorAll("a, button, input")].find((one) => name(one) === held)?.focus();
    more.replaceChildren();
    if (found.before) put(more, h("button", { type: "button", on: { click: () => load(found.before) } }, rows.length ? "Earlier ones" : "Look further back"));
    loaded(rows);
  }

  return {
    element,
    load,
    rows: () => rows,
    close() {
      closed = true;
    },
  };
}

