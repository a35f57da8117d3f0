// The map: dots thinned to what the eye can tell apart, routes, tiles, scale, and a card on hover.
const CELL_PX = 5;
const NUMBERED = 160;
const CROWD = 1200;
const FRAME = byId("map");
const NO_BAR = { displayModeBar: false, responsive: true, scrollZoom: true, doubleClick: false };
let view = null; // [x0, x1, y0, y1] as wished; the frame's shape widens one side

function reach(xs, ys, which) {
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (const n of which) {
    if (Number.isNaN(xs[n])) continue;
    x0 = Math.min(x0, xs[n]); x1 = Math.max(x1, xs[n]);
    y0 = Math.min(y0, ys[n]); y1 = Math.max(y1, ys[n]);
  }
  return [x0, x1, y0, y1];
}
const joined = (a, b) => [Math.min(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.max(a[3], b[3])];
function padded([x0, x1, y0, y1]) {
  if (!Number.isFinite(x0)) return [-10, 30, 30, 65];
  const side = Math.max(x1 - x0, y1 - y0, 0.01) * 0.07;
  return [x0 - side, x1 + side, y0 - side, y1 + side];
}
const everything = () => padded(joined(reach(spotX, spotY, spotX.keys()), reach(memberX, memberY, memberX.keys())));
function chosenReach() {
  let box = [Infinity, -Infinity, Infinity, -Infinity];
  for (const member of state.members) {
    for (const route of routesOf.get(member) || []) {
      if (onDay(routes.day[route])) box = joined(box, reach(spotX, spotY, [...callsOf(route)].map((call) => calls.spot[call])));
    }
    box = joined(box, reach(memberX, memberY, [member]));
  }
  const alone = [];
  if (state.reason !== null) for (let job = 0; job < jobCount; job += 1) if (isShownNobody(job)) alone.push(job);
  if (state.job >= 0) alone.push(state.job);
  return joined(box, reach(spotX, spotY, alone));
}
const isShownNobody = (job) => isNobodys(job) && onDay(jobs.day[job]) && (state.reason === null || jobs.reason[job] === state.reason);

function shownRange() {
  const layout = FRAME._fullLayout;
  return layout && layout.xaxis ? [...layout.xaxis.range, ...layout.yaxis.range] : view;
}

// Of several dots in one cell of the screen one is drawn, a little larger; hover says how many there are.
function thinned(which, range) {
  const cell = ((range[1] - range[0]) / Math.max(FRAME.clientWidth, 200)) * CELL_PX;
  const margin = cell * 10;
  const found = new Map();
  for (const job of which) {
    const x = spotX[job], y = spotY[job];
    if (!(x > range[0] - margin && x < range[1] + margin && y > range[2] - margin && y < range[3] + margin)) continue;
    const at = `${Math.floor(x / cell)} ${Math.floor(y / cell)}`;
    const there = found.get(at);
    if (there) there[1] += 1;
    else found.set(at, [job, 1]);
  }
  return [...found.values()];
}
// Far out a town is a few pixels wide: such a heap is drawn as one bubble with its number of jobs. Returns the jobs and
// members that are not in one.
const HEAP_PX = 24;
const HEAP_SIDE_PX = 110;
const HEAP_JOBS = 60;
function heaped(jobsShown, range) {
  const cell = ((range[1] - range[0]) / Math.max(FRAME.clientWidth, 200)) * HEAP_PX;
  const at = (x, y) => [Math.floor(x / cell), Math.floor(y / cell)];
  const cells = new Map();
  for (const job of jobsShown) {
    const [column, row] = at(spotX[job], spotY[job]);
    const name = `${column} ${row}`;
    if (!cells.has(name)) cells.set(name, { column, row, jobs: [], heap: null });
    cells.get(name).jobs.push(job);
  }
  const heaps = [];
  for (const begin of cells.values()) {
    if (begin.heap) continue;
    const heap = { cells: [], jobs: 0, nobodys: 0, left: begin.column, right: begin.column, low: begin.row, high: begin.row };
    begin.heap = heap;
    const waiting = [begin];
    while (waiting.length) {
      const here = waiting.pop();
      heap.cells.push(here);
      heap.jobs += here.jobs.length;
      heap.left = Math.min(heap.left, here.column); heap.right = Math.max(heap.right, here.column);
      heap.low = Math.min(heap.low, here.row); heap.high = Math.max(heap.high, here.row);
      for (let dx = -1; dx <= 1; dx += 1) {
        for (let dy = -1; dy <= 1; dy += 1) {
          const next = cells.get(`${here.column + dx} ${here.row + dy}`);
          if (next && !next.heap) { next.heap = heap; waiting.push(next); }
        }
      }
    }
    heap.dense = heap.jobs >= HEAP_JOBS && Math.max(heap.right - heap.left, heap.high - heap.low) * HEAP_PX < HEAP_SIDE_PX;
    if (heap.dense) heaps.push(heap);
  }
  for (const heap of heaps) {
    const inside = heap.cells.flatMap((each) => each.jobs);
    heap.box = reach(spotX, spotY, inside);
    heap.nobodys = inside.filter(isNobodys).length;
  }
  const free = (x, y) => { const [column, row] = at(x, y); return !cells.get(`${column} ${row}`)?.heap.dense; };
  return { heaps, free };
}
function bubbles(heaps, chosen) {
  const side = (heap) => 26 + Math.min(46, 3.2 * Math.log2(heap.jobs));
  return {
    type: "scatter", mode: "markers+text", hoverinfo: "none", showlegend: false, opacity: chosen ? 0.45 : 1,
    x: heaps.map(({ box }) => (box[0] + box[1]) / 2), y: heaps.map(({ box }) => (box[2] + box[3]) / 2),
    text: heaps.map((heap) => count(heap.jobs)), textfont: { size: 12, color: tone("accent-ink"), weight: 650 },
    customdata: heaps.map((heap, n) => ["heap", n, heap.jobs]),
    marker: { size: heaps.map(side), color: tone("accent"), opacity: 1, line: { width: 3, color: tone("sheet") } },
  };
}
let heapsShown = [];
function dots(name, picked, { colour, symbol = "circle", size = 7, opacity = 0.9, line = null }) {
  return {
    type: "scatter", mode: "markers", name, hoverinfo: "none", showlegend: false, cliponaxis: true,
    x: picked.map(([job]) => spotX[job]), y: picked.map(([job]) => spotY[job]),
    customdata: picked.map(([job, n]) => ["job", job, n]),
    marker: {
      symbol, opacity, size: picked.map(([, n]) => size + Math.min(6, 1.6 * Math.log2(n))),
      color: typeof colour === "string" ? colour : picked.map(([job]) => colour(job)),
      line: line || { width: 0.8, color: tone("sheet") },
    },
  };
}
const where = (place) => (place ? [place[1], northing(place[0])] : null);
function wayOf(route) {
  const stops = [...callsOf(route)].map((call) => calls.spot[call]).filter((spot) => !Number.isNaN(spotX[spot])).map((spot) => [spotX[spot], spotY[spot]]);
  const from = where(routes.from[route]), to = where(routes.to[route]);
  return { stops, out: from && stops.length ? [from, stops[0]] : [], home: to && stops.length ? [stops[stops.length - 1], to] : [] };
}
function lines(pieces, look, opacity = 1) {
  const x = [], y = [];
  for (const piece of pieces) {
    if (piece.length < 2) continue;
    for (const [px, py] of piece) { x.push(px); y.push(py); }
    x.push(null); y.push(null);
  }
  return { type: "scatter", mode: "lines", x, y, line: { simplify: true, ...look }, opacity, hoverinfo: "skip", showlegend: false };
}

function traces(range) {
  const made = [];
  const chosen = anyChosen();
  const onSheet = [];
  for (let job = 0; job < jobCount; job += 1) if (!Number.isNaN(spotX[job]) && onDay(jobs.day[job])) onSheet.push(job);
  const { heaps, free } = heaped(onSheet, range);
  heapsShown = heaps;
  const paleLine = chosen ? 0.12 : 0.5;
  if (state.lines) {
    const perColour = new Map();
    for (let route = 0; route < routes.member.length; route += 1) {
      const member = routes.member[route];
      if (!onDay(routes.day[route]) || state.members.has(member)) continue;
      const colour = colourOf(member);
      if (!perColour.has(colour)) perColour.set(colour, []);
      perColour.get(colour).push(wayOf(route).stops);
    }
    for (const [colour, pieces] of perColour) made.push(lines(pieces, { color: colour, width: 1.4 }, paleLine));
  }
  const others = [], mine = [], nobodys = [], paleNobodys = [];
  for (const job of onSheet) {
    if (!free(spotX[job], spotY[job])) continue;
    if (isNobodys(job)) (state.members.size || (state.reason !== null && jobs.reason[job] !== state.reason) ? paleNobodys : nobodys).push(job);
    else (state.members.has(jobs.member[job]) ? mine : others).push(job);
  }
  const kept = [];
  for (let spot = jobCount; spot < spotX.length; spot += 1) if (keptRoute[spot - jobCount] >= 0 && onDay(routes.day[keptRoute[spot - jobCount]]) && free(spotX[spot], spotY[spot])) kept.push(spot);
  const ownColour = (job) => (jobs.member[job] >= 0 ? colourOf(jobs.member[job]) : tone("muted"));
  if (kept.length) {
    const colour = (spot) => colourOf(routes.member[keptRoute[spot - jobCount]]);
    made.push(dots("kept", thinned(kept, range), { colour: chosen ? tone("faded") : colour, symbol: "circle-open", size: 7, opacity: chosen ? 0.5 : 0.9, line: { width: 2 } }));
  }
  const picked = thinned(others, range), crosses = thinned(nobodys, range);
  const small = picked.length + crosses.length > CROWD;
  made.push(dots("jobs", picked, { colour: chosen ? tone("faded") : ownColour, opacity: chosen ? 0.55 : 0.9, size: chosen || small ? 5.5 : 7.5 }));
  made.push(dots("pale", thinned(paleNobodys, range), { colour: tone("faded"), symbol: "x-thin", size: 7, opacity: 0.7, line: { width: 1.5, color: tone("faded") } }));
  made.push(dots("nobody", crosses, { colour: "#000", symbol: "x-thin", size: small ? 5.5 : 9, opacity: 1, line: { width: small ? 1.5 : 2.4, color: crosses.map(([job]) => reasonColour(jobs.reason[job])) } }));
  made.push(...bases(chosen, range, free));
  if (heaps.length) made.push(bubbles(heaps, chosen));
  made.push(...chosenRoutes());
  if (state.job >= 0 && !Number.isNaN(spotX[state.job])) {
    made.push({ type: "scatter", mode: "markers", x: [spotX[state.job]], y: [spotY[state.job]], hoverinfo: "skip", showlegend: false, marker: { symbol: "circle-open", size: 30, color: tone("ink"), line: { width: 2.5 } } });
  }
  return made;
}
const keptRoute = new Int32Array(spotX.length - jobCount).fill(-1);
routes.member.forEach((_, route) => { for (const call of callsOf(route)) if (calls.spot[call] >= jobCount) keptRoute[calls.spot[call] - jobCount] = route; });

function bases(chosen, range, free) {
  const seen = [];
  for (let member = 0; member < memberCount; member += 1) {
    const x = memberX[member], y = memberY[member];
    if (x >= range[0] && x <= range[1] && y >= range[2] && y <= range[3] && free(x, y) && !state.members.has(member)) seen.push(member);
  }
  const crowded = seen.length > 300;
  return [{
    type: "scatter", mode: "markers", x: seen.map((m) => memberX[m]), y: seen.map((m) => memberY[m]), hoverinfo: "none", showlegend: false,
    customdata: seen.map((m) => ["member", m, 1]), opacity: chosen ? 0.35 : 1,
    marker: {
      symbol: "diamond", size: crowded ? 7 : 11, color: seen.map((m) => (members.open[m] ? tone("card") : tone("faded"))),
      line: { width: crowded ? 1.4 : 2.2, color: seen.map((m) => (members.open[m] ? colourOf(m) : tone("muted"))) },
    },
  }];
}
function chosenRoutes() {
  const made = [];
  let total = 0;
  for (const member of state.members) for (const route of routesOf.get(member) || []) if (onDay(routes.day[route])) total += routes.count[route];
  for (const member of state.members) {
    const colour = colourOf(member);
    const mine = (routesOf.get(member) || []).filter((route) => onDay(routes.day[route]));
    const ways = mine.map(wayOf);
    made.push(lines(ways.flatMap((way) => [way.out, way.home]), { color: colour, width: 2, dash: "dot" }));
    made.push(lines(ways.map((way) => way.stops), { color: colour, width: 3.2 }));
    const placed = mine.flatMap((route) => [...callsOf(route)].map((call, n) => [call, n + 1])).filter(([call]) => !Number.isNaN(spotX[calls.spot[call]]));
    const numbered = total <= NUMBERED;
    made.push({
      type: "scatter", mode: numbered ? "markers+text" : "markers", hoverinfo: "none", showlegend: false,
      x: placed.map(([call]) => spotX[calls.spot[call]]), y: placed.map(([call]) => spotY[calls.spot[call]]),
      text: placed.map(([, n]) => String(n)), textfont: { size: 10.5, color: placed.map(([call]) => (calls.spot[call] < jobCount ? tone("card") : colour)), weight: 700 },
      customdata: placed.map(([call]) => ["call", call, 1]),
      marker: {
        size: numbered ? 19 : 9, color: placed.map(([call]) => (calls.spot[call] < jobCount ? colour : tone("card"))),
        line: { width: 2, color: placed.map(([call]) => (isLate(call) ? tone("bad") : calls.spot[call] < jobCount ? tone("card") : colour)) },
      },
    });
    if (!Number.isNaN(memberX[member])) {
      made.push({
        type: "scatter", mode: "markers", x: [memberX[member]], y: [memberY[member]], customdata: [["member", member, 1]], hoverinfo: "none", showlegend: false,
        marker: { symbol: "diamond", size: 16, color: tone("card"), line: { width: 3.5, color: colour } },
      });
    }
  }
  return made;
}

// Tiles of a slippy map in view, when the page was made with an address for them.
const TILES = JSON.parse(byId("tiles").textContent);
const MOST_TILES = 60;
function tiles(range) {
  if (!TILES) return [];
  const wanted = (FRAME.clientWidth / 256) * (360 / (range[1] - range[0]));
  let zoom = Math.max(0, Math.min(19, Math.round(Math.log2(wanted))));
  for (; zoom >= 0; zoom -= 1) {
    const side = 360 / 2 ** zoom;
    const first = Math.floor((range[0] + 180) / side), last = Math.floor((range[1] + 180) / side);
    const top = Math.max(0, Math.floor((180 - range[3]) / side)), bottom = Math.min(2 ** zoom - 1, Math.floor((180 - range[2]) / side));
    if ((last - first + 1) * (bottom - top + 1) > MOST_TILES) continue;
    const images = [];
    for (let column = first; column <= last; column += 1) {
      for (let row = top; row <= bottom; row += 1) {
        const turned = ((column % 2 ** zoom) + 2 ** zoom) % 2 ** zoom;
        const source = TILES.url.replace("{z}", zoom).replace("{x}", turned).replace("{y}", row);
        images.push({ source, xref: "x", yref: "y", x: column * side - 180, y: 180 - row * side, sizex: side, sizey: side, sizing: "stretch", layer: "below", opacity: state.dark ? 0.55 : 0.85 });
      }
    }
    return images;
  }
  return [];
}

function axis(extra) {
  return { showgrid: !TILES, gridcolor: tone("line"), zeroline: false, showticklabels: false, ticks: "", showline: false, nticks: 9, ...extra };
}
function drawMap() {
  const wished = shownRange();
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: tone("sheet"), hovermode: "closest", hoverdistance: 14,
    dragmode: "pan", showlegend: false, font: { family: "system-ui, sans-serif" }, images: tiles(wished),
    xaxis: axis({ range: wished.slice(0, 2) }), yaxis: axis({ range: wished.slice(2), scaleanchor: "x", scaleratio: 1 }),
  };
  return Plotly.react(FRAME, traces(wished), layout, NO_BAR).then(drawScale);
}
function show(box) {
  const [x0, x1, y0, y1] = padded(box);
  view = [x0, x1, y0, y1];
  // The frame's shape decides which side is the wider one: ranges that fit it leave nothing for Plotly to adjust.
  const ratio = Math.max(FRAME.clientWidth, 1) / Math.max(FRAME.clientHeight, 1);
  let width = x1 - x0, height = y1 - y0;
  if (width / height < ratio) width = height * ratio; else height = width / ratio;
  const cx = (x0 + x1) / 2, cy = (y0 + y1) / 2;
  view = [cx - width / 2, cx + width / 2, cy - height / 2, cy + height / 2];
  if (FRAME._fullLayout) Plotly.relayout(FRAME, { "xaxis.range": view.slice(0, 2), "yaxis.range": view.slice(2) });
}
function zoom(factor) {
  const [x0, x1, y0, y1] = shownRange();
  const cx = (x0 + x1) / 2, cy = (y0 + y1) / 2, w = ((x1 - x0) / 2) * factor, h = ((y1 - y0) / 2) * factor;
  Plotly.relayout(FRAME, { "xaxis.range": [cx - w, cx + w], "yaxis.range": [cy - h, cy + h] });
}
function drawScale() {
  const range = shownRange();
  const perPixel = (((range[1] - range[0]) / Math.max(FRAME.clientWidth, 1)) * 111195 * Math.cos((latitude((range[2] + range[3]) / 2) * Math.PI) / 180));
  const most = perPixel * 120;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = [5, 2, 1].map((n) => n * power).find((n) => n <= most) || power;
  const bar = byId("scale").firstElementChild;
  bar.style.width = `${metres / perPixel}px`;
  bar.textContent = metres >= 1000 ? `${count(metres / 1000)} km` : `${count(metres)} m`;
}
// A choice out of sight, or too small to see, is brought into view.
function bringIntoView() {
  const box = chosenReach();
  if (!Number.isFinite(box[0])) return;
  const [x0, x1, y0, y1] = shownRange();
  const inside = box[0] >= x0 && box[1] <= x1 && box[2] >= y0 && box[3] <= y1;
  const size = Math.max((box[1] - box[0]) / (x1 - x0), (box[3] - box[2]) / (y1 - y0));
  if (!inside || size < 0.12) show(box);
}

