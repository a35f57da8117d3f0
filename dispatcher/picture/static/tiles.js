// Tiles of a slippy map in view, when the page was made with an address for them.
const TILES = JSON.parse(byId("tiles").textContent);
const MOST_TILES = 60;
function tiles(range) {
  if (!TILES) return [];
  const wanted = (FRAME.clientWidth / 256) * (360 / (range[1] - range[0]));
  let zoom = Math.max(0, Math.min(19, Math.round(Math.log2(wanted))));
  for (; zoom >= 0; zoom -= 1) {
    const side = 360 / 2 ** zoom;
    const first = Math.floor((range[0] + 180) / side),
      last = Math.floor((range[1] + 180) / side);
    const top = Math.max(0, Math.floor((180 - range[3]) / side)),
      bottom = Math.min(2 ** zoom - 1, Math.floor((180 - range[2]) / side));
    if ((last - first + 1) * (bottom - top + 1) > MOST_TILES) continue;
    const images = [];
    for (let column = first; column <= last; column += 1) {
      for (let row = top; row <= bottom; row += 1) {
        const turned = ((column % 2 ** zoom) + 2 ** zoom) % 2 ** zoom;
        const source = TILES.url.replace("{z}", zoom).replace("{x}", turned).replace("{y}", row);
        images.push({
          source,
          xref: "x",
          yref: "y",
          x: column * side - 180,
          y: 180 - row * side,
          sizex: side,
          sizey: side,
          sizing: "stretch",
          layer: "below",
          opacity: state.dark ? 0.55 : 0.85,
        });
      }
    }
    return images;
  }
  return [];
}
