// Everything on the map as traces for Plotly: dots, crosses, diamonds, bubbles and routes.
const NUMBERED = 160;
const CROWD = 1200;
let heapsShown = [];
function dots(name, picked, { colour, symbol = "circle", size = 7, opacity = 0.9, line = null }) {
  return {
    type: "scatter",
    mode: "markers",
    name,
    hoverinfo: "none",
    showlegend: false,
    cliponaxis: true,
    x: picked.map(([job]) => spotX[job]),
    y: picked.map(([job]) => spotY[job]),
    customdata: picked.map(([job, n]) => ["job", job, n]),
    marker: {
      symbol,
      opacity,
      size: picked.map(([, n]) => size + Math.min(6, 1.6 * Math.log2(n))),
      color: typeof colour === "string" ? colour : picked.map(([job]) => colour(job)),
      line: line || { width: 0.8, color: tone("sheet") },
    },
  };
}

const where = (place) => (place ? [place[1], northing(place[0])] : null);
function wayOf(route) {
  const stops = [...callsOf(route)]
    .map((call) => calls.spot[call])
    .filter((spot) => !Number.isNaN(spotX[spot]))
    .map((spot) => [spotX[spot], spotY[spot]]);
  const from = where(routes.from[route]),
    to = where(routes.to[route]);
  return {
    stops,
    out: from && stops.length ? [from, stops[0]] : [],
    home: to && stops.length ? [stops[stops.length - 1], to] : [],
  };
}

function lines(pieces, look, opacity = 1) {
  const x = [],
    y = [];
  for (const piece of pieces) {
    if (piece.length < 2) continue;
    for (const [px, py] of piece) {
      x.push(px);
      y.push(py);
    }
    x.push(null);
    y.push(null);
  }
  return {
    type: "scatter",
    mode: "lines",
    x,
    y,
    line: { simplify: true, ...look },
    opacity,
    hoverinfo: "skip",
    showlegend: false,
  };
}

function bubbles(heaps, chosen) {
  const side = (heap) => 26 + Math.min(46, 3.2 * Math.log2(heap.jobs));
  return {
    type: "scatter",
    mode: "markers+text",
    hoverinfo: "none",
    showlegend: false,
    opacity: chosen ? 0.45 : 1,
    x: heaps.map(({ box }) => (box[0] + box[1]) / 2),
    y: heaps.map(({ box }) => (box[2] + box[3]) / 2),
    text: heaps.map((heap) => count(heap.jobs)),
    textfont: { size: 12, color: tone("accent-ink"), weight: 650 },
    customdata: heaps.map((heap, n) => ["heap", n, heap.jobs]),
    marker: { size: heaps.map(side), color: tone("accent"), opacity: 1, line: { width: 3, color: tone("sheet") } },
  };
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
  const others = [],
    mine = [],
    nobodys = [],
    paleNobodys = [];
  for (const job of onSheet) {
    if (!free(spotX[job], spotY[job])) continue;
    if (isNobodys(job))
      (state.members.size || (state.reason !== null && jobs.reason[job] !== state.reason) ? paleNobodys : nobodys).push(
        job,
      );
    else (state.members.has(jobs.member[job]) ? mine : others).push(job);
  }
  const kept = [];
  for (let spot = jobCount; spot < spotX.length; spot += 1)
    if (
      keptRoute[spot - jobCount] >= 0 &&
      onDay(routes.day[keptRoute[spot - jobCount]]) &&
      free(spotX[spot], spotY[spot])
    )
      kept.push(spot);
  const ownColour = (job) => (jobs.member[job] >= 0 ? colourOf(jobs.member[job]) : tone("muted"));
  if (kept.length) {
    const colour = (spot) => colourOf(routes.member[keptRoute[spot - jobCount]]);
    made.push(
      dots("kept", thinned(kept, range), {
        colour: chosen ? tone("faded") : colour,
        symbol: "circle-open",
        size: 7,
        opacity: chosen ? 0.5 : 0.9,
        line: { width: 2 },
      }),
    );
  }
  const picked = thinned(others, range),
    crosses = thinned(nobodys, range);
  const small = picked.length + crosses.length > CROWD;
  made.push(
    dots("jobs", picked, {
      colour: chosen ? tone("faded") : ownColour,
      opacity: chosen ? 0.55 : 0.9,
      size: chosen || small ? 5.5 : 7.5,
    }),
  );
  made.push(
    dots("pale", thinned(paleNobodys, range), {
      colour: tone("faded"),
      symbol: "x-thin",
      size: 7,
      opacity: 0.7,
      line: { width: 1.5, color: tone("faded") },
    }),
  );
  made.push(
    dots("nobody", crosses, {
      colour: "#000",
      symbol: "x-thin",
      size: small ? 5.5 : 9,
      opacity: 1,
      line: { width: small ? 1.5 : 2.4, color: crosses.map(([job]) => reasonColour(jobs.reason[job])) },
    }),
  );
  made.push(...bases(chosen, range, free));
  if (heaps.length) made.push(bubbles(heaps, chosen));
  made.push(...chosenRoutes());
  if (state.job >= 0 && !Number.isNaN(spotX[state.job])) {
    made.push({
      type: "scatter",
      mode: "markers",
      x: [spotX[state.job]],
      y: [spotY[state.job]],
      hoverinfo: "skip",
      showlegend: false,
      marker: { symbol: "circle-open", size: 30, color: tone("ink"), line: { width: 2.5 } },
    });
  }
  return made;
}

