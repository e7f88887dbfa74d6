// Tables: overhead split, alerts, meters to look at.
import { amount, element, number, percent, stamp } from "./format.js";
import { reason, unitOf, written } from "./cards.js";

const SVG = "http://www.w3.org/2000/svg";
const PARTS = [["cooling", "Cooling"], ["power_chain", "Power chain"], ["lighting", "Lighting"], ["other", "Other"]];

const head = (...names) => element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
const cell = (text, label) => element("td", { "data-label": label }, text);
const empty = (text) => element("p", { class: "empty-note" }, text);

function splitBar(rows) {
  const bar = document.createElementNS(SVG, "svg");
  bar.setAttribute("class", "split-bar");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", rows.map(({ label, share }) => `${label} ${percent(share)}`).join(", "));
  let at = 0;
  for (const { key, share } of rows.filter((row) => row.share > 0)) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", `s-${key}`);
    rect.setAttribute("x", `${at * 100}%`);
    rect.setAttribute("width", `${share * 100}%`);
    rect.setAttribute("height", "18");
    bar.append(rect);
    at += share;
  }
  return bar;
}

export function splitTable(documents) {
  const found = new Map(documents.map((kpi) => [kpi.kpi, kpi]));
  const rows = PARTS.map(([key, label]) => ({ key, label, over: found.get(`overhead_${key}`), part: found.get(`ppue_${key}`) }))
    .filter(({ over }) => over);
  const known = rows.filter(({ over }) => over.value !== null);
  if (known.length === 0) {
    return empty(rows.length ? `No value. ${reason(rows[0].over)}` : "The overhead is not split at this site.");
  }
  const sum = known.reduce((total, { over }) => total + over.value, 0);
  for (const row of known) row.share = sum === 0 ? 0 : row.over.value / sum;
  const body = element("tbody", {}, ...rows.map(({ key, label, over, part, share }) => element(
    "tr", {},
    element("th", { scope: "row" }, element("i", { class: `swatch s-${key}`, "aria-hidden": "true" }), ` ${label}`),
    cell(over.value === null ? "no value" : percent(share), "Share"),
    cell(over.value === null ? reason(over) : number(over.value, 3), "Overhead"),
    cell(part && part.value !== null ? number(part.value, 3) : "–", "pPUE"),
    cell(over.numerator === null ? "–" : amount(over.numerator, "energy"), "Energy"),
  )));
  const whole = known.length === rows.length;
  const foot = element("tfoot", {}, element(
    "tr", {}, element("th", { scope: "row" }, whole ? "PUE − 1" : "Sum of the known"), cell(percent(1), "Share"),
    cell(number(sum, 3), "Overhead"), cell("", ""), cell("", ""),
  ));
  const first = known[0].over;
  const said = `${first.provisional ? "provisional · " : ""}category ${first.category ?? "–"} · coverage ${percent(first.coverage)}`;
  return element("div", {}, splitBar(known), element(
    "table", { class: "numbers" }, head("Subsystem", "Share of overhead", "kWh per kWh IT", "pPUE", "Energy"), body, foot,
  ), element("p", { class: "meta" }, said));
}

const time = (text, zone) => (text ? stamp(Date.parse(text), zone) : "–");

// Only a rule on a figure has values in the figure's unit.
const ofFigure = (alert) => alert.signal === "kpi" || alert.signal === "course" || alert.signal === null;
const figureOf = (alert, figures) => (ofFigure(alert) ? figures.get(alert.labels.kpi) : undefined);
const nameOf = (alert) => [alert.name, alert.labels.meter ?? alert.labels.family?.replaceAll("_", " ")].filter(Boolean).join(" ");

// Why an open alert is not told, and who has it in hand.
function untold(alert) {
  const { silenced_by: silence, inhibited_by: cause, acknowledged_by: known } = alert;
  return [
    silence ? `${silence.kind} until ${silence.until} by ${silence.author}: ${silence.reason}` : null,
    cause ? `inhibited by ${cause}` : null,
    known ? `acknowledged by ${known.author}: ${known.reason}` : null,
  ].filter(Boolean).join(" · ");
}

function level(value, figure) {
  if (value === null || value === undefined) return null;
  if (!figure) return number(value, 3);
  return written(value, figure) + (unitOf(figure) ? ` ${unitOf(figure)}` : "");
}

