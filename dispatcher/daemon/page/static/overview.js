// The first view: how much, how fast, and what is in the way.

import { chart } from "./charts.js";
import { h, replace, text } from "./dom.js";
import { NONE, count, moment, ms, rate, short, span } from "./format.js";
import { flow } from "./flow.js";
import { elsewhere } from "./nodes.js";

const DRAW_MS = 2000;
const WAITS = {
  limit: "the account's rate limit",
  concurrency: "requests under way to end",
  blocked: "the pause that the server asked for",
  breaker: "the server to come back",
  denied: "a key that the server accepts",
};
const FLEET = { on_shift: "on shift", full: "full", stale: "stale place", off: "off", no_place: "no place" };

const number = (digits) => (value) => (value === null || value === undefined ? NONE : value.toFixed(digits));

export function open(root, app) {
  const picture = flow();
  const figures = Object.fromEntries(["accepted", "confirmed", "way", "limit"].map((name) => [name, h("b", {}, NONE)]));
  const state = h("p", {}, "Looking …");
  const fleet = h("div");
  const gate = h("dl", { class: "facts" });
  const charts = [
    chart({
      title: "Throughput",
      about: "Jobs a second, taken in and confirmed by Hellotracks.",
      show: number(1),
      unit: "",
      series: [
        { name: "accepted", column: "accepted", hue: "accepted", digits: 1 },
        { name: "confirmed", column: "confirmed", hue: "confirmed", fill: true, digits: 1 },
        { name: "failed", column: "failed", hue: "rejected", dash: "dot", digits: 1 },
      ],
    }),
    chart({
      title: "Latency",
      about: "From accepted to confirmed: the middle job, and what 95 of 100 stay within.",
      show: span,
      unit: " s",
      series: [
        { name: "median", column: "delivery_p50_s", hue: "sending", fill: true, digits: 2 },
        { name: "95 %", column: "delivery_p95_s", hue: "assigned", digits: 2 },
      ],
    }),
    chart({
      title: "Limiter",
      about: "Requests under way below the adaptive limit, and the 429s that lower it.",
      show: number(0),
      series: [
        { name: "limit", column: "limit", hue: "assigned", step: true, whole: true },
        { name: "under way", column: "in_flight", hue: "sending", fill: true, step: true, whole: true },
        { name: "429s (right)", column: "throttled", hue: "rejected", bars: true, side: true, whole: true },
      ],
    }),
    chart({
      title: "Backlog",
      about: "Jobs that are not through yet.",
      show: number(0),
      stacked: true,
      series: [
        { name: "waiting", column: "waiting", hue: "accepted" },
        { name: "held", column: "held", hue: "held" },
        { name: "unknown", column: "unknown", hue: "unknown" },
      ],
    }),
  ];
  root.append(
    h("div", { class: "head" }, h("h1", {}, "Overview"), state),
    h(
      "section",
      { class: "card", "aria-label": "Flow" },
      h(
        "div",
        { class: "now" },
        figure(figures.accepted, "taken in"),
        figure(figures.confirmed, "confirmed"),
        figure(figures.way, "from accepted to confirmed"),
        figure(figures.limit, "requests under way, of the adaptive limit"),
      ),
      picture.element,
    ),
    h("div", { class: "grid" }, charts.map((one) => one.element)),
    h(
      "div",
      { class: "grid" },
      h("section", { class: "card" }, h("h2", {}, "Members"), fleet),
      h("section", { class: "card" }, h("h2", {}, "At the gate"), h("p", {}, "What the next request meets."), gate),
    ),
  );

  let drawn = 0;
  return {
    update(now, history) {
      const last = (name) => history[name].findLast((value) => value !== null);
      value(figures.accepted, rate(now.rates.accepted));
      value(figures.confirmed, rate(now.rates.confirmed));
      value(figures.way, span(last("delivery_p50_s")));
      value(figures.limit, `${now.gate.in_flight} of ${now.gate.limit}`);
      text(state, sentence(now));
      picture.update(now);
      members(fleet, now);
      facts(gate, now, last);
      if (Date.now() - drawn >= DRAW_MS - 100) {
        drawn = Date.now();
        for (const one of charts) one.update(history);
      }
    },
    close() {
      for (const one of charts) one.close();
    },
  };
}

function figure(element, word) {
  return h("div", { class: "figure" }, element, h("span", {}, word));
}

function value(element, said) {
  text(element, said);
}

function sentence({ gate, counts, rates, problem }) {
  const open = counts.accepted + counts.assigned + counts.sending;
  if (problem) return "Nothing is sent right now.";
  if (gate.why) return `Waits for ${WAITS[gate.why] ?? gate.why}${gate.wait_s ? `, ${span(gate.wait_s)}` : ""}.`;
  if (!open) return counts.held ? `All sent; ${count(counts.held)} held.` : "All sent.";
  return rates.confirmed ? `${short(open)} on the way.` : `${short(open)} wait.`;
}

function members(place, now) {
  const fleet = now.fleet;
  if (fleet.policy === "none") {
    replace(place, h("p", { class: "empty" }, "No engine: jobs keep whom their caller named (policy none)."));
    return;
  }
  const there = elsewhere(now);
  if (there) {
    replace(place, there);
    return;
  }
  const said = fleet.problem || (fleet.age_s === null ? "The members are not read yet." : `Read ${span(Math.round(fleet.age_s))} ago. Policy ${fleet.policy}, else ${fleet.fallback}.`);
  if (!fleet.members) {
    replace(place, h("p", { class: "muted small" }, said));
    if (!fleet.problem && fleet.age_s !== null) replace(place, h("p", { class: "muted small" }, said), h("p", { class: "small" }, h("a", { href: "#/map" }, "Show them on the map")));
    return;
  }
  const some = Object.entries(fleet.members).filter(([, many]) => many);
  replace(
    place,
    h("p", { class: "muted small" }, said),
    h("div", { class: "fleet-bar", "aria-hidden": "true" }, some.map(([state, many]) => grow(h("i", { data: { hue: state } }), many))),
    h("ul", { class: "legend" }, Object.entries(fleet.members).map(([state, many]) => h("li", { data: { hue: state } }, `${FLEET[state]} `, h("b", {}, count(many))))),
    h("p", { class: "small" }, h("a", { href: "#/map" }, "Show them on the map")),
  );
}

function grow(element, many) {
  element.style.flexGrow = String(many);
  return element;
}

function facts(place, { gate, last_error: error, now }, last) {
  const failed = gate.outcomes.backpressure + gate.outcomes.failed + gate.outcomes.not_sent;
  const rows = [
    ["Rate limits", gate.limits || "none set"],
    ["Adaptive limit", `${gate.limit} of at most ${gate.most} at a time`],
    ["Round trip", ms(last("round_trip_ms"))],
    ["Durable after", ms(last("commit_ms"))],
    ["Breaker", gate.breaker.replace("_", " ")],
    ["Requests answered well", count(gate.outcomes.ok)],
    ["429s since the start", count(gate.outcomes.throttled)],
    ["Time-outs, 5xx, lost", count(failed)],
    ["Last error", error || "none"],
    ["As of", moment(now)],
  ];
  replace(place, rows.flatMap(([name, said]) => [h("dt", {}, name), h("dd", {}, said)]));
}
