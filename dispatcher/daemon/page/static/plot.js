// Plotly, fetched from the daemon when the first chart wants it, and dressed in the page's colours.

let loading = null;
let wanted = null;

/** Say whether there is a Plotly to fetch. Styles that it would write in one piece get an empty place instead. */
export function ready(settings) {
  wanted = settings;
  for (const id of settings.style_ids) {
    if (document.getElementById(id)) continue;
    const place = document.createElement("meta");
    place.id = id;
    document.head.append(place);
  }
}

/** Plotly, or null when the daemon has none. */
export function plotly() {
  if (!wanted?.plotly) return Promise.resolve(null);
  loading ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = new URL("plotly.min.js", import.meta.url).href;
    script.addEventListener("load", () => resolve(window.Plotly ?? null));
    script.addEventListener("error", () => resolve(null));
    document.head.append(script);
  });
  return loading;
}

/** A colour of the page by its name. */
export function colour(name, alpha = 1) {
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  if (alpha === 1 || !value.startsWith("#")) return value;
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(value.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

export const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: "reset" };

/** What all charts have in common. */
export function layout(more = {}) {
  const axis = {
    gridcolor: colour("line"),
    linecolor: colour("line"),
    zerolinecolor: colour("line"),
    tickfont: { color: colour("muted"), size: 11.5 },
    fixedrange: true,
  };
  const { xaxis, yaxis, yaxis2, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
    margin: { l: 46, r: 14, t: 30, b: 28 },
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("ink") } },
    legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", font: { size: 12 }, itemclick: false, itemdoubleclick: false },
    dragmode: false,
    ...rest,
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...(yaxis2 ? { yaxis2: { ...axis, ...yaxis2 } } : {}),
  };
}
