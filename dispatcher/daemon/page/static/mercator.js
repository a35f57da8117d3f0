// Web Mercator in degrees: x is the longitude, y grows as the projection does, so that both have one scale.

const EDGE = 85.05;
const STEPS = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
const LINES = 7;
const METRES = 111195; // a degree of latitude on a sphere of 6 371 008.8 m

/** A latitude as y. */
export function toY(lat) {
  const at = Math.max(-EDGE, Math.min(EDGE, lat)) * (Math.PI / 180);
  return (Math.log(Math.tan(Math.PI / 4 + at / 2)) * 180) / Math.PI;
}

/** The latitude of a y. */
export function toLat(y) {
  return ((2 * Math.atan(Math.exp((y * Math.PI) / 180)) - Math.PI / 2) * 180) / Math.PI;
}

/** Lines of equal longitude for an axis. */
export function meridians([low, high]) {
  const lines = evenly(low, high);
  return { tickvals: lines, ticktext: lines.map((lng) => said(lng, "E", "W")) };
}

/** Lines of equal latitude. */
export function parallels([low, high]) {
  const lines = evenly(toLat(low), toLat(high));
  return { tickvals: lines.map(toY), ticktext: lines.map((lat) => said(lat, "N", "S")) };
}

/** A round length on the ground, and which share of the width it takes. */
export function scale(range, width) {
  const metres = (range.x[1] - range.x[0]) * METRES * Math.cos((toLat((range.y[0] + range.y[1]) / 2) * Math.PI) / 180);
  const most = (metres * Math.min(140, width / 3)) / Math.max(1, width);
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((times) => times * power).find((one) => one <= most) ?? power;
  return { share: length / metres, word: length < 1000 ? `${length} m` : `${length / 1000} km` };
}

function evenly(low, high) {
  const step = STEPS.findLast((one) => (high - low) / one <= LINES) ?? STEPS[0];
  const first = Math.ceil(low / step);
  const lines = [];
  for (let at = first; at * step <= high && lines.length < 4 * LINES; at += 1) lines.push(Number((at * step).toFixed(4)));
  return lines;
}

const said = (degrees, plus, minus) => `${Number(Math.abs(degrees).toFixed(3))}° ${degrees < 0 ? minus : plus}`;
