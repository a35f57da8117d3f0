// Histograms, and the figures above the map.
const STILL = { displayModeBar: false, responsive: true, staticPlot: false, scrollZoom: false, doubleClick: false };
function bars(id, x, y, { xTitle, hover }) {
  const layout = {
    margin: { l: 40, r: 6, t: 8, b: 38 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    bargap: 0.12,
    dragmode: false,
    hovermode: "closest",
    font: { family: "system-ui, sans-serif", size: 11.5, color: tone("muted") },
    hoverlabel: { bgcolor: tone("card"), bordercolor: tone("line"), font: { color: tone("ink") } },
    xaxis: {
      title: { text: xTitle, standoff: 6 },
      fixedrange: true,
      showgrid: false,
      zeroline: false,
      linecolor: tone("line"),
      type: "category",
      tickangle: 0,
      nticks: 9,
      automargin: false,
    },
    yaxis: {
      fixedrange: true,
      gridcolor: tone("line"),
      zeroline: false,
      rangemode: "tozero",
      tick0: 0,
      dtick: evenStep(Math.max(1, ...y) / 4),
      tickformat: ",d",
    },
  };
  const step = Math.ceil(x.length / 9);
  Object.assign(layout.xaxis, { tickmode: "array", tickvals: x.filter((_, n) => n % step === 0) });
  return Plotly.react(
    id,
    [{ type: "bar", x, y, marker: { color: tone("bar") }, hoverinfo: "text", hovertext: hover, textposition: "none" }],
    layout,
    STILL,
  );
}

function evenStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
}

function quantile(sorted, part) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] : 0;
}

const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : 0);

function drawLoad() {
  const perDay = new Map();
  for (let job = 0; job < jobCount; job += 1) {
    if (jobs.member[job] < 0 || !onDay(jobs.day[job])) continue;
    const at = jobs.day[job] * memberCount + jobs.member[job];
    perDay.set(at, (perDay.get(at) || 0) + 1);
  }
  const loads = [...perDay.values()];
  const oneDay = state.day >= 0 || days.length === 1;
  const idle = oneDay
    ? [...members.open.keys()].filter(
        (m) => members.open[m] && !perDay.has((state.day < 0 ? 0 : state.day) * memberCount + m),
      ).length
    : 0;
  const most = Math.max(0, ...loads);
  const width = Math.max(1, Math.ceil(most / 24));
  const bins = Array.from({ length: Math.max(1, Math.ceil(most / width)) }, (_, n) => [n * width + 1, (n + 1) * width]);
  const label = ([a, b]) => (a === b ? String(a) : `${a}–${b}`);
  const numbers = bins.map(([a, b]) => loads.filter((load) => load >= a && load <= b).length);
  const x = bins.map(label);
  if (idle) {
    x.unshift("0");
    numbers.unshift(idle);
  }
  bars("load", x, numbers, {
    xTitle: "jobs",
    hover: x.map((name, n) => `${plural(numbers[n], "member", "members")} with ${name}`),
  });
  byId("load-words").textContent = loads.length
    ? `${mean(loads).toFixed(1)} on average where there are any, ${most} at most${idle ? `, ${plural(idle, "member", "members")} free` : ""}`
    : "no job has a member";
}

