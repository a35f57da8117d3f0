// A job's own page: where it is, what happened, and why this member.

import { h, pill, put, replace, table, toast } from "./dom.js";
import { count, day, distance, hours, moment, span, words } from "./format.js";
import { memberLink } from "./jobs.js";
import { elsewhere, leaderKey } from "./nodes.js";
import { act, confirmed, read } from "./server.js";

const AGAIN_MS = 3000;

export function open(root, app, parts) {
  const key = parts.join("/");
  const title = h("h1", { class: "key" }, key);
  const state = h("span");
  const actions = h("div", { class: "row" });
  const body = h("div", { class: "stack" }, h("p", { class: "muted" }, "Looking …"));
  root.append(h("div", { class: "head" }, title, state, actions), body);
  let closed = false;
  let told = "";
  let timer = 0;
  let last = null;
  let led = "";

  async function load() {
    clearTimeout(timer);
    if (!app.account) {
      timer = setTimeout(load, 200);
      return;
    }
    let found;
    try {
      found = await read(`page/job/${encodeURIComponent(key)}`, { account: app.account });
    } catch (error) {
      if (!closed) replace(body, h("p", { class: "empty" }, error.message));
      return;
    }
    if (closed) return;
    const now = JSON.stringify([found.receipt, found.why, found.explanation.why, found.versions.length]);
    if (now !== told) {
      told = now;
      draw(found);
    }
    if (!found.receipt.settled) timer = setTimeout(load, AGAIN_MS);
  }

  function draw(found) {
    last = found;
    led = leaderKey(app.now);
    const { receipt, explanation } = found;
    replace(state, receipt.withdrawn ? pill("dead", "withdrawn") : pill(receipt.state));
    replace(
      actions,
      found.may.replay ? h("button", { type: "button", class: "main", on: { click: () => doIt("replay") } }, "Replay") : null,
      found.may.withdraw ? h("button", { type: "button", class: "danger", on: { click: () => doIt("withdraw") } }, "Withdraw") : null,
    );
    replace(
      body,
      h("div", { class: "grid" }, happened(receipt, explanation), facts(receipt)),
      why(found, app.now),
      found.versions.length > 1 ? versions(found.versions) : null,
      found.job ? content(found.job) : null,
    );
  }

  async function doIt(what) {
    if (what === "withdraw" && !(await confirmed(`Shall ${key} never be sent?`, "Withdraw it"))) return;
    try {
      const done = await act(`page/${what}`, { account: app.account }, { keys: [key] });
      if (!done) return;
      const many = (done.replayed ?? done.withdrawn).length;
      toast(many ? `${key} is ${what === "replay" ? "sent once more" : "withdrawn"}.` : `${key} has moved on meanwhile.`);
    } catch (error) {
      toast(error.message);
    }
    load();
  }

  load();
  return {
    update(now) {
      if (last && leaderKey(now) !== led) draw(last);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

function happened(receipt, { where, happened: past, why: waits, next_step: next, next_at: at }) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "What happened"),
    h(
      "ol",
      { class: "timeline" },
      past.filter((sentence) => !sentence.startsWith("Last change")).map((sentence) => h("li", {}, sentence)),
      h("li", { class: "now", data: { hue: receipt.state } }, where, waits ? h("div", { class: "muted" }, waits) : null),
      next && receipt.state !== "confirmed" ? h("li", { data: { hue: "off" } }, at && at > Date.now() / 1000 + 1 ? h("time", {}, `at ${moment(at)}`) : null, next) : null,
    ),
  );
}

function facts(receipt) {
  const decision = receipt.decision ?? {};
  const rows = [
    ["Member", memberLink(receipt.worker) || (receipt.autoassign ? "the server assigns" : "nobody")],
    ["Named by", receipt.worker ? (receipt.preassigned ? "the caller" : "the engine") : ""],
    ["Day", day(receipt.day)],
    ["Start", decision.start_s === undefined || decision.start_s === null ? "" : `${hours(decision.start_s)}, stop ${decision.position + 1} of the day`],
    ["Distance", decision.distance_m === undefined || decision.distance_m === null ? "" : distance(decision.distance_m)],
    ["Added travel", decision.added_travel_s === undefined || decision.added_travel_s === null ? "" : span(decision.added_travel_s)],
    ["Priority", receipt.priority],
    ["At Hellotracks as", receipt.remote_id ?? ""],
    ["Requests", `${receipt.attempts}, refused alone ${receipt.refusals}`],
    ["Accepted", moment(receipt.accepted_at)],
    ["Last change", moment(receipt.updated_at)],
    ["Took", receipt.settled ? span(receipt.updated_at - receipt.accepted_at) : ""],
    ["Version", receipt.version],
    ["Last error", receipt.error],
  ];
  return h("section", { class: "card" }, h("h2", {}, "As it stands"), h("dl", { class: "facts" }, rows.filter(([, said]) => said !== "").flatMap(([name, said]) => [h("dt", {}, name), h("dd", {}, said)])));
}

