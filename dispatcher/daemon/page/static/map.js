// Members and jobs on a map: points where there is room for them, bubbles where there are many; routes on demand.

import { h, person, pill, replace, table, text } from "./dom.js";
import { NONE, count, day, hours, short, words } from "./format.js";
import { jobLink } from "./jobs.js";
import { elsewhere, leaderKey } from "./nodes.js";
import { CONFIG, colour, layout, plotly } from "./plot.js";
import { draw as tiles } from "./tiles.js";
import { read, url } from "./server.js";
import { meridians, parallels, scale, toY } from "./mercator.js";

const LEAST_MS = 3000;
const POINTS = 120;
const CELL_PX = 64;
const APART_PX = 19;
const LISTED = 60;
const LAYERS = [
  ["on_shift", "on shift"],
  ["full", "full"],
  ["stale", "stale place"],
  ["off", "off"],
];
const JOBS = [
  ["stops", "assigned", "stops of today"],
  ["waiting", "accepted", "waiting"],
  ["held", "held", "held"],
];

// Where the bubble of a layer stands around the place that it shares with others, in degrees.
const TURNS = { on_shift: 90, full: 30, accepted: 330, held: 270, assigned: 210, stale: 150, off: 180 };

export function open(root, app, parts, params) {
  const place = h("div", { class: "map", role: "img", "aria-label": "Map of members and jobs; the members are in the list beside it" });
  const layers = h("div", { class: "layers", role: "group", "aria-label": "What is shown" });
  const shown = Object.fromEntries([...LAYERS, ...JOBS].map(([name]) => [name, name !== "off"]));
  const search = h("input", { type: "search", placeholder: "Find a member", "aria-label": "Find a member" });
  const members = h("div", { class: "members" });
  const leader = h("div");
  let led = "";
  const side = h("section", { class: "card", "aria-label": "Members", tabindex: "-1" });
  const numbers = {};
  let worker = params.get("worker") ?? "";
  let onDay = 0;
  let data = null;
  let route = null;
  let version = -1;
  let asked = 0;
  let busy = false;
  let closed = false;
  let library;
  let fitted = false;
  let listed = "";

  for (const [name, hue, word] of [...LAYERS.map(([state, said]) => [state, state, said]), ...JOBS]) {
    numbers[name] = h("b", {}, NONE);
    const box = h("input", { type: "checkbox", checked: shown[name], on: { change: () => { shown[name] = box.checked; draw(); } } });
    layers.append(h("label", { data: { hue } }, box, h("i", { class: JOBS.some(([job]) => job === name) ? "square" : null }), `${word} `, numbers[name]));
  }
  root.append(
    h("div", { class: "head" }, h("h1", {}, "Map"), h("p", {}, "Where everybody is, and what waits.")),
    h("div", { class: "split" }, h("section", { class: "card flush", "aria-label": "Map" }, layers, place), side),
  );
  search.addEventListener("input", () => list());
  if (worker) choose(worker);
  else home();

  // -- data ----------------------------------------------------------------------------------------------------------

  async function refresh(wanted) {
    if (busy || closed || wanted === version || Date.now() - asked < LEAST_MS) return;
    busy = true;
    asked = Date.now();
    try {
      const next = await read("page/map", { account: app.account });
      if (next.names && next.names !== data?.names) next.people = await read("page/names", { account: app.account, v: next.names });
      else next.people = data?.people ?? [];
      if (closed) return;
      data = next;
      version = wanted;
      tally();
      if (!worker) list();
      await draw();
      if (worker && (route || !data.names)) await show(false);
    } catch {
      // the next tick asks again
    } finally {
      busy = false;
    }
  }

  function tally() {
    const many = {};
    for (const state of data.member_states ?? []) many[data.states[state]] = (many[data.states[state]] ?? 0) + 1;
    for (const [name] of LAYERS) text(numbers[name], count(many[name] ?? 0));
    text(numbers.stops, count(data.stops_in_all ?? 0));
  }

  // -- the list beside the map ------------------------------------------------------------------------------------------

  function home() {
    replace(side, h("h2", {}, "Members"), leader, h("div", { class: "row" }, search), members);
    list();
  }

  function list() {
    if (!data) {
      replace(members, h("p", { class: "muted small" }, "Looking …"));
      return;
    }
    if (!data.names) {
      const told = elsewhere(app.now) ? "They are on that node's page." : app.now?.fleet.problem || "The members are not read yet.";
      replace(members, h("p", { class: "empty" }, told));
      return;
    }
    const wanted = search.value.trim().toLowerCase();
    const found = [];
    let many = 0;
    data.people.forEach((name, at) => {
      if (wanted && !name.toLowerCase().includes(wanted)) return;
      many += 1;
      if (found.length < LISTED || data.stops[at]) found.push(at);
    });
    found.sort((a, b) => data.stops[b] - data.stops[a] || a - b);
    const rows = found.slice(0, LISTED);
    const told = JSON.stringify([many, rows.map((at) => [data.people[at], data.member_states[at], data.stops[at]])]);
    if (told === listed && members.childElementCount) return; // a click must not miss for nothing
    listed = told;
    const focused = document.activeElement?.dataset?.worker;
    replace(
      members,
      table({
        caption: many > rows.length ? `${count(rows.length)} of ${count(many)}, the busiest first` : `${count(many)} members`,
        columns: [
          { name: "Member", cell: (at) => h("button", { type: "button", class: "link", data: { worker: data.people[at] }, on: { click: () => choose(data.people[at], true) } }, person(data.people[at])) },
          { name: "State", cell: (at) => pill(data.states[data.member_states[at]]) },
          { name: "Stops", number: true, cell: (at) => data.stops[at] },
        ],
        rows,
      }),
    );
    if (focused) members.querySelector(`[data-worker="${CSS.escape(focused)}"]`)?.focus();
  }

  // -- one member -------------------------------------------------------------------------------------------------------

  function choose(name, focus = false) {
    worker = name;
    onDay = 0;
    route = null;
    history.replaceState(null, "", name ? `#/${url("map", { worker: name })}` : "#/map");
    if (!name) {
      home();
      draw();
      return;
    }
    replace(side, head(), h("p", { class: "muted" }, "Looking …"));
    show(true).then(() => focus && side.focus());
  }

  function head() {
    return h("div", { class: "row apart" }, h("h2", {}, person(worker)), h("button", { type: "button", on: { click: () => choose("") } }, "All members"));
  }

  async function show(fit) {
    const mine = worker;
    let found;
    try {
      if (!app.account) return;
      found = await read("page/route", { account: app.account, worker, day: onDay || "" });
    } catch (error) {
      if (!closed && mine === worker) replace(side, head(), h("p", { class: "empty" }, error.message));
      return;
    }
    if (closed || mine !== worker) return;
    const same = JSON.stringify(found) === JSON.stringify(route);
    route = found;
    if (!same) panel();
    if (fit) fitted = false;
    if (!same || fit) await draw();
  }

  function panel() {
    const days = h("select", { "aria-label": "Day", on: { change: (event) => { onDay = Number(event.target.value); show(true); } } },
      route.days.map((one) => h("option", { value: one, selected: one === route.day }, day(one))));
    replace(
      side,
      head(),
      h("p", { class: "row" }, pill(route.state), h("span", { class: "muted" }, route.shift_s ? `${hours(route.shift_s[0])} to ${hours(route.shift_s[1])}` : "day off"), days),
      route.stops.length
        ? h("div", { class: "scroll" }, table({
          caption: `${count(route.stops.length)} open stops`,
          columns: [
            { name: "#", cell: (stop) => String(route.stops.indexOf(stop) + 1) },
            { name: "Job", cell: (stop) => [stop.key ? jobLink(stop.key) : NONE, stop.under_way ? h("div", { class: "muted small" }, "under way") : ""] },
            { name: "Start", number: true, cell: (stop) => hours(stop.start_s) },
            { name: "Leave", number: true, cell: (stop) => hours(stop.leave_s) },
            { name: "Window", number: true, cell: (stop) => (stop.opens_s || stop.closes_s !== null ? `${stop.opens_s ? hours(stop.opens_s) : "…"}–${stop.closes_s === null ? "…" : hours(stop.closes_s)}` : "open") },
          ],
          rows: route.stops,
        }))
        : h("p", { class: "empty" }, "No open stops that day."),
      h("p", { class: "small" }, h("a", { href: `#/jobs?worker=${encodeURIComponent(worker)}` }, "All jobs of this member")),
    );
  }

  // -- the picture ------------------------------------------------------------------------------------------------------

  async function draw() {
    if (!data || closed) return;
    if (library === undefined) {
      library = await plotly();
      if (closed) return;
      if (!library) replace(place, h("p", { class: "empty" }, "The map needs the Python package plotly. The list beside it has everybody."));
    }
    if (!library) return;
    const first = !place.classList.contains("js-plotly-plot");
    const range = fitted && !first ? ranges() : fit();
    await library.react(place, [...points(range), ...routeTraces()], shape(range), { ...CONFIG, scrollZoom: true });
    fitted = true;
    if (first) {
      place.on("plotly_relayout", (change) => {
        if (Object.keys(change).some((name) => name.startsWith("xaxis.") || name.startsWith("yaxis.") || name === "autosize")) draw();
      });
      place.on("plotly_click", ({ points: [point] }) => {
        const picked = point.data.picks?.[point.pointIndex];
        if (picked?.worker) choose(picked.worker);
        else if (picked?.key) app.go("job", picked.key);
        else if (picked?.zoom) zoom(picked.zoom);
      });
    }
  }

  function ranges() {
    const { xaxis, yaxis } = place._fullLayout ?? {};
    return xaxis ? { x: [...xaxis.range], y: [...yaxis.range] } : fit();
  }

  function zoom(box) {
    library.relayout(place, { "xaxis.range": box.x, "yaxis.range": box.y });
  }

  function fit() {
    const xs = [];
    const ys = [];
    const add = (lat, lng) => {
      if (lat === null || lat === undefined) return;
      xs.push(lng);
      ys.push(toY(lat));
    };
    if (route) {
      for (const stop of route.stops) add(stop.lat, stop.lng);
      for (const end of [route.start, route.end]) if (end) add(...end);
    }
    if (!xs.length && worker && data.people) {
      const at = data.people.indexOf(worker);
      if (at >= 0 && data.lats[at] !== null) add(data.lats[at] / data.scale, data.lngs[at] / data.scale);
    }
    if (!xs.length) {
      (data.lats ?? []).forEach((lat, at) => add(lat === null ? null : lat / data.scale, data.lngs[at] / data.scale));
      data.jobs.lats.forEach((lat, at) => add(lat / data.scale, data.jobs.lngs[at] / data.scale));
    }
    if (!xs.length) return { x: [-15, 40], y: [35, 75] };
    const around = (values) => {
      // the places in the middle: one job in another country does not make the map a dot
      values.sort((a, b) => a - b);
      const cut = values.length > 200 ? Math.floor(values.length / 200) : 0;
      const [low, high] = [values[cut], values[values.length - 1 - cut]];
      const room = Math.max((high - low) * 0.08, 0.004);
      return [low - room, high + room];
    };
    const box = { x: around(xs), y: around(ys) };
    // equal scale: widen the axis that has more pixels than degrees
    const width = Math.max(1, place.clientWidth);
    const height = Math.max(1, place.clientHeight);
    const perPixel = Math.max((box.x[1] - box.x[0]) / width, (box.y[1] - box.y[0]) / height);
    const widen = ([low, high], pixels) => [(low + high) / 2 - (perPixel * pixels) / 2, (low + high) / 2 + (perPixel * pixels) / 2];
    return { x: widen(box.x, width), y: widen(box.y, height) };
  }

  /** Every layer as one trace: single points, or a bubble for all that lie in one cell of the screen. */
  function points(range) {
    const kinds = [];
    const scale = data.scale;
    const inside = (x, y) => x >= range.x[0] && x <= range.x[1] && y >= range.y[0] && y <= range.y[1];
    const collect = (name, hue, symbol, size, entries) => {
      const kept = entries.filter((one) => inside(one.x, one.y));
      if (kept.length) kinds.push({ name, hue, symbol, size, kept });
    };
    if (shown.stops && data.stop_lats) {
      collect("stops of today", "assigned", "diamond", 5, data.stop_lats.map((lat, at) => ({ x: data.stop_lngs[at] / scale, y: toY(lat / scale), word: "a stop of today" })));
    }
    const jobs = data.jobs.keys.map((key, at) => ({ key, x: data.jobs.lngs[at] / scale, y: toY(data.jobs.lats[at] / scale), state: data.jobs.states[at], word: `${key}, ${data.jobs.states[at]}` }));
    if (shown.waiting) collect("waiting", "accepted", "diamond", 8, jobs.filter((one) => one.state !== "held"));
    if (data.names) {
      for (const [state, word] of [...LAYERS].reverse()) {
        if (!shown[state]) continue;
        const place = data.states.indexOf(state);
        const entries = [];
        data.member_states.forEach((one, at) => {
          if (one !== place || data.lats[at] === null) return;
          entries.push({ worker: data.people[at], x: data.lngs[at] / scale, y: toY(data.lats[at] / scale), word: `${data.people[at]}, ${words(state)}, ${data.stops[at]} stops` });
        });
        collect(word, state, "circle", 9, entries);
      }
    }
    if (shown.held) collect("held", "held", "diamond", 10, jobs.filter((one) => one.state === "held"));
    const many = kinds.reduce((sum, kind) => sum + kind.kept.length, 0);
    return kinds.map((kind) => (many > POINTS ? bubbles(kind, range) : single(kind)));
  }

  function single({ name, hue, symbol, size, kept }) {
    return {
      type: "scatter",
      mode: "markers",
      name,
      x: kept.map((one) => one.x),
      y: kept.map((one) => one.y),
      text: kept.map((one) => escaped(one.word)),
      hovertemplate: "%{text}<extra></extra>",
      marker: { color: colour(hue), symbol, size, opacity: route ? 0.35 : 0.9, line: { color: colour("surface"), width: size > 6 ? 1.2 : 0 } },
      picks: kept,
    };
  }

  /** Those of a layer that lie in one cell of the screen are one bubble; layers stand around the place they share. */
  function bubbles({ name, hue, symbol, size, kept }, range) {
    const turn = (Math.PI * TURNS[hue]) / 180;
    const pixel = (range.x[1] - range.x[0]) / Math.max(1, place.clientWidth);
    const cell = pixel * CELL_PX;
    const cells = new Map();
    for (const one of kept) {
      const at = `${Math.floor(one.x / cell)}:${Math.floor(one.y / cell)}`;
      const known = cells.get(at);
      if (known) known.many += 1;
      else cells.set(at, { many: 1, one, x: (Math.floor(one.x / cell) + 0.5) * cell, y: (Math.floor(one.y / cell) + 0.5) * cell });
    }
    const all = [...cells.values()].map((group) => (group.many === 1 ? { ...group, x: group.one.x, y: group.one.y } : { ...group, x: group.x + pixel * APART_PX * Math.cos(turn), y: group.y + pixel * APART_PX * Math.sin(turn) }));
    return {
      type: "scatter",
      mode: "markers+text",
      name,
      x: all.map((group) => group.x),
      y: all.map((group) => group.y),
      text: all.map((group) => (group.many === 1 ? "" : short(group.many))),
      textfont: { color: colour("surface"), size: 11 },
      customdata: all.map((group) => (group.many === 1 ? escaped(group.one.word) : `${count(group.many)} × ${name}`)),
      hovertemplate: "%{customdata}<extra></extra>",
      marker: {
        color: colour(hue),
        symbol,
        size: all.map((group) => (group.many === 1 ? size : (symbol === "diamond" ? 19 : 15) + 2.1 * Math.log2(group.many))),
        opacity: route ? 0.3 : 0.92,
        line: { color: colour("surface"), width: 1.2 },
      },
      picks: all.map((group) => (group.many === 1 ? group.one : { zoom: { x: [group.one.x - cell * 3, group.one.x + cell * 3], y: [group.one.y - cell * 2.5, group.one.y + cell * 2.5] } })),
    };
  }

  function routeTraces() {
    if (!route) return [];
    const stops = route.stops.filter((stop) => stop.lat !== null);
    const way = [...(route.start ? [route.start] : []), ...stops.map((stop) => [stop.lat, stop.lng]), ...(route.end ? [route.end] : [])];
    return [
      { type: "scatter", mode: "lines", hoverinfo: "skip", x: way.map(([, lng]) => lng), y: way.map(([lat]) => toY(lat)), line: { color: colour("accent"), width: 2.5 } },
      ...(route.start ? [{ type: "scatter", mode: "markers", x: [route.start[1]], y: [toY(route.start[0])], text: [escaped(`${worker} starts here`)], hovertemplate: "%{text}<extra></extra>", marker: { symbol: "star", size: 17, color: colour("accent"), line: { color: colour("surface"), width: 1.5 } } }] : []),
      {
        type: "scatter",
        mode: "markers+text",
        x: stops.map((stop) => stop.lng),
        y: stops.map((stop) => toY(stop.lat)),
        text: stops.map((stop) => String(route.stops.indexOf(stop) + 1)),
        customdata: stops.map((stop) => escaped(`${stop.key ?? NONE}, ${hours(stop.start_s)}`)),
        hovertemplate: "%{customdata}<extra></extra>",
        textfont: { color: colour("on-accent"), size: 11 },
        marker: { symbol: "circle", size: 21, color: colour("accent"), line: { color: colour("surface"), width: 1.5 } },
        picks: stops,
      },
    ];
  }

  function shape(range) {
    const axis = { zeroline: false, fixedrange: false, ticks: "", showgrid: true, gridcolor: colour("line"), ticklabelposition: "inside", tickfont: { color: colour("muted"), size: 10.5 } };
    const bar = scale(range, place.clientWidth);
    return layout({
      showlegend: false,
      hovermode: "closest",
      dragmode: "pan",
      margin: { l: 0, r: 0, t: 0, b: 0 },
      plot_bgcolor: colour("ground"),
      uirevision: `${app.account} ${worker} ${onDay}`,
      images: tiles(app.settings?.tile_url, range, place.clientWidth),
      shapes: [{ type: "line", xref: "paper", yref: "paper", x0: 1 - 14 / place.clientWidth - bar.share, x1: 1 - 14 / place.clientWidth, y0: 0.03, y1: 0.03, line: { color: colour("ink"), width: 2.5 } }],
      annotations: [{ xref: "paper", yref: "paper", x: 1 - 14 / place.clientWidth, y: 0.035, xanchor: "right", yanchor: "bottom", text: bar.word, showarrow: false, font: { size: 11.5, color: colour("ink") } }],
      xaxis: { ...axis, ...meridians(range.x), range: range.x },
      yaxis: { ...axis, ...parallels(range.y), range: range.y, scaleanchor: "x", scaleratio: 1 },
    });
  }

  const redraw = () => draw();
  window.addEventListener("themechange", redraw);
  return {
    update(now) {
      text(numbers.held, count(now.counts.held));
      text(numbers.waiting, count(now.counts.accepted + now.counts.assigned + now.counts.unknown));
      if (leaderKey(now) !== led) {
        led = leaderKey(now);
        replace(leader, elsewhere(now, "map"));
        list();
      }
      refresh(now.fleet.map);
      if (worker && !route && data) show(true);
    },
    close() {
      closed = true;
      window.removeEventListener("themechange", redraw);
      if (library) library.purge(place);
    },
  };
}

/** Plotly reads a few tags in its labels: none of them is meant here. */
const escaped = (said) => said.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
