// The side: members as a legend that can be filtered, reasons, and the day of whom is chosen.
const ROWS = 200;
const SVG = "http://www.w3.org/2000/svg";
const hours = (() => {
  let first = Infinity,
    last = -Infinity;
  for (let route = 0; route < routes.member.length; route += 1) {
    if (!routes.count[route]) continue;
    const member = routes.member[route];
    first = Math.min(
      first,
      calls.arrive[routes.first[route]],
      members.end[member] > members.begin[member] ? members.begin[member] : Infinity,
    );
    last = Math.max(last, calls.leave[routes.first[route] + routes.count[route] - 1], members.end[member]);
  }
  if (!(last > first)) return [8 * 3600, 18 * 3600];
  return [Math.floor(first / 3600) * 3600, Math.ceil(Math.min(last, 36 * 3600) / 3600) * 3600];
})();

// A day as a strip: the shift pale, each stop a block.
function strip(member) {
  const [from, to] = hours;
  const at = (s) => Math.max(0, Math.min(1000, ((s - from) / (to - from)) * 1000));
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 1000 7");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  const bar = (d, fill, opacity) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("fill", fill);
    path.setAttribute("fill-opacity", opacity);
    drawing.append(path);
  };
  const block = (a, b) => `M${at(a).toFixed(1)} 0H${Math.max(at(b), at(a) + 3).toFixed(1)}V7H${at(a).toFixed(1)}Z`;
  if (members.open[member]) bar(block(members.begin[member], members.end[member]), colourOf(member), 0.16);
  const stops = (routesOf.get(member) || []).filter((route) => onDay(routes.day[route]));
  for (const route of stops)
    bar(
      [...callsOf(route)].map((call) => block(calls.start[call], calls.leave[call])).join(""),
      colourOf(member),
      stops.length === 1 ? 0.95 : 0.45,
    );
  return drawing;
}

let shownRows = ROWS;
function listed() {
  const query = state.query.trim().toLowerCase();
  const { stops, way } = sums();
  let found = [...members.name.keys()];
  if (query) {
    const byKey = new Set();
    for (let job = 0; job < jobCount; job += 1)
      if (jobs.member[job] >= 0 && spots.key[job].toLowerCase().includes(query)) byKey.add(jobs.member[job]);
    found = found.filter(
      (m) =>
        byKey.has(m) || members.name[m].toLowerCase().includes(query) || members.title[m].toLowerCase().includes(query),
    );
  }
  const names = new Intl.Collator("en", { numeric: true });
  const order = { jobs: (a, b) => stops[b] - stops[a], way: (a, b) => way[b] - way[a], name: () => 0 }[state.sort];
  return { found: found.sort((a, b) => order(a, b) || names.compare(memberName(a), memberName(b))), stops, way };
}

function drawList() {
  const { found, stops, way } = listed();
  byId("members").replaceChildren(
    ...found.slice(0, shownRows).map((member) => {
      const swatch = element("i", { class: "swatch" });
      swatch.style.background = members.open[member] || stops[member] ? colourOf(member) : tone("faded");
      const sum = stops[member]
        ? `${plural(stops[member], "stop", "stops")} · ${km(way[member])}`
        : members.open[member]
          ? "free"
          : "off";
      const row = element(
        "button",
        { type: "button", "aria-pressed": state.members.has(member), "data-member": member },
        swatch,
        element("span", { class: "who", text: memberName(member), title: members.name[member] }),
        element("span", { class: "sum", text: sum }),
      );
      if (stops[member] || members.open[member]) row.append(strip(member));
      return element("li", {}, row);
    }),
  );
  const left = found.length - shownRows;
  const more = byId("members-more");
  more.hidden = left <= 0 && found.length > 0;
  more.replaceChildren();
  if (!found.length) more.textContent = memberCount ? "Nobody fits these words." : "There are no members in this plan.";
  else if (left > 0) {
    const button = element("button", {
      type: "button",
      class: "link",
      text: `show ${count(Math.min(left, ROWS))} more of ${count(left)}`,
    });
    button.onclick = () => {
      shownRows += ROWS;
      drawList();
    };
    more.append(button);
  }
  byId("clear").hidden = !anyChosen();
}

function drawReasons() {
  const per = new Map();
  let total = 0;
  for (let job = 0; job < jobCount; job += 1) {
    if (!isNobodys(job) || !onDay(jobs.day[job])) continue;
    per.set(jobs.reason[job], (per.get(jobs.reason[job]) || 0) + 1);
    total += 1;
  }
  byId("none-card").hidden = !total;
  byId("none-title").textContent = `Without a member: ${count(total)}`;
  const most = Math.max(...per.values(), 1);
  byId("reasons").replaceChildren(
    ...[...per]
      .sort((a, b) => b[1] - a[1])
      .map(([code, n]) => {
        const meter = element("i", { class: "meter" });
        meter.style.background = reasonColour(code);
        meter.style.width = `${Math.max(2, (100 * n) / most)}%`;
        const mark = element("span", { class: "mark", text: "✕", "aria-hidden": "true" });
        mark.style.color = reasonColour(code);
        const row = element(
          "button",
          {
            type: "button",
            "aria-pressed": state.reason === code,
            title: code < 0 ? "" : codes[code],
            "data-reason": code < 0 ? "" : codes[code],
          },
          mark,
          element("span", { text: reasonName(code) }),
          element("span", { class: "sum", text: count(n) }),
          meter,
        );
        row.onclick = () => chooseReason(code);
        return element("li", {}, row);
      }),
  );
}

