// The daemons on the same database. The table stays while the same nodes are there; its figures change.

import { h, pill, replace, table, text } from "./dom.js";
import { NONE, count, rate, span } from "./format.js";

const known = (value, show) => (value === null || value === undefined ? NONE : show(value));
const calm = (seconds) => (seconds === null ? NONE : seconds < 60 ? `${Math.floor(seconds)} s` : span(Math.floor(seconds)));
const FIGURES = [
  { name: "Assigns for", cell: (row) => led(row) || NONE },
  { name: "Says", cell: (row) => row.problem || (row.accepted_per_s === null ? NONE : "well") },
  { name: "Program", cell: (row) => row.program || NONE },
  { name: "Process", cell: (row) => row.process },
  { name: "Up", number: true, cell: (row) => calm(row.up_s) },
  { name: "Lease left", number: true, cell: (row) => known(row.left_s, (left) => `${left.toFixed(1)} s`) },
  { name: "Taken in", number: true, cell: (row) => known(row.accepted_per_s, rate) },
  { name: "Through", number: true, cell: (row) => known(row.confirmed_per_s, rate) },
  { name: "In flight", number: true, cell: (row) => known(row.in_flight, count) },
];

export function open(root) {
  const said = h("p", {}, "Looking …");
  const place = h("div", { class: "scroll" });
  root.append(
    h("div", { class: "head" }, h("h1", {}, "Nodes"), said),
    h("section", { class: "card" }, place),
  );
  let built = "";

  function build(rows) {
    const name = (row) => [node(row), row.here ? h("span", { class: "muted small" }, " this one") : null].filter(Boolean);
    const columns = [{ name: "Node", cell: name }, { name: "State", cell: state }, ...FIGURES];
    replace(place, table({ caption: "Daemons and commands on the database", columns, rows, mark: (row) => (row.here ? "chosen" : "") }));
  }

  return {
    update({ nodes }) {
      if (!nodes) {
        text(said, "The spool is this daemon's alone.");
        replace(place, h("p", { class: "empty" }, "Several daemons share a spool when it is a PostgreSQL database."));
        built = "";
        return;
      }
      text(said, sentence(nodes));
      const now = JSON.stringify(nodes.rows.map((row) => [row.id, row.name, row.address, row.here]));
      if (now !== built) build(nodes.rows);
      built = now;
      nodes.rows.forEach((row, at) => {
        const cells = place.querySelector("tbody").rows[at].cells;
        const shown = cells[1].firstElementChild;
        shown.dataset.hue = row.state;
        text(shown, word(row));
        FIGURES.forEach((figure, column) => text(cells[column + 2], figure.cell(row)));
      });
    },
  };
}

/** Where the shown account is assigned, when that is not here; null when it is, or is not known. `view`: to look at there. */
export function elsewhere(now, view = "") {
  const leader = now?.leader;
  if (!leader || leader.here) return null;
  if (!leader.name) return h("p", { class: "muted small" }, "Nobody assigns for this account right now; one of the nodes takes it over within seconds.");
  return h("p", { class: "muted small" }, node(leader, view), " assigns for this account and knows where its members are and how full their days are.");
}

/** Changes when `elsewhere` would say something else. */
export const leaderKey = (now) => JSON.stringify(now?.leader ?? null);

function node({ name, address }, view = "") {
  return address ? h("a", { href: `${address}/${view ? `#/${view}` : ""}`, rel: "noreferrer noopener", target: "_blank" }, name) : h("span", {}, name);
}

function state(row) {
  return pill(row.state, word(row));
}

const word = (row) => (row.since_s === null ? row.state : `${row.state} ${row.state === "silent" ? "for " : ""}${calm(row.since_s)}${row.state === "silent" ? "" : " ago"}`);
const led = (row) => [...row.leads, ...(row.leads_more ? [`${count(row.leads_more)} more`] : [])].join(", ");

function sentence({ rows, more, problem, age_s: age, leaderless }) {
  if (problem) return age === null ? "The database does not answer." : `The database does not answer; this is ${calm(age)} old.`;
  if (leaderless.length) return `Nobody assigns for ${leaderless.join(", ")} right now.`;
  const alive = rows.filter((row) => row.state === "alive").length;
  return `${count(alive)} alive on one database.${more ? ` ${count(more)} more are not shown.` : ""}`;
}
