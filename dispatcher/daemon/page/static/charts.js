// Charts over time. Each has its numbers beside it as a table, which is there without Plotly too.

import { h, replace, table } from "./dom.js";
import { moment } from "./format.js";
import { CONFIG, colour, layout, plotly } from "./plot.js";

const LEAST_S = 120;
const MOST_S = 600;
const ROW_S = 30;
const ROWS = 10;

/** `series`: {name, column, hue, fill, bars, dash, step, side}; `show` formats a value. */
export function chart({ title, about, series, unit = "", show, stacked = false }) {
  const place = h("div", { class: "chart", role: "img", "aria-label": `${title}, a chart; its numbers are in the table below` });
  const numbers = h("div");
  const details = h("details", { class: "numbers" }, h("summary", {}, "As a table"), numbers);
  const element = h("section", { class: "card" }, h("h2", {}, title), h("p", {}, about), place, details);
  let history = null;
  let closed = false;
  let library;

  async function draw() {
    if (!history || closed) return;
    if (library === undefined) {
      library = await plotly();
      if (!library) {
        replace(place, h("p", { class: "empty" }, "Drawing needs the Python package plotly. The numbers are below."));
        place.classList.remove("chart");
        place.removeAttribute("role");
        details.open = true;
      }
      if (closed) return;
    }
    if (library) await library.react(place, traces(), shape(), CONFIG);
    if (details.open) tabulate();
  }

  function traces() {
    const times = history.at.map((at) => new Date(at * 1000));
    return series.map((one) => ({
      type: one.bars ? "bar" : "scatter",
      mode: "lines",
      name: one.name,
      x: times,
      y: history[one.column],
      hovertemplate: `%{y:,.${one.digits ?? 0}f}${one.unit ?? unit}`,
      ...(one.bars ? {} : { line: { color: colour(one.hue), width: stacked ? 0 : one.dash ? 1.6 : 2, dash: one.dash ?? "solid", shape: one.step ? "hv" : "linear" } }),
      ...(one.bars ? { marker: { color: colour(one.hue) } } : {}),
      fill: stacked ? "tonexty" : one.fill ? "tozeroy" : "none",
      fillcolor: colour(one.hue, stacked ? 0.5 : 0.12),
      ...(stacked ? { stackgroup: "one" } : {}),
      connectgaps: true,
      yaxis: one.side ? "y2" : "y",
    }));
  }

  function shape() {
    const last = history.at.at(-1) ?? Date.now() / 1000;
    const first = Math.min(last - LEAST_S, Math.max(last - MOST_S, history.at[0] ?? last));
    const most = (side) => Math.max(1e-9, ...series.filter((one) => Boolean(one.side) === side).flatMap((one) => history[one.column].filter(Number.isFinite)));
    const low = series.every((one) => one.whole) ? 4 : 0;
    return layout({
      bargap: 0,
      xaxis: { type: "date", range: [new Date(first * 1000), new Date(last * 1000)], tickformat: last - first < 300 ? "%H:%M:%S" : "%H:%M", nticks: last - first < 300 ? 5 : 6, hoverformat: "%H:%M:%S", showgrid: false },
      yaxis: { rangemode: "tozero", ticksuffix: unit, nticks: 5, tickformat: ",~g", ...(stacked ? {} : { range: [0, Math.max(low, most(false) * 1.12)] }) },
      ...(series.some((one) => one.side)
        ? { yaxis2: { overlaying: "y", side: "right", showgrid: false, rangemode: "tozero", nticks: 4, range: [0, Math.max(4, most(true) * 1.12)], tickformat: "d" }, margin: { l: 46, r: 40, t: 30, b: 28 } }
        : {}),
    });
  }

  function tabulate() {
    const rows = [];
    for (let at = history.at.length - 1; at >= 0 && rows.length < ROWS; at -= ROW_S) rows.push(at);
    replace(
      numbers,
      table({
        caption: `Each row stands for one second, ${ROW_S} s apart, the latest first.`,
        columns: [
          { name: "Time", cell: (at) => moment(history.at[at]) },
          ...series.map((one) => ({ name: one.name, number: true, cell: (at) => (one.show ?? show)(history[one.column][at]) })),
        ],
        rows,
      }),
    );
  }

  details.addEventListener("toggle", () => {
    if (history && details.open) tabulate();
  });
  window.addEventListener("themechange", draw);
  return {
    element,
    update(next) {
      history = next;
      if (!document.hidden) draw();
    },
    close() {
      closed = true;
      window.removeEventListener("themechange", draw);
      if (library) library.purge(place);
    },
  };
}
