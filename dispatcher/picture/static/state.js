// What is chosen: a day, members, a reason, a job. Whoever draws is told of changes.
const MANY_ROUTES = 80;
const state = {
  day: -1, // number in `days`, -1 for all
  members: new Set(),
  reason: null, // number in `codes`, null for none chosen
  job: -1,
  lines: routes.member.length <= MANY_ROUTES,
  query: "",
  sort: "jobs",
  dark: false,
};
const listeners = [];
const whenChanged = (listener) => listeners.push(listener);
function change(changes, what = "chosen") {
  Object.assign(state, changes);
  for (const listener of listeners) listener(what);
}

const onDay = (day) => state.day < 0 || day === state.day;
const anyChosen = () => state.members.size > 0 || state.reason !== null || state.job >= 0;

function toggleMember(member) {
  const chosen = new Set(state.members);
  if (!chosen.delete(member)) chosen.add(member);
  change({ members: chosen, reason: null, job: -1 });
  const words = chosen.has(member)
    ? `route of ${memberName(member)} is shown`
    : `route of ${memberName(member)} is hidden`;
  say(words);
}

function chooseJob(job) {
  const member = jobs.member[job];
  if (member >= 0) change({ members: new Set([member]), reason: null, job });
  else change({ members: new Set(), reason: jobs.reason[job], job });
}

const chooseReason = (code) => change({ reason: state.reason === code ? null : code, members: new Set(), job: -1 });
const clearChosen = () => change({ members: new Set(), reason: null, job: -1 });
const say = (words) => {
  byId("said").textContent = words;
};

// Per member on the chosen day: stops, jobs of this plan, way.
function sums() {
  const stops = new Int32Array(memberCount),
    placed = new Int32Array(memberCount),
    way = new Float64Array(memberCount);
  for (let route = 0; route < routes.member.length; route += 1) {
    if (!onDay(routes.day[route])) continue;
    stops[routes.member[route]] += routes.count[route];
    way[routes.member[route]] += routes.metres[route];
  }
  for (let job = 0; job < jobCount; job += 1) {
    if (jobs.member[job] >= 0 && onDay(jobs.day[job])) placed[jobs.member[job]] += 1;
  }
  return { stops, placed, way };
}

const HUES = JSON.parse(byId("hues").textContent);
const colourOf = (member) => (state.dark ? HUES.dark : HUES.light)[members.colour[member] % HUES.light.length];
const reasonRank = new Map();
{
  const per = new Map();
  jobs.reason.forEach((code, job) => {
    if (jobs.member[job] < 0 && !jobs.worker[job]) per.set(code, (per.get(code) || 0) + 1);
  });
  [...per].sort((a, b) => b[1] - a[1] || a[0] - b[0]).forEach(([code], rank) => reasonRank.set(code, rank));
}

const reasonColour = (code) => {
  const ramp = state.dark ? HUES.badDark : HUES.badLight;
  return ramp[Math.min(reasonRank.get(code) ?? 0, ramp.length - 1)];
};

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const isNobodys = (job) => jobs.member[job] < 0 && !jobs.worker[job];