function drawDistance() {
  const far = [];
  for (let job = 0; job < jobCount; job += 1)
    if (jobs.distance[job] !== null && onDay(jobs.day[job])) far.push(jobs.distance[job] / 1000);
  far.sort((a, b) => a - b);
  const reachKm = quantile(far, 0.985) || 1;
  const raw = reachKm / 16,
    power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const number = Math.max(1, Math.ceil((reachKm + 1e-9) / step));
  const counts = new Array(number + 1).fill(0);
  for (const value of far) counts[Math.min(number, Math.floor(value / step))] += 1;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const edge = (n) => (n * step).toFixed(digits);
  const x = counts.map((_, n) => (n === number ? `≥${edge(n)}` : edge(n)));
  const hover = counts.map(
    (n, k) =>
      `${plural(n, "job", "jobs")} ${k === number ? `from ${edge(k)} km on` : `from ${edge(k)} to ${edge(k + 1)} km`}`,
  );
  if (!counts[number]) {
    counts.pop();
    x.pop();
    hover.pop();
  }
  bars("distance", x, counts, { xTitle: "km from the member’s start, great circle", hover });
  byId("distance-words").textContent = far.length
    ? `half within ${quantile(far, 0.5).toFixed(1)} km, nine of ten within ${quantile(far, 0.9).toFixed(1)} km`
    : "no distances are known";
}

function drawHours() {
  const SLOT = 1800;
  const [from, to] = hours;
  const busy = new Array(Math.max(1, Math.round((to - from) / SLOT))).fill(0);
  for (let route = 0; route < routes.member.length; route += 1) {
    if (!onDay(routes.day[route])) continue;
    const seen = new Set();
    for (const call of callsOf(route)) {
      const last = Math.max(calls.leave[call] - 1, calls.start[call]);
      for (let n = Math.floor((calls.start[call] - from) / SLOT); n <= Math.floor((last - from) / SLOT); n += 1)
        seen.add(n);
    }
    for (const n of seen) if (n >= 0 && n < busy.length) busy[n] += 1;
  }
  const x = busy.map((_, n) => clock(from + n * SLOT));
  bars("hours", x, busy, {
    xTitle: "time of day",
    hover: busy.map((n, k) => `${x[k]}: ${plural(n, "member", "members")} on site`),
  });
  const peak = busy.indexOf(Math.max(...busy));
  byId("hours-words").textContent = busy[peak]
    ? `with a customer, by half-hour; most at ${x[peak]}: ${count(busy[peak])}`
    : "no stops";
}

function drawFigures() {
  let all = 0,
    placed = 0,
    metres = 0,
    late = 0;
  for (let job = 0; job < jobCount; job += 1) {
    if (!onDay(jobs.day[job])) continue;
    all += 1;
    if (!isNobodys(job)) placed += 1;
  }
  const working = new Set();
  for (let route = 0; route < routes.member.length; route += 1) {
    if (!onDay(routes.day[route])) continue;
    metres += routes.metres[route];
    working.add(routes.member[route]);
    for (const call of callsOf(route)) if (isLate(call)) late += 1;
  }
  const open = members.open.filter(Boolean).length;
  const tiles = [
    ["Jobs", count(all), ""],
    ["With a member", count(placed), share(placed, all)],
    ["Without", count(all - placed), share(all - placed, all), all > placed],
    [
      "Members with stops",
      count(working.size),
      `of ${count(memberCount)}${open < memberCount ? `, ${count(open)} on shift` : ""}`,
    ],
    ["Way of all routes", km(metres), "by road"],
  ];
  if (working.size)
    tiles.push([
      "Per stop",
      km(
        metres /
          Math.max(
            1,
            [...working].reduce(
              (n, m) =>
                n +
                (routesOf.get(m) || []).filter((r) => onDay(routes.day[r])).reduce((k, r) => k + routes.count[r], 0),
              0,
            ),
          ),
      ),
      "by road",
    ]);
  if (late) tiles.push(["Late stops", count(late), "start after their window", true]);
  byId("figures").replaceChildren(
    ...tiles.map(([name, value, note, bad]) =>
      element(
        "div",
        { class: bad ? "bad" : "" },
        element("dt", { text: name }),
        element("dd", { text: value }, element("small", { text: note })),
      ),
    ),
  );
  byId("map-words").textContent =
    `${plural(all, "job", "jobs")}, ${count(placed)} with a member, ${plural(working.size, "route", "routes")}. The same is in the tables at the end of the page.`;
}

function drawCharts() {
  drawLoad();
  drawDistance();
  drawHours();
}
