// Everything as tables, made when they are opened and some rows at a time.
const PAGE = 200;
function table(caption, heads, rows, numeric = []) {
  const cell = (name, text, n, more = {}) =>
    element(name, { text, ...(numeric.includes(n) ? { class: "n" } : {}), ...more });
  const made = element(
    "table",
    {},
    element("caption", { text: caption }),
    element("thead", {}, element("tr", {}, ...heads.map((head, n) => cell("th", head, n, { scope: "col" })))),
  );
  const body = element("tbody");
  made.append(body);
  const add = (from) =>
    body.append(
      ...rows
        .slice(from, from + PAGE)
        .map((row) =>
          element("tr", {}, ...row.map((text, n) => (n ? cell("td", text, n) : cell("th", text, n, { scope: "row" })))),
        ),
    );
  add(0);
  const wrap = element("div", { class: "wrap", tabindex: "0", role: "region", "aria-label": caption }, made);
  if (rows.length <= PAGE) return wrap;
  let shown = PAGE;
  const more = element("button", {
    type: "button",
    class: "link",
    text: `show ${PAGE} more of ${count(rows.length - shown)}`,
  });
  more.onclick = () => {
    add(shown);
    shown += PAGE;
    more.hidden = shown >= rows.length;
    more.textContent = `show ${PAGE} more of ${count(rows.length - shown)}`;
  };
  return element("div", {}, wrap, more);
}
const makers = {
  members() {
    const { stops, placed, way } = sums();
    const rows = [...members.name.keys()]
      .sort((a, b) => stops[b] - stops[a])
      .map((m) => {
        const mine = (routesOf.get(m) || []).filter((route) => onDay(routes.day[route]) && routes.count[route]);
        const first = mine.length ? calls.start[routes.first[mine[0]]] : null;
        const last = mine.length
          ? calls.leave[routes.first[mine[mine.length - 1]] + routes.count[mine[mine.length - 1]] - 1]
          : null;
        const shift = members.open[m] ? `${clock(members.begin[m])} to ${clock(members.end[m])}` : "off";
        return [
          memberName(m),
          members.name[m],
          shift,
          count(placed[m]),
          count(stops[m]),
          clock(first),
          clock(last),
          km(way[m]),
        ];
      });
    return table(
      `${plural(memberCount, "member", "members")}, most stops first`,
      ["member", "username", "shift", "jobs of the plan", "stops", "first start", "last end", "way"],
      rows,
      [3, 4, 5, 6, 7],
    );
  },
  none() {
    const rows = [];
    for (let job = 0; job < jobCount; job += 1) {
      if (!isNobodys(job) || !onDay(jobs.day[job])) continue;
      const why = (jobs.reasons[job] || []).map(([code, n]) => `${reasonName(code)}: ${count(n)}`).join(", ");
      rows.push([spots.key[job], spots.title[job], dayName(days[jobs.day[job]]), windowOf(job), why]);
    }
    return table(
      `${plural(rows.length, "job", "jobs")} without a member, and how many members each cause counts for`,
      ["job", "name", "day", "window", "why"],
      rows,
    );
  },
  jobs() {
    const rows = [];
    for (let job = 0; job < jobCount; job += 1) {
      if (!onDay(jobs.day[job])) continue;
      const who = jobs.member[job] >= 0 ? memberName(jobs.member[job]) : jobs.worker[job] || "nobody";
      rows.push([
        spots.key[job],
        spots.title[job],
        dayName(days[jobs.day[job]]),
        windowOf(job),
        who,
        clock(jobs.start[job]),
        km(jobs.distance[job]),
      ]);
    }
    return table(
      `${plural(rows.length, "job", "jobs")} in the order of the plan`,
      ["job", "name", "day", "window", "member", "start", "distance"],
      rows,
      [5, 6],
    );
  },
};

function drawTable(details) {
  const holder = details.lastElementChild;
  if (details.open) holder.replaceChildren(makers[details.dataset.table]());
  else holder.replaceChildren();
}

function startTables() {
  for (const details of document.querySelectorAll("details[data-table]"))
    details.addEventListener("toggle", () => drawTable(details));
}
