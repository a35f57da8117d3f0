// The map in its frame: drawing, zooming, the scale, and what a click does.
const NO_BAR = { displayModeBar: false, responsive: true, scrollZoom: true, doubleClick: false };
function axis(extra) {
  return {
    showgrid: !TILES,
    gridcolor: tone("line"),
    zeroline: false,
    showticklabels: false,
    ticks: "",
    showline: false,
    nticks: 9,
    ...extra,
  };
}

function drawMap() {
  const wished = shownRange();
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: tone("sheet"),
    hovermode: "closest",
    hoverdistance: 14,
    dragmode: "pan",
    showlegend: false,
    font: { family: "system-ui, sans-serif" },
    images: tiles(wished),
    xaxis: axis({ range: wished.slice(0, 2) }),
    yaxis: axis({ range: wished.slice(2), scaleanchor: "x", scaleratio: 1 }),
  };
  return Plotly.react(FRAME, traces(wished), layout, NO_BAR).then(drawScale);
}

function show(box) {
  const [x0, x1, y0, y1] = padded(box);
  view = [x0, x1, y0, y1];
  // The frame's shape decides which side is the wider one: ranges that fit it leave nothing for Plotly to adjust.
  const ratio = Math.max(FRAME.clientWidth, 1) / Math.max(FRAME.clientHeight, 1);
  let width = x1 - x0,
    height = y1 - y0;
  if (width / height < ratio) width = height * ratio;
  else height = width / ratio;
  const cx = (x0 + x1) / 2,
    cy = (y0 + y1) / 2;
  view = [cx - width / 2, cx + width / 2, cy - height / 2, cy + height / 2];
  if (FRAME._fullLayout) Plotly.relayout(FRAME, { "xaxis.range": view.slice(0, 2), "yaxis.range": view.slice(2) });
}

function zoom(factor) {
  const [x0, x1, y0, y1] = shownRange();
  const cx = (x0 + x1) / 2,
    cy = (y0 + y1) / 2,
    w = ((x1 - x0) / 2) * factor,
    h = ((y1 - y0) / 2) * factor;
  Plotly.relayout(FRAME, { "xaxis.range": [cx - w, cx + w], "yaxis.range": [cy - h, cy + h] });
}

function drawScale() {
  const range = shownRange();
  const perPixel =
    ((range[1] - range[0]) / Math.max(FRAME.clientWidth, 1)) *
    111195 *
    Math.cos((latitude((range[2] + range[3]) / 2) * Math.PI) / 180);
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

function startMap() {
  show(everything());
  return drawMap().then(() => {
    let asked = 0;
    FRAME.on("plotly_relayout", () => {
      cancelAnimationFrame(asked);
      asked = requestAnimationFrame(drawMap);
    });
    FRAME.on("plotly_hover", showTip);
    FRAME.on("plotly_unhover", () => {
      byId("tip").hidden = true;
    });
    FRAME.on("plotly_click", (event) => {
      const [kind, number] = event.points[0].customdata;
      byId("tip").hidden = true;
      if (kind === "heap") show(heapsShown[number].box);
      else if (kind === "member") toggleMember(number);
      else if (kind === "call") {
        if (calls.spot[number] < jobCount) change({ job: calls.spot[number] });
      } else if (number < jobCount) chooseJob(number);
      else toggleMember(routes.member[keptRoute[number - jobCount]]);
    });
    byId("zoom-in").onclick = () => zoom(0.6);
    byId("zoom-out").onclick = () => zoom(1 / 0.6);
    byId("fit").onclick = () => {
      const box = chosenReach();
      show(Number.isFinite(box[0]) ? box : everything());
    };
  });
}