function card(kind, number, n) {
  const lines = [];
  if (kind === "heap") {
    const heap = heapsShown[number];
    return [["b", plural(heap.jobs, "job", "jobs")], [heap.nobodys ? "late" : "", heap.nobodys ? `${count(heap.nobodys)} without a member` : "all with a member"], ["muted", "click to look closer"]];
  }
  if (kind === "member") {
    const { stops, way } = sums();
    lines.push(["b", memberName(number)]);
    if (members.title[number]) lines.push(["muted", members.name[number]]);
    lines.push(["", members.open[number] ? `shift ${clock(members.begin[number])} to ${clock(members.end[number])}` : "takes no jobs on that day"]);
    lines.push(["", `${plural(stops[number], "stop", "stops")}${way[number] ? `, ${km(way[number])}` : ""}`]);
    return lines;
  }
  const spot = kind === "call" ? calls.spot[number] : number;
  const route = spot < jobCount ? routeOfJob[spot] : keptRoute[spot - jobCount];
  lines.push(["b", spotName(spot)]);
  if (spots.title[spot]) lines.push(["muted", spots.key[spot]]);
  if (spot >= jobCount) lines.push(["", "was there before this plan"]);
  if (spot < jobCount && isNobodys(spot)) {
    lines.push(["late", "without a member"]);
    for (const [code, many, example] of jobs.reasons[spot] || []) lines.push(["", `${reasonName(code)}: ${count(many)}${example >= 0 ? `, such as ${memberName(example)}` : ""}`]);
  } else {
    const member = spot < jobCount ? jobs.member[spot] : routes.member[route];
    lines.push(["", member >= 0 ? memberName(member) : `${jobs.worker[spot]} (not in the fleet)`]);
    if (route >= 0) {
      const call = [...callsOf(route)].find((c) => calls.spot[c] === spot);
      lines.push([isLate(call) ? "late" : "", `arrives ${clock(calls.arrive[call])}, starts ${clock(calls.start[call])}, leaves ${clock(calls.leave[call])}`]);
    }
    if (spot < jobCount && jobs.distance[spot] !== null) lines.push(["", `${km(jobs.distance[spot])} from the member’s start, ${Math.round(jobs.added[spot] / 60)} min of travel more`]);
    if (spot < jobCount && named.has(spot)) lines.push(["muted", "the job named its member itself"]);
  }
  lines.push(["muted", `window: ${windowOf(spot)}`]);
  if (n > 1) lines.push(["muted", `and ${plural(n - 1, "more job", "more jobs")} right here; zoom in`]);
  return lines;
}
function showTip(event) {
  const [kind, number, n] = event.points[0].customdata;
  const tip = byId("tip");
  tip.replaceChildren(...card(kind, number, n).map(([style, text]) => element(style === "b" ? "b" : "span", { class: style === "b" ? "" : style || "plain", text })));
  for (const line of tip.children) line.style.display = "block";
  tip.hidden = false;
  const box = FRAME.getBoundingClientRect();
  const x = event.event.clientX - box.left, y = event.event.clientY - box.top;
  tip.style.left = `${Math.max(4, Math.min(box.width - tip.offsetWidth - 4, x + 16))}px`;
  tip.style.top = `${y + tip.offsetHeight + 24 > box.height ? Math.max(4, y - tip.offsetHeight - 12) : y + 16}px`;
}
function startMap() {
  show(everything());
  return drawMap().then(() => {
    let asked = 0;
    FRAME.on("plotly_relayout", () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(drawMap); });
    FRAME.on("plotly_hover", showTip);
    FRAME.on("plotly_unhover", () => { byId("tip").hidden = true; });
    FRAME.on("plotly_click", (event) => {
      const [kind, number] = event.points[0].customdata;
      byId("tip").hidden = true;
      if (kind === "heap") show(heapsShown[number].box);
      else if (kind === "member") toggleMember(number);
      else if (kind === "call") { if (calls.spot[number] < jobCount) change({ job: calls.spot[number] }); }
      else if (number < jobCount) chooseJob(number);
      else toggleMember(routes.member[keptRoute[number - jobCount]]);
    });
    byId("zoom-in").onclick = () => zoom(0.6);
    byId("zoom-out").onclick = () => zoom(1 / 0.6);
    byId("fit").onclick = () => { const box = chosenReach(); show(Number.isFinite(box[0]) ? box : everything()); };
  });
}
