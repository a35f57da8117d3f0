// The part of the sheet that is in view, and what has room on it.
const FRAME = byId("map");
const CELL_PX = 5;
let view = null; // [x0, x1, y0, y1] as wished; the frame's shape widens one side

function reach(xs, ys, which) {
  let x0 = Infinity,
    x1 = -Infinity,
    y0 = Infinity,
    y1 = -Infinity;
  for (const n of which) {
    if (Number.isNaN(xs[n])) continue;
    x0 = Math.min(x0, xs[n]);
    x1 = Math.max(x1, xs[n]);
    y0 = Math.min(y0, ys[n]);
    y1 = Math.max(y1, ys[n]);
  }
  return [x0, x1, y0, y1];
}

const joined = (a, b) => [Math.min(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.max(a[3], b[3])];
function padded([x0, x1, y0, y1]) {
  if (!Number.isFinite(x0)) return [-10, 30, 30, 65];
  const side = Math.max(x1 - x0, y1 - y0, 0.01) * 0.07;
  return [x0 - side, x1 + side, y0 - side, y1 + side];
}

const everything = () => padded(joined(reach(spotX, spotY, spotX.keys()), reach(memberX, memberY, memberX.keys())));
function chosenReach() {
  let box = [Infinity, -Infinity, Infinity, -Infinity];
  for (const member of state.members) {
    for (const route of routesOf.get(member) || []) {
      if (onDay(routes.day[route]))
        box = joined(
          box,
          reach(
            spotX,
            spotY,
            [...callsOf(route)].map((call) => calls.spot[call]),
          ),
        );
    }
    box = joined(box, reach(memberX, memberY, [member]));
  }
  const alone = [];
  if (state.reason !== null) for (let job = 0; job < jobCount; job += 1) if (isShownNobody(job)) alone.push(job);
  if (state.job >= 0) alone.push(state.job);
  return joined(box, reach(spotX, spotY, alone));
}

const isShownNobody = (job) =>
  isNobodys(job) && onDay(jobs.day[job]) && (state.reason === null || jobs.reason[job] === state.reason);

function shownRange() {
  const layout = FRAME._fullLayout;
  return layout && layout.xaxis ? [...layout.xaxis.range, ...layout.yaxis.range] : view;
}

// Of several dots in one cell of the screen one is drawn, a little larger; hover says how many there are.
function thinned(which, range) {
  const cell = ((range[1] - range[0]) / Math.max(FRAME.clientWidth, 200)) * CELL_PX;
  const margin = cell * 10;
  const found = new Map();
  for (const job of which) {
    const x = spotX[job],
      y = spotY[job];
    if (!(x > range[0] - margin && x < range[1] + margin && y > range[2] - margin && y < range[3] + margin)) continue;
    const at = `${Math.floor(x / cell)} ${Math.floor(y / cell)}`;
    const there = found.get(at);
    if (there) there[1] += 1;
    else found.set(at, [job, 1]);
  }
  return [...found.values()];
}

// Far out a town is a few pixels wide: such a heap is drawn as one bubble with its number of jobs. Returns the jobs and
// members that are not in one.
const HEAP_PX = 24;
const HEAP_SIDE_PX = 110;
const HEAP_JOBS = 60;
function heaped(jobsShown, range) {
  const cell = ((range[1] - range[0]) / Math.max(FRAME.clientWidth, 200)) * HEAP_PX;
  const at = (x, y) => [Math.floor(x / cell), Math.floor(y / cell)];
  const cells = new Map();
  for (const job of jobsShown) {
    const [column, row] = at(spotX[job], spotY[job]);
    const name = `${column} ${row}`;
    if (!cells.has(name)) cells.set(name, { column, row, jobs: [], heap: null });
    cells.get(name).jobs.push(job);
  }
  const heaps = [];
  for (const begin of cells.values()) {
    if (begin.heap) continue;
    const heap = {
      cells: [],
      jobs: 0,
      nobodys: 0,
      left: begin.column,
      right: begin.column,
      low: begin.row,
      high: begin.row,
    };
    begin.heap = heap;
    const waiting = [begin];
    while (waiting.length) {
      const here = waiting.pop();
      heap.cells.push(here);
      heap.jobs += here.jobs.length;
      heap.left = Math.min(heap.left, here.column);
      heap.right = Math.max(heap.right, here.column);
      heap.low = Math.min(heap.low, here.row);
      heap.high = Math.max(heap.high, here.row);
      for (let dx = -1; dx <= 1; dx += 1) {
        for (let dy = -1; dy <= 1; dy += 1) {
          const next = cells.get(`${here.column + dx} ${here.row + dy}`);
          if (next && !next.heap) {
            next.heap = heap;
            waiting.push(next);
          }
        }
      }
    }
    heap.dense =
      heap.jobs >= HEAP_JOBS && Math.max(heap.right - heap.left, heap.high - heap.low) * HEAP_PX < HEAP_SIDE_PX;
    if (heap.dense) heaps.push(heap);
  }
  for (const heap of heaps) {
    const inside = heap.cells.flatMap((each) => each.jobs);
    heap.box = reach(spotX, spotY, inside);
    heap.nobodys = inside.filter(isNobodys).length;
  }
  const free = (x, y) => {
    const [column, row] = at(x, y);
    return !cells.get(`${column} ${row}`)?.heap.dense;
  };
  return { heaps, free };
}
