// Map images below the points, when the settings name a place where they come from.

const MOST = 40;
const PIXELS = 256;

/** Plotly layout images that cover a range. */
export function draw(template, range, width) {
  if (!template || !(range.x[1] > range.x[0])) return [];
  let zoom = Math.max(0, Math.min(19, Math.round(Math.log2((360 * width) / PIXELS / (range.x[1] - range.x[0])))));
  let images = cover(template, range, zoom);
  while (images.length > MOST && zoom > 0) images = cover(template, range, --zoom);
  return images;
}

function cover(template, range, zoom) {
  const many = 2 ** zoom;
  const size = 360 / many;
  const clip = (value) => Math.max(0, Math.min(many - 1, value));
  const [left, right] = range.x.map((x) => clip(Math.floor((x + 180) / size)));
  const [bottom, top] = range.y.map((y) => clip(Math.floor((180 - y) / size)));
  if ((right - left + 1) * (bottom - top + 1) > 4 * MOST) return new Array(MOST + 1);
  const images = [];
  for (let x = left; x <= right; x += 1) {
    for (let y = top; y <= bottom; y += 1) {
      images.push({
        source: template.replace("{z}", zoom).replace("{x}", x).replace("{y}", y),
        xref: "x", yref: "y", x: -180 + x * size, y: 180 - y * size, sizex: size, sizey: size,
        xanchor: "left", yanchor: "top", sizing: "stretch", layer: "below",
      });
    }
  }
  return images;
}
