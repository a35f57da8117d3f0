// The plan's columns, and what is read off them: places on the sheet, routes by member, words for numbers.
const scene = JSON.parse(document.getElementById("plan").textContent);
const { members, spots, jobs, routes, calls, days, codes } = scene;
const jobCount = jobs.day.length;
const memberCount = members.name.length;
const named = new Set(jobs.named);

// Web Mercator in degrees, so that a tile is 360 / 2^zoom wide and high.
const MOST_LAT = 85.05;
function northing(lat) {
  const angle = (Math.max(-MOST_LAT, Math.min(MOST_LAT, lat)) * Math.PI) / 360;
  return (180 / Math.PI) * Math.log(Math.tan(Math.PI / 4 + angle));
}

const latitude = (y) => (360 / Math.PI) * Math.atan(Math.exp((y * Math.PI) / 180)) - 90;
const northings = (lats) => Float64Array.from(lats, (lat) => (lat === null ? NaN : northing(lat)));
const eastings = (lngs) => Float64Array.from(lngs, (lng) => (lng === null ? NaN : lng));
const spotX = eastings(spots.lng),
  spotY = northings(spots.lat);
const memberX = eastings(members.lng),
  memberY = northings(members.lat);

const routesOf = new Map();
routes.member.forEach((member, route) => {
  if (!routesOf.has(member)) routesOf.set(member, []);
  routesOf.get(member).push(route);
});
const routeOfJob = new Int32Array(jobCount).fill(-1);
for (let route = 0; route < routes.member.length; route += 1) {
  for (const call of callsOf(route)) {
    if (calls.spot[call] < jobCount) routeOfJob[calls.spot[call]] = route;
  }
}

// The route of each stop that was there before the plan; -1 when it is on none.
const keptRoute = new Int32Array(spotX.length - jobCount).fill(-1);
for (let route = 0; route < routes.member.length; route += 1) {
  for (const call of callsOf(route)) {
    if (calls.spot[call] >= jobCount) keptRoute[calls.spot[call] - jobCount] = route;
  }
}

function* callsOf(route) {
  for (let n = 0; n < routes.count[route]; n += 1) yield routes.first[route] + n;
}

const isLate = (call) =>
  spots.closes[calls.spot[call]] !== null && calls.start[call] > spots.closes[calls.spot[call]] + 1;

const whole = new Intl.NumberFormat("en");
const count = (n) => whole.format(n);
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
const share = (part, all) =>
  all ? `${(part / all).toLocaleString("en", { style: "percent", maximumFractionDigits: part === all ? 0 : 1 })}` : "";
const two = (n) => String(n).padStart(2, "0");
const clock = (s) => (s === null ? "" : `${two(Math.floor(Math.round(s / 60) / 60))}:${two(Math.round(s / 60) % 60)}`);
function km(metres) {
  if (metres === null) return "";
  const value = metres / 1000;
  return `${value.toLocaleString("en", { minimumFractionDigits: value < 100 ? 1 : 0, maximumFractionDigits: value < 100 ? 1 : 0 })} km`;
}

function windowOf(spot) {
  const opens = spots.opens[spot],
    closes = spots.closes[spot];
  if (!opens && closes === null) return "any time";
  return closes === null ? `from ${clock(opens)}` : `${clock(opens)} to ${clock(closes)}`;
}

function dayName(day) {
  const at = new Date(Date.UTC(Math.floor(day / 10000), (Math.floor(day / 100) % 100) - 1, day % 100));
  return at.toLocaleDateString("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
}

const memberName = (member) => members.title[member] || members.name[member];
const spotName = (spot) => spots.title[spot] || spots.key[spot];
const reasonWords = {
  no_members: "there are no members",
  bad_coordinates: "no usable coordinates",
  past_day: "the day is past",
  not_eligible: "not eligible",
  team_mismatch: "not in the team",
  missing_skill: "skill is missing",
  excluded: "excluded by the job",
  no_location: "no known place",
  off_shift: "off shift",
  over_distance: "too far",
  at_job_cap: "at the cap of jobs",
  window_unreachable: "cannot be there in the window",
  shift_too_short: "would end after the shift",
  over_capacity: "no room on the vehicle",
  route_full: "day is full",
};

const reasonName = (code) => (code < 0 ? "no reason given" : reasonWords[codes[code]] || codes[code]);

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "text") made.textContent = value;
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);