function stopItem(number, call, colour) {
  const spot = calls.spot[call];
  const item = element(
    "li",
    { class: spot >= jobCount ? "kept" : "" },
    element("span", { class: "n", text: String(number) }),
    element("b", { text: spotName(spot), title: spots.key[spot] }),
    element("span", {
      class: isLate(call) ? "late" : "",
      text: `${clock(calls.start[call])} to ${clock(calls.leave[call])}${isLate(call) ? ", late" : ""}`,
    }),
    element("br"),
    element("span", { class: "muted", text: spot >= jobCount ? "was there before" : `window ${windowOf(spot)}` }),
  );
  item.style.setProperty("--tone", colour);
  return item;
}

function edgeItem(words, when, colour) {
  const item = element(
    "li",
    { class: "edge" },
    element("span", { class: "n", text: "◆" }),
    element("b", { text: words }),
    element("span", { class: "muted", text: when }),
  );
  item.style.setProperty("--tone", colour);
  return item;
}

function routeParts(member, route) {
  const colour = colourOf(member);
  const items = [...callsOf(route)].map((call, n) => stopItem(n + 1, call, colour));
  const free = members.open[member] ? `shift ${clock(members.begin[member])} to ${clock(members.end[member])}` : "";
  if (routes.from[route]) items.unshift(edgeItem("Start", free, colour));
  if (routes.to[route]) items.push(edgeItem("End", "way home", colour));
  const words = `${days.length > 1 ? `${dayName(days[routes.day[route]])}: ` : ""}${plural(routes.count[route], "stop", "stops")}, about ${km(routes.metres[route])} of road`;
  return [
    element("p", { class: "lead", text: words }),
    element("ol", { class: "stops", tabindex: "0", "aria-label": `Stops of ${memberName(member)}` }, ...items),
  ];
}

function jobParts(job) {
  const words = [`${dayName(days[jobs.day[job]])}, window ${windowOf(job)}`];
  const parts = [element("p", { class: "lead", text: words.join("") })];
  const given = jobs.reasons[job] || [];
  if (Number.isNaN(spotX[job])) parts.push(element("p", { text: "It has no place on the map." }));
  if (given.length) {
    parts.push(
      table(
        "Why nobody takes it: each member counts under the first cause that applies",
        ["cause", "members", "such as"],
        given.map(([code, n, example]) => [
          `${reasonName(code)} (${codes[code]})`,
          count(n),
          example >= 0 ? memberName(example) : "",
        ]),
        [1],
      ),
    );
  }
  return parts;
}

function drawDetail() {
  const box = byId("detail");
  const chosen = [...state.members];
  const title = byId("detail-title"),
    body = byId("detail-body");
  box.hidden = true;
  if (chosen.length) {
    const member = chosen[chosen.length - 1];
    title.textContent = `Day of ${memberName(member)}`;
    const mine = (routesOf.get(member) || []).filter((route) => onDay(routes.day[route]));
    body.replaceChildren(...mine.flatMap((route) => routeParts(member, route)));
    if (!mine.length)
      body.append(
        element("p", {
          class: "lead",
          text: members.open[member] ? "No stops: free all day." : "Takes no jobs on that day.",
        }),
      );
    box.hidden = false;
  } else if (state.job >= 0) {
    title.textContent = `${spotName(state.job)}${spots.title[state.job] ? ` (${spots.key[state.job]})` : ""}: without a member`;
    body.replaceChildren(...jobParts(state.job));
    box.hidden = false;
  }
}

function startList() {
  byId("members").addEventListener("click", (event) => {
    const row = event.target.closest("button[data-member]");
    if (!row) return;
    const member = Number(row.dataset.member);
    toggleMember(member);
    byId("members").querySelector(`[data-member="${member}"]`)?.focus({ preventScroll: true });
    if (state.members.has(member)) bringIntoView();
  });
  byId("search").oninput = (event) => {
    shownRows = ROWS;
    change({ query: event.target.value }, "list");
  };
  byId("sort").onchange = (event) => change({ sort: event.target.value }, "list");
  byId("clear").onclick = clearChosen;
  byId("detail-close").onclick = clearChosen;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && anyChosen() && event.target.id !== "search") clearChosen();
  });
}
