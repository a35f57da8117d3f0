// Dead letters: jobs that did not get through and are not sent again by themselves.

import { h, pill, text, toast } from "./dom.js";
import { count, moment } from "./format.js";
import { jobLink, listing, memberLink } from "./jobs.js";
import { act } from "./server.js";

const SOON_MS = [1500, 5000];
const AGAIN_MS = 15000;

export function open(root, app) {
  const chosen = new Set();
  const timers = [];
  let loadedAt = Date.now();
  const selected = h("button", { type: "button", class: "main", disabled: true, on: { click: () => replay([...chosen]) } }, "Replay selected");
  const all = h("button", { type: "button", disabled: true, on: { click: () => replay(list.rows().filter(may).map((row) => row.key)) } }, "Replay all shown");
  const may = (row) => !row.withdrawn;
  const list = listing(app, () => ({ state: "rejected,dead" }), {
    caption: "Rejected and dead jobs, the latest first",
    empty: "No dead letters. Everything got through, or is on its way.",
    columns: [
      { name: "", title: "Select", cell: (row) => (may(row) ? h("input", { type: "checkbox", "aria-label": `Select ${row.key}`, checked: chosen.has(row.key), on: { change: (event) => mark(row.key, event.target.checked) } }) : "") },
      { name: "Key", cell: (row) => jobLink(row.key) },
      { name: "State", cell: (row) => (row.withdrawn ? pill("dead", "withdrawn") : pill(row.state)) },
      { name: "Last error", cell: (row) => row.error },
      { name: "Member", cell: (row) => memberLink(row.worker) },
      { name: "Tries", number: true, cell: (row) => row.attempts + row.refusals },
      { name: "Since", cell: (row) => moment(row.updated_at) },
      { name: "", title: "Replay", cell: (row) => (may(row) ? h("button", { type: "button", "aria-label": `Replay ${row.key}`, on: { click: () => replay([row.key]) } }, "Replay") : "") },
    ],
    loaded(rows) {
      all.disabled = !rows.some(may);
      for (const key of [...chosen]) if (!rows.some((row) => row.key === key)) chosen.delete(key);
      label();
    },
  });

  function mark(key, on) {
    if (on) chosen.add(key);
    else chosen.delete(key);
    label();
  }

  function label() {
    selected.disabled = !chosen.size;
    text(selected, chosen.size ? `Replay ${count(chosen.size)} selected` : "Replay selected");
  }

  async function replay(keys) {
    try {
      const done = await act("page/replay", { account: app.account }, { keys: keys.slice(0, 1000) });
      if (!done) return;
      chosen.clear();
      toast(done.replayed.length === 1 ? `${done.replayed[0]} is sent once more.` : `${count(done.replayed.length)} jobs are sent once more.`);
    } catch (error) {
      toast(error.message);
    }
    reload();
    for (const wait of SOON_MS) timers.push(setTimeout(reload, wait)); // what is refused again is back by then
  }

  function reload() {
    if (chosen.size) return; // rows that are selected stay where they are
    loadedAt = Date.now();
    list.load();
  }

  root.append(
    h("div", { class: "head" }, h("h1", {}, "Dead letters"), h("p", {}, "Refused by Hellotracks, or given up after the last try. A replay decides and sends them once more, as they are.")),
    h("section", { class: "card" }, h("div", { class: "row" }, selected, all), list.element),
  );
  if (app.account) list.load();

  let seen = null;
  return {
    update({ counts }) {
      const now = counts.rejected + counts.dead;
      if ((seen !== null && now !== seen) || Date.now() - loadedAt > AGAIN_MS) reload();
      seen = now;
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      list.close();
    },
  };
}
