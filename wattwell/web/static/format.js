// How numbers and times are written; wattwell/documents/words.py follows the same rules.
export const NARROW = "\u202f";
const numbers = new Map();

export function number(value, digits) {
  if (!numbers.has(digits)) {
    numbers.set(digits, new Intl.NumberFormat("en-US", {
      minimumFractionDigits: digits, maximumFractionDigits: digits, roundingMode: "halfEven", signDisplay: "negative",
    }));
  }
  return numbers.get(digits).format(value);
}

// A number as someone would type it: at most six significant digits, no trailing zeros.
export const plain = (value) => String(Number(value.toPrecision(6)));

function scaled(value, units) {
  const [scale, unit] = units.find(([from]) => Math.abs(value) >= from) ?? units[units.length - 1];
  const size = Math.abs(value / scale);
  return number(value / scale, size >= 100 ? 0 : size >= 10 ? 1 : 2) + NARROW + unit;
}

const AMOUNTS = {
  energy: [[1e6, "GWh"], [1e3, "MWh"], [1, "kWh"]],
  water: [[1e3, "m³"], [1, "L"]],
  mass: [[1e3, "t"], [1, "kg"]],
  power: [[1e3, "MW"], [1, "kW"]],
};
export const amount = (value, kind) => scaled(value, AMOUNTS[kind]);
export const percent = (share, digits = 1) => number(share * 100, digits) + NARROW + "%";
export const power = (kw) => number(kw, Math.abs(kw) >= 100 ? 0 : 1) + NARROW + "kW";

const clocks = new Map();
function clock(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!clocks.has(key)) {
    clocks.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  }
  return clocks.get(key);
}

const HM = { hour: "2-digit", minute: "2-digit" };
export const hourMinute = (ms, zone) => clock(zone, HM).format(ms);
export const hourMinuteSecond = (ms, zone) => clock(zone, { ...HM, second: "2-digit" }).format(ms);
export const dayMonth = (ms, zone) => clock(zone, { day: "numeric", month: "short" }).format(ms);
export const stamp = (ms, zone) =>
  clock(zone, { weekday: "short", day: "numeric", month: "short", ...HM }).format(ms);

// Offset of a zone from UTC at an instant, in milliseconds.
export function offset(ms, zone) {
  const parts = {};
  const format = clock(zone, {
    year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  });
  for (const part of format.formatToParts(ms)) parts[part.type] = Number(part.value);
  const local = Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second);
  return local - Math.floor(ms / 1000) * 1000;
}

// The first instants of local steps (hours, days) in [from, to], in milliseconds.
export function localSteps(from, to, step, zone) {
  const found = [];
  let local = Math.ceil((from + offset(from, zone)) / step) * step;
  for (; found.length < 400; local += step) {
    let at = local - offset(local, zone);
    at = local - offset(at, zone);
    if (at > to) break;
    if (at >= from && at !== found[found.length - 1]) found.push(at);
  }
  return found;
}

export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

// A new element; a string child becomes text, so that nothing from the API is ever read as markup.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
