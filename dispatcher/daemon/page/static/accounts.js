// All accounts of the daemon side by side. The table stays, its figures change, so that a click never misses.

import { h, replace, table, text } from "./dom.js";
import { count, rate, short } from "./format.js";

const FIGURES = [
  { name: "Server", cell: (line) => line.base_url },
  { name: "Waiting", number: true, cell: (line) => short(line.waiting) },
  { name: "Held", number: true, cell: (line) => count(line.held) },
  { name: "Dead letters", number: true, cell: (line) => count(line.dead) },
  { name: "Confirmed", number: true, cell: (line) => short(line.confirmed) },
  { name: "Taken in", number: true, cell: (line) => rate(line.accepted_per_s) },
  { name: "Through", number: true, cell: (line) => rate(line.confirmed_per_s) },
  { name: "State", cell: (line) => line.problem || line.fleet || "well" },
];

export function open(root, app) {
  const place = h("div", { class: "scroll" });
  root.append(
    h("div", { class: "head" }, h("h1", {}, "Accounts"), h("p", {}, "Each has its own key, limits, members and rows; none waits for another.")),
    h("section", { class: "card" }, place),
  );
  let names = "";

  function build(accounts) {
    const choose = (line) => h("button", { type: "button", class: "link", data: { account: line.name }, on: { click: () => app.choose(line.name) } }, line.name);
    replace(place, table({ caption: "Accounts and what they do right now", columns: [{ name: "Account", cell: choose }, ...FIGURES], rows: accounts }));
  }

  return {
    update({ accounts }) {
      const now = accounts.map((line) => line.name).join("\n");
      if (now !== names) build(accounts);
      names = now;
      accounts.forEach((line, at) => {
        const row = place.querySelector("tbody").rows[at];
        const here = line.name === app.account;
        row.classList.toggle("chosen", here);
        row.cells[0].firstChild.setAttribute("aria-pressed", String(here));
        FIGURES.forEach((figure, column) => text(row.cells[column + 1], figure.cell(line)));
      });
    },
  };
}