// The value with what must stand beside it: category, coverage, provisional mark.
function valueCell(value, alert, figures) {
  const marks = [
    alert.category === null || alert.category === undefined ? null : `category ${alert.category}`,
    alert.coverage === null || alert.coverage === undefined ? null : `coverage ${percent(alert.coverage)}`,
    alert.provisional ? "provisional" : null,
  ].filter(Boolean);
  const text = level(value, figureOf(alert, figures)) ?? "no value";
  return element("td", { "data-label": "Value" }, text, element("span", { class: "sub" }, marks.join(" · ")));
}

function condition(alert, figures) {
  const figure = figureOf(alert, figures);
  const limits = ["above", "below"].map((side) => [side, level(alert[side], figure)]).filter(([, value]) => value !== null);
  const subject = `${figure ? figure.short : alert.labels.kpi ?? ""} ${alert.window ?? alert.labels.window ?? ""}`.trim();
  const rule = [subject, ...limits.map(([side, value]) => `${side} ${value}`)].join(" ");
  const summary = alert.annotations.summary;
  const why = untold(alert);
  return element(
    "td", { "data-label": "Condition" }, rule, summary ? element("span", { class: "sub" }, summary) : null,
    why ? element("span", { class: "sub" }, why) : null,
  );
}

const chip = (state) => element("span", { class: "chip", "data-state": state }, state.replace("_", " "));

export function alertTables(alerts, figures, zone) {
  const active = alerts.filter((alert) => alert.state !== "inactive");
  const ended = alerts.filter((alert) => alert.resolved_at !== null);
  const rows = active.map((alert) => element(
    "tr", {}, element("th", { scope: "row" }, chip(alert.state), ` ${nameOf(alert)}`), valueCell(alert.value, alert, figures),
    condition(alert, figures), cell(time(alert.since, zone), "Since"),
  ));
  const made = [active.length
    ? element("table", { class: "told" }, head("Alert", "Value", "Condition", "Since"), element("tbody", {}, ...rows))
    : empty(alerts.length ? "No alert is active." : "No alert rules are configured.")];
  if (ended.length) made.push(pastTable(ended, figures, zone));
  return made;
}

function pastTable(ended, figures, zone) {
  const rows = ended.slice(0, 50).map((alert) => element(
    "tr", {}, element("th", { scope: "row" }, nameOf(alert)), cell(level(alert.peak ?? alert.value, figureOf(alert, figures)) ?? "–", "Worst value"),
    cell(time(alert.fired_at, zone), "Fired"), cell(time(alert.resolved_at, zone), "Resolved"),
  ));
  return element("div", {}, element("h3", {}, "History"), element(
    "table", {}, head("Alert", "Worst value", "Fired", "Resolved"), element("tbody", {}, ...rows),
  ));
}

// Parent minus children of the meter tree, with what their accuracy explains.
export function balanceTable(rows) {
  const sum = (value, unit) => (value === null ? "no value" : amount(value, unit === "L" ? "water" : "energy"));
  const state = ({ issue }) => (issue === null ? "closed" : issue.code === "balance.open" ? "open" : "unknown");
  const body = rows.map((row) => element(
    "tr", {},
    element("th", { scope: "row" }, element("span", { class: "chip", "data-state": row.issue ? row.issue.severity : "ok" }, state(row)), ` ${row.meter}`,
      element("span", { class: "sub" }, row.children.map(({ meter }) => meter).join(", "))),
    cell(sum(row.parent_amount, row.unit), "Parent"), cell(sum(row.children_amount, row.unit), "Children"),
    cell(row.share === null ? sum(row.residual, row.unit) : `${sum(row.residual, row.unit)} (${percent(row.share)})`, "Residual"),
    cell(sum(row.tolerance, row.unit), "Accuracy explains"), cell(percent(row.usable), "Usable"),
  ));
  return element("table", { class: "told" }, head("Meter and its children", "Parent", "Children", "Residual", "Accuracy explains", "Usable"), element("tbody", {}, ...body));
}

export function problemTable(problems, zone) {
  if (problems.length === 0) return empty("Every meter reports as expected.");
  const rows = problems.map((problem) => element(
    "tr", {}, element("th", { scope: "row" }, element("span", { class: "chip", "data-state": problem.severity }, problem.severity), ` ${problem.meter ?? "site"}`),
    element("td", { "data-label": "Problem" }, problem.message, problem.remedy ? element("span", { class: "sub" }, problem.remedy) : null),
    cell(time(problem.since, zone), "Since"),
  ));
  return element("table", { class: "told" }, head("Meter", "Problem", "Since"), element("tbody", {}, ...rows));
}
