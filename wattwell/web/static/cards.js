// The KPI cards; wattwell/web/present.py draws the same texts on the server.
import { NARROW, amount, number, plain } from "./format.js";

export const unitOf = (figure) => (figure.form === "percent" ? "%" : figure.unit);
export const written = (value, figure) => number(figure.form === "percent" ? value * 100 : value, figure.digits);
const goal = (target, figure) => (figure.form === "percent" ? plain(target * 100) + NARROW + "%" : plain(target));

export function againstTarget(value, figure, targets) {
  const target = figure.target ? targets[figure.target] : undefined;
  if (target === undefined || target === null || !figure.better) return ["", ""];
  if (value === null) return [`target ${goal(target, figure)}`, ""];
  const met = figure.better === "lower" ? value <= target : value >= target;
  const side = value > target ? "above" : "below";
  const gap = Math.abs(value - target);
  const text = figure.form === "percent" ? `${number(gap * 100, 1)} pts` : written(gap, figure);
  return [`${text} ${side} target ${goal(target, figure)}`, met ? "met" : "missed"];
}

function meta(kpi) {
  const parts = [`coverage ${number(kpi.coverage * 100, 1)}${NARROW}%`];
  if (kpi.estimated >= 0.0005) parts.push(`estimated ${number(kpi.estimated * 100, 1)}${NARROW}%`);
  if (kpi.category !== null) parts.unshift(`category ${kpi.category}`);
  if (kpi.basis) parts.push(kpi.basis.replaceAll("_", " "));
  return parts.join(" · ");
}

function fraction(kpi, figure) {
  if (!figure.amounts || kpi.numerator === null || kpi.denominator === null) return "";
  return `${amount(kpi.numerator, figure.amounts[0])} ÷ ${amount(kpi.denominator, figure.amounts[1])}`;
}

// What the meter tree leaves open has a table of its own.
export const reason = (kpi) => kpi.issues.filter((issue) => issue.code !== "balance.open").map((issue) => issue.message).join(" ");

// What to ask for a figure's explanation: a calendar window by its start, for its end is that of the next one too.
function question({ kpi, window, start, end }) {
  const rolling = window === "ytd" || /^\d/.test(window);
  return new URLSearchParams({ kpi, window, at: rolling ? end : start });
}

export function drawCard(card, figure, kpi, site) {
  const set = (name, text) => {
    const field = card.querySelector(`[data-f="${name}"]`);
    if (field.textContent !== text) field.textContent = text;
  };
  const value = kpi ? kpi.value : null;
  const [target, state] = againstTarget(value, figure, site.targets);
  card.dataset.state = state;
  const provisional = Boolean(kpi && kpi.provisional && value !== null);
  card.dataset.value = value === null ? "no" : provisional ? "provisional" : "yes";
  set("title", kpi && figure.kpi === "pue" ? kpi.label : figure.short);
  set("value", value === null ? "no value" : written(value, figure));
  set("unit", value === null ? "" : unitOf(figure));
  set("target", target);
  set("meta", kpi ? meta(kpi) : "");
  set("fraction", kpi ? fraction(kpi, figure) : "");
  set("note", !kpi ? "Not computed for this site." : reason(kpi) || (value === null ? "No reason was given." : ""));
  card.querySelector('[data-f="provisional"]').hidden = !provisional;
  const why = card.querySelector('[data-f="why"]');
  why.hidden = !kpi;
  if (kpi) why.setAttribute("href", `/sites/${encodeURIComponent(site.id)}/explain?${question(kpi)}`);
  const measured = kpi ? kpi.coverage * 100 : 0;
  card.querySelector(".cover-m").setAttribute("width", `${measured}%`);
  card.querySelector(".cover-e").setAttribute("x", `${measured}%`);
  card.querySelector(".cover-e").setAttribute("width", `${kpi ? kpi.estimated * 100 : 0}%`);
}
