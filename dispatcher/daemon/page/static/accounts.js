// All accounts of the daemon side by side.

import { h, replace, table } from "./dom.js";
import { count, rate, short } from "./format.js";

export function open(root, app) {
  const place = h("div", { class: "scroll" });
  root.append(h("div", { class: "head" }, h("h1", {}, "Accounts"), h("p", {}, "Each has its own key, limits, members and rows; none waits for another.")), h("section", { class: "card" }, place));
  let told = "";
  return {
    update({ accounts }) {
      const now = JSON.stringify([accounts, app.account]);
      if (now === told) return;
      told = now;
      const focused = document.activeElement?.dataset?.account;
      replace(
        place,
        table({
          caption: "Accounts and what they do right now",
          mark: (line) => (line.name === app.account ? "chosen" : ""),
          columns: [
            { name: "Account", cell: (line) => h("button", { type: "button", class: "link", data: { account: line.name }, "aria-pressed": String(line.name === app.account), on: { click: () => app.choose(line.name) } }, line.name) },
            { name: "Server", cell: (line) => line.base_url },
            { name: "Waiting", number: true, cell: (line) => short(line.waiting) },
            { name: "Held", number: true, cell: (line) => count(line.held) },
            { name: "Dead letters", number: true, cell: (line) => count(line.dead) },
            { name: "Confirmed", number: true, cell: (line) => short(line.confirmed) },
            { name: "Taken in", number: true, cell: (line) => rate(line.accepted_per_s) },
            { name: "Through", number: true, cell: (line) => rate(line.confirmed_per_s) },
            { name: "State", cell: (line) => line.problem || line.fleet || "well" },
          ],
          rows: accounts,
        }),
      );
      if (focused) place.querySelector(`[data-account="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}
