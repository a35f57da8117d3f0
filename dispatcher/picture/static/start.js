// Wiring: theme, day, and who draws what when something is chosen.
const HEAD = JSON.parse(byId("head").textContent);
const theme = matchMedia("(prefers-color-scheme: dark)");
function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
  state.dark = dark;
}

function drawAll() {
  drawFigures();
  drawList();
  drawReasons();
  drawDetail();
  drawMap();
  drawCharts();
}
{
  setTheme(theme.matches);
  const named = days.length === 1 ? dayName(days[0]) : `${dayName(days[0])} to ${dayName(days[days.length - 1])}`;
  byId("title").textContent = days.length ? `Plan for ${named}` : "Plan";
  byId("about").textContent = HEAD.about;
  byId("lines").checked = state.lines;
  byId("kept-legend").hidden = spots.key.length === jobCount;
  if (TILES) {
    byId("credit").textContent = TILES.credit;
    byId("credit").hidden = false;
  }
  if (days.length > 1) {
    byId("day").replaceChildren(
      element("option", { value: -1, text: "all days" }),
      ...days.map((day, n) => element("option", { value: n, text: dayName(day) })),
    );
    byId("day-label").hidden = false;
    byId("day").onchange = (event) => change({ day: Number(event.target.value) }, "day");
  }
  byId("theme").onclick = () => {
    setTheme(!state.dark);
    drawAll();
  };
  theme.addEventListener("change", (event) => {
    setTheme(event.matches);
    drawAll();
  });
  byId("lines").onchange = (event) => change({ lines: event.target.checked }, "lines");
  whenChanged((what) => {
    if (what !== "lines") drawList();
    if (what === "list") return;
    drawMap();
    if (what === "lines") return;
    drawReasons();
    drawDetail();
    if (what !== "day") return;
    drawFigures();
    drawCharts();
    document.querySelectorAll("details[open]").forEach(drawTable);
  });
  drawFigures();
  drawList();
  drawReasons();
  startList();
  startTables();
  startMap().then(() => {
    drawCharts();
    document.documentElement.dataset.ready = "true";
  });
}
