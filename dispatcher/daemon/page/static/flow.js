// The flow as a picture: what is where, and how fast it moves. Drawn once wide and once tall; only figures change.

import { h, s, text } from "./dom.js";
import { count, rate, short } from "./format.js";

const WORDS = {
  accepted: "accepted",
  assigned: "assigned",
  sending: "sending",
  confirmed: "confirmed",
  held: "held",
  unknown: "unknown",
  rejected: "rejected",
  dead: "dead",
};
const MEANS = {
  accepted: "on disk, to be decided",
  assigned: "decided, to be sent",
  sending: "on its way",
  confirmed: "at Hellotracks",
  held: "waits for a member",
  unknown: "being looked up",
  rejected: "refused there",
  dead: "given up",
};
// Into the picture come accepted jobs; the rate at a state is of the jobs that get there.
const WIDE = {
  view: "0 0 1180 318",
  boxes: {
    accepted: [2, 8, 226, 120], assigned: [320, 8, 226, 120], sending: [638, 8, 226, 120], confirmed: [952, 8, 226, 120],
    held: [184, 214, 190, 96], unknown: [502, 214, 190, 96], rejected: [728, 214, 190, 96], dead: [954, 214, 190, 96],
  },
  bands: {
    assigned: "M228 68 H320", sending: "M546 68 H638", confirmed: "M864 68 H952",
    held: "M150 128 C150 175 279 165 279 214", unknown: "M690 128 C690 175 597 165 597 214",
    rejected: "M751 128 C751 175 823 165 823 214", dead: "M806 128 C806 185 1049 160 1049 214",
  },
};
const TALL = {
  view: "0 0 360 560",
  boxes: {
    accepted: [1, 2, 188, 112], assigned: [1, 148, 188, 112], sending: [1, 294, 188, 112], confirmed: [1, 440, 188, 112],
    held: [229, 62, 130, 90], unknown: [229, 228, 130, 90], rejected: [229, 344, 130, 90], dead: [229, 460, 130, 90],
  },
  bands: {
    assigned: "M95 114 V148", sending: "M95 260 V294", confirmed: "M95 406 V440",
    held: "M189 80 C214 80 204 107 229 107", unknown: "M189 330 C214 330 204 273 229 273",
    rejected: "M189 360 C214 360 204 389 229 389", dead: "M189 385 C216 385 202 505 229 505",
  },
};
const BRANCHES = new Set(["held", "unknown", "rejected", "dead"]);

export function flow() {
  const drawings = [draw(WIDE, "wide"), draw(TALL, "tall")];
  return {
    element: h("div", {}, drawings.map((one) => one.svg)),
    update({ counts, rates }) {
      for (const one of drawings) one.update(counts, rates);
    },
  };
}

function draw({ view, boxes, bands }, kind) {
  const parts = {};
  const svg = s("svg", { class: `flow ${kind}`, viewBox: view, role: "group", "aria-label": "Where the jobs are" });
  for (const [state, path] of Object.entries(bands)) {
    const band = s("path", { class: "band", d: path, "stroke-width": 2 });
    const pulse = s("path", { class: "pulse", d: path });
    svg.append(s("g", { "data-hue": state, "aria-hidden": "true" }, band, pulse));
    parts[state] = { band, pulse };
  }
  for (const [state, [x, y, w, height]] of Object.entries(boxes)) {
    const small = BRANCHES.has(state);
    const middle = y + (small ? 58 : 72);
    const total = s("text", { class: "count", x: x + 16, y: middle }, "–");
    const speed = s("text", { class: "rate", x: x + 16, y: middle + (small ? 22 : 28) }, kind === "tall" ? "" : MEANS[state]);
    const link = s(
      "a",
      { href: `#/jobs?state=${state}`, "data-hue": state, class: small ? "small" : null },
      s("rect", { class: "box", x, y, width: w, height, rx: 16 }),
      s("text", { class: "name", x: x + 16, y: y + 28 }, WORDS[state]),
      total,
      speed,
    );
    svg.append(link);
    parts[state] = { ...parts[state], total, speed, link };
  }
  return {
    svg,
    update(counts, rates) {
      for (const [state, part] of Object.entries(parts)) {
        const jobs = counts[state] ?? 0;
        const speed = rates[state] ?? 0;
        text(part.total, short(jobs));
        text(part.speed, speed ? rate(speed) : kind === "tall" ? "" : MEANS[state]);
        part.link.setAttribute("aria-label", `${WORDS[state]}: ${count(jobs)} ${jobs === 1 ? "job" : "jobs"}, ${MEANS[state]}${speed ? `, ${rate(speed)}` : ""}`);
        if (!part.band) continue;
        part.band.setAttribute("stroke-width", String(speed ? Math.min(18, 3 + 3.4 * Math.log10(1 + speed)) : 2));
        if (speed) part.pulse.dataset.moves = speed > 50 ? "fast" : "slow";
        else delete part.pulse.dataset.moves;
      }
    },
  };
}
