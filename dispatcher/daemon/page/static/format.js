// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dateFormat = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const NONE = "–";

export const count = (value) => whole.format(value);
export const short = (value) => (Math.abs(value) >= 100000 ? compact.format(value) : whole.format(value));

/** Jobs a second. */
export function rate(value) {
  if (!value) return "0/s";
  return `${value >= 10 ? whole.format(Math.round(value)) : value.toFixed(1)}/s`;
}

/** Seconds as a length of time. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}

/** Milliseconds. */
export const ms = (value) => (value === null || value === undefined ? NONE : span(value / 1000));

/** A Unix time on the reader's clock; with the date when it is not today. */
export function moment(at) {
  if (!at) return NONE;
  const then = new Date(at * 1000);
  return then.toDateString() === new Date().toDateString() ? clockFormat.format(then) : dateFormat.format(then);
}

/** Seconds since local midnight as HH:MM; past midnight with the days. */
export function hours(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const minutes = Math.round(seconds / 60);
  const day = Math.floor(minutes / 1440);
  const left = minutes - day * 1440;
  return `${String(Math.floor(left / 60)).padStart(2, "0")}:${String(left % 60).padStart(2, "0")}${day ? ` +${day}` : ""}`;
}

/** Metres. */
export function distance(metres) {
  if (metres === null || metres === undefined) return NONE;
  return metres < 1000 ? `${Math.round(metres)} m` : `${(metres / 1000).toFixed(metres < 10000 ? 2 : 1)} km`;
}

/** YYYYMMDD as a date. */
export function day(number) {
  if (!number) return "any day";
  const digits = String(number);
  return `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
}

/** A code such as `off_shift` in words. */
export const words = (code) => code.replaceAll("_", " ");