function bases(chosen, range, free) {
  const seen = [];
  for (let member = 0; member < memberCount; member += 1) {
    const x = memberX[member],
      y = memberY[member];
    if (x >= range[0] && x <= range[1] && y >= range[2] && y <= range[3] && free(x, y) && !state.members.has(member))
      seen.push(member);
  }
  const crowded = seen.length > 300;
  return [
    {
      type: "scatter",
      mode: "markers",
      x: seen.map((m) => memberX[m]),
      y: seen.map((m) => memberY[m]),
      hoverinfo: "none",
      showlegend: false,
      customdata: seen.map((m) => ["member", m, 1]),
      opacity: chosen ? 0.35 : 1,
      marker: {
        symbol: "diamond",
        size: crowded ? 7 : 11,
        color: seen.map((m) => (members.open[m] ? tone("card") : tone("faded"))),
        line: { width: crowded ? 1.4 : 2.2, color: seen.map((m) => (members.open[m] ? colourOf(m) : tone("muted"))) },
      },
    },
  ];
}

function chosenRoutes() {
  const made = [];
  let total = 0;
  for (const member of state.members)
    for (const route of routesOf.get(member) || []) if (onDay(routes.day[route])) total += routes.count[route];
  for (const member of state.members) {
    const colour = colourOf(member);
    const mine = (routesOf.get(member) || []).filter((route) => onDay(routes.day[route]));
    const ways = mine.map(wayOf);
    made.push(
      lines(
        ways.flatMap((way) => [way.out, way.home]),
        { color: colour, width: 2, dash: "dot" },
      ),
    );
    made.push(
      lines(
        ways.map((way) => way.stops),
        { color: colour, width: 3.2 },
      ),
    );
    const placed = mine
      .flatMap((route) => [...callsOf(route)].map((call, n) => [call, n + 1]))
      .filter(([call]) => !Number.isNaN(spotX[calls.spot[call]]));
    const numbered = total <= NUMBERED;
    made.push({
      type: "scatter",
      mode: numbered ? "markers+text" : "markers",
      hoverinfo: "none",
      showlegend: false,
      x: placed.map(([call]) => spotX[calls.spot[call]]),
      y: placed.map(([call]) => spotY[calls.spot[call]]),
      text: placed.map(([, n]) => String(n)),
      textfont: {
        size: 10.5,
        color: placed.map(([call]) => (calls.spot[call] < jobCount ? tone("card") : colour)),
        weight: 700,
      },
      customdata: placed.map(([call]) => ["call", call, 1]),
      marker: {
        size: numbered ? 19 : 9,
        color: placed.map(([call]) => (calls.spot[call] < jobCount ? colour : tone("card"))),
        line: {
          width: 2,
          color: placed.map(([call]) =>
            isLate(call) ? tone("bad") : calls.spot[call] < jobCount ? tone("card") : colour,
          ),
        },
      },
    });
    if (!Number.isNaN(memberX[member])) {
      made.push({
        type: "scatter",
        mode: "markers",
        x: [memberX[member]],
        y: [memberY[member]],
        customdata: [["member", member, 1]],
        hoverinfo: "none",
        showlegend: false,
        marker: { symbol: "diamond", size: 16, color: tone("card"), line: { width: 3.5, color: colour } },
      });
    }
  }
  return made;
}