function why({ receipt, why: told, explanation }, now) {
  const card = h("section", { class: "card", id: "why" }, h("h2", {}, receipt.worker ? "Why this member" : "Who could take it"));
  const leader = elsewhere(now, `job/${encodeURIComponent(receipt.key)}`);
  if (leader) put(card, leader);
  if (!told) {
    if (leader) return card;
    return put(card, h("p", { class: "muted" }, "Without a fleet there is nothing to compare: the fallback or the caller decided."));
  }
  const { chosen, given, next_best: next, margin, passed_over: nearer, policy } = told;
  const holder = given ?? chosen;
  put(card, h("p", { class: "answer" }, answer(told, receipt)));
  const shown = [...nearer.filter((one) => one.worker !== holder?.worker)];
  if (holder) shown.push({ ...holder, holds: true });
  if (chosen && chosen.worker !== holder?.worker) shown.push(chosen);
  if (next && !shown.some((one) => one.worker === next.worker)) shown.push({ ...next, detail: `next best, ${policy === "nearest" ? `${distance(margin)} further` : `${span(margin)} more travel`}` });
  shown.sort((a, b) => (a.distance_m ?? Infinity) - (b.distance_m ?? Infinity));
  put(
    card,
    shown.length
      ? h("div", { class: "scroll" }, table({
        caption: "As the day routes are now, without this job; the nearest first",
        mark: (one) => (one.holds ? "chosen" : ""),
        columns: [
          { name: "Member", cell: (one) => memberLink(one.worker) },
          { name: "Distance", number: true, cell: (one) => distance(one.distance_m) },
          { name: "Added travel", number: true, cell: (one) => span(one.added_travel_s) },
          { name: "Start", number: true, cell: (one) => hours(one.start_s) },
          { name: "Stops that day", number: true, cell: (one) => one.stops },
          { name: "Verdict", cell: (one) => verdict(one, receipt) },
        ],
        rows: shown,
      }))
      : null,
  );
  const reasons = Object.entries(told.reasons ?? explanation.reasons ?? {}).sort((a, b) => b[1][0] - a[1][0]);
  if (reasons.length) {
    const most = Math.max(...reasons.map(([, [many]]) => many));
    put(
      card,
      h("h3", {}, "Who could not, and why"),
      h("ul", { class: "reasons" }, reasons.map(([code, [many, example]]) => h(
        "li",
        {},
        h("span", {}, words(code), example ? h("span", { class: "muted" }, ` – such as ${example}`) : null),
        h("b", {}, count(many)),
        bar(many / most),
      ))),
    );
  }
  return card;
}

function bar(share) {
  const inner = h("i");
  inner.style.width = `${Math.max(0.5, 100 * share)}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, inner);
}

function answer({ chosen, given, policy, passed_over: nearer }, receipt) {
  const rule = policy === "nearest" ? "the nearest member whom the job fits" : "the member with the least added travel";
  const others = nearer.filter((one) => one.worker !== receipt.worker).length;
  const passed = others ? ` ${others === 1 ? "One who is" : `${count(others)} who are`} nearer ${others === 1 ? "was" : "were"} passed over.` : "";
  if (receipt.preassigned) return `The caller named ${receipt.worker}.${chosen && chosen.worker !== receipt.worker ? ` The engine would choose ${chosen.worker}.` : ""}`;
  if (!receipt.worker) return chosen ? `${chosen.worker} could take it now.` : "Nobody can take it as things are.";
  if (given && chosen && chosen.worker === receipt.worker) return `${receipt.worker} is ${rule}.${passed}`;
  if (!chosen) return `${receipt.worker} had room when it was decided; today nobody would.`;
  return `${receipt.worker} was ${rule} when it was decided. As things are now it would be ${chosen.worker}.`;
}

function verdict(one, receipt) {
  if (one.holds) return h("b", {}, receipt.state === "held" || receipt.state === "accepted" ? "would get it" : "has it");
  if (one.code) return [h("b", {}, words(one.code)), one.detail ? h("div", { class: "muted small" }, one.detail) : ""];
  return one.detail || "could take it";
}

function versions(rows) {
  return h("section", { class: "card" }, h("h2", {}, "Versions"), h("div", { class: "scroll" }, table({
    caption: "Each new content of the key is a version; they are sent in order",
    columns: [
      { name: "Version", cell: (row) => String(row.version) },
      { name: "State", cell: (row) => (row.withdrawn ? pill("dead", "withdrawn") : pill(row.state)) },
      { name: "Member", cell: (row) => memberLink(row.worker) },
      { name: "Accepted", cell: (row) => moment(row.accepted_at) },
      { name: "Last error", cell: (row) => row.error },
    ],
    rows: [...rows].reverse(),
  })));
}

function content(job) {
  return h("section", { class: "card" }, h("details", {}, h("summary", {}, "The job as it was stored"), h("pre", {}, JSON.stringify(job, null, 2))));
}
