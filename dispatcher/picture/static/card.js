// The card beside the pointer: who, when, where and why not.
function card(kind, number, n) {
  const lines = [];
  if (kind === "heap") {
    const heap = heapsShown[number];
    return [
      ["b", plural(heap.jobs, "job", "jobs")],
      [heap.nobodys ? "late" : "", heap.nobodys ? `${count(heap.nobodys)} without a member` : "all with a member"],
      ["muted", "click to look closer"],
    ];
  }
  if (kind === "member") {
    const { stops, way } = sums();
    lines.push(["b", memberName(number)]);
    if (members.title[number]) lines.push(["muted", members.name[number]]);
    lines.push([
      "",
      members.open[number]
        ? `shift ${clock(members.begin[number])} to ${clock(members.end[number])}`
        : "takes no jobs on that day",
    ]);
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
    for (const [code, many, example] of jobs.reasons[spot] || [])
      lines.push(["", `${reasonName(code)}: ${count(many)}${example >= 0 ? `, such as ${memberName(example)}` : ""}`]);
  } else {
    const member = spot < jobCount ? jobs.member[spot] : routes.member[route];
    lines.push(["", member >= 0 ? memberName(member) : `${jobs.worker[spot]} (not in the fleet)`]);
    if (route >= 0) {
      const call = [...callsOf(route)].find((c) => calls.spot[c] === spot);
      lines.push([
        isLate(call) ? "late" : "",
        `arrives ${clock(calls.arrive[call])}, starts ${clock(calls.start[call])}, leaves ${clock(calls.leave[call])}`,
      ]);
    }
    if (spot < jobCount && jobs.distance[spot] !== null)
      lines.push([
        "",
        `${km(jobs.distance[spot])} from the member’s start, ${Math.round(jobs.added[spot] / 60)} min of travel more`,
      ]);
    if (spot < jobCount && named.has(spot)) lines.push(["muted", "the job named its member itself"]);
  }
  lines.push(["muted", `window: ${windowOf(spot)}`]);
  if (n > 1) lines.push(["muted", `and ${plural(n - 1, "more job", "more jobs")} right here; zoom in`]);
  return lines;
}

function showTip(event) {
  const [kind, number, n] = event.points[0].customdata;
  const tip = byId("tip");
  tip.replaceChildren(
    ...card(kind, number, n).map(([style, text]) =>
      element(style === "b" ? "b" : "span", { class: style === "b" ? "" : style || "plain", text }),
    ),
  );
  for (const line of tip.children) line.style.display = "block";
  tip.hidden = false;
  const box = FRAME.getBoundingClientRect();
  const x = event.event.clientX - box.left,
    y = event.event.clientY - box.top;
  tip.style.left = `${Math.max(4, Math.min(box.width - tip.offsetWidth - 4, x + 16))}px`;
  tip.style.top = `${y + tip.offsetHeight + 24 > box.height ? Math.max(4, y - tip.offsetHeight - 12) : y + 16}px`;
}
