// The page of one site.
import { alertTables, balanceTable, problemTable, splitTable } from "./tables.js";
import { drawCard } from "./cards.js";
import { findingTable } from "./findings.js";
import { TimeChart } from "./charts.js";
import { ago, amount, element, hourMinuteSecond, localSteps, number, percent, plain, power, stamp } from "./format.js";
import { ask, keepAsking, serverNow } from "./live.js";

const HOUR = 3600000;
const DAY = 24 * HOUR;
const MOST_POINTS = 3000;
const CHARTS_EVERY = 60000;
const RANGES = [
  { id: "6h", label: "6 h", span: 6 * HOUR, window: "1h", note: "rolling 1 h", water: HOUR },
  { id: "24h", label: "24 h", span: DAY, window: "1h", note: "rolling 1 h", water: HOUR },
  { id: "7d", label: "7 d", span: 7 * DAY, window: "24h", note: "rolling 24 h", water: DAY },
  { id: "30d", label: "30 d", span: 30 * DAY, window: "day", note: "calendar days", water: DAY },
];
const SUBSYSTEMS = [
  { key: "it", label: "IT" }, { key: "cooling", label: "Cooling" }, { key: "power_chain", label: "Power chain" },
  { key: "lighting", label: "Lighting" }, { key: "other", label: "Other" },
];

const boot = JSON.parse(document.getElementById("boot").textContent);
let site = boot.site;
const zone = site.timezone;
const figures = new Map(boot.figures.map((figure) => [figure.kpi, figure]));
const cards = [...document.querySelectorAll(".card")];
const answers = new Map([[boot.window, boot.kpi]]);
let overall = boot.window;
const usable = RANGES.filter(({ span }) => span / (site.grid_seconds * 1000) <= MOST_POINTS);
const linked = new URLSearchParams(location.search).get("range");
let range = usable.find(({ id }) => id === linked) ?? usable.find(({ id }) => id === "24h") ?? usable[0];
let drawn = { edge: null, range: null, at: 0 };
const byId = (id) => document.getElementById(id);
const windowOf = (card) => card.querySelector("select").value;
const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

const pueChart = new TimeChart(byId("chart-pue"), {
  name: "PUE over time", kind: "line", base: 1, zone, series: [{ key: "pue", label: "iPUE" }],
  format: (value) => number(value, 3), axis: number,
});
const powerChart = new TimeChart(byId("chart-power"), {
  name: "Power by subsystem", kind: "stack", base: 0, zone, series: SUBSYSTEMS, total: "Total", format: power,
  axis: number,
});
const waterChart = new TimeChart(byId("chart-water"), {
  name: "Water over time", kind: "bars", base: 0, zone, series: [{ key: "water", label: "Water" }],
  format: (value) => amount(value, "water"), axis: number,
});

function drawCards() {
  for (const card of cards) {
    const found = (answers.get(windowOf(card)) ?? []).find((kpi) => kpi.kpi === card.dataset.kpi);
    if (answers.has(windowOf(card))) drawCard(card, figures.get(card.dataset.kpi), found, site);
  }
  const documents = answers.get(overall) ?? [];
  byId("split-window").textContent = boot.windows.find(([id]) => id === overall)[1];
  byId("split").replaceChildren(splitTable(documents));
}

function drawAlerts(alerts) {
  byId("alerts").replaceChildren(...alertTables(alerts, figures, zone));
  const firing = alerts.filter((alert) => alert.state === "firing");
  const banner = byId("firing");
  banner.hidden = firing.length === 0;
  const said = firing.map((alert) => `${alert.name} since ${stamp(Date.parse(alert.since), zone)}`).join(", ");
  if (banner.textContent !== `Firing: ${said}`) banner.textContent = `Firing: ${said}`;
}

const drawProblems = (problems) => byId("problems").replaceChildren(problemTable(problems, zone));
const drawFindings = (found) => byId("findings").replaceChildren(findingTable(found, site.id, zone));
const drawBalance = (rows) => {
  byId("balance-panel").hidden = rows.length === 0;
  byId("balance").replaceChildren(balanceTable(rows));
};

function drawEdge() {
  const ends = (answers.get(overall) ?? []).map((kpi) => Date.parse(kpi.end));
  const last = site.meters.map((meter) => meter.last_reading).filter(Boolean).map((time) => Date.parse(time));
  const parts = [];
  if (ends.length) parts.push(`figures to ${stamp(Math.max(...ends), zone)}`);
  if (last.length) {
    const latest = Math.max(...last);
    parts.push(`last reading ${hourMinuteSecond(latest, zone)} (${ago(serverNow() - latest)})`);
  } else parts.push("no reading yet");
  byId("edge").textContent = parts.join(" · ");
  byId("edge").classList.toggle("old", last.length > 0 && serverNow() - Math.max(...last) > 3 * site.grid_seconds * 1000);
}

function pueSlots(found, stepped) {
  const grid = site.grid_seconds * 1000;
  return found.filter((kpi) => kpi.kpi === "pue").map((kpi) => {
    const end = Date.parse(kpi.end);
    const mark = kpi.provisional ? "provisional" : null;
    return { start: stepped ? Date.parse(kpi.start) : end - grid, end, values: { pue: kpi.value }, mark };
  });
}

// Litres by local hour or day; a sum with intervals unknown is marked, and one without any is no value.
function waterSlots(rows, from, to, step) {
  const grid = site.grid_seconds * 1000;
  const edges = [...new Set([from, ...localSteps(from, to, step, zone), to])];
  const slots = edges.slice(0, -1).map((start, index) => ({ start, end: edges[index + 1], values: { water: null }, known: 0 }));
  let at = 0;
  for (const row of rows) {
    const start = Date.parse(row.start);
    while (at < slots.length && slots[at].end <= start) at += 1;
    if (at < slots.length && start >= slots[at].start && row.water_litres !== null) {
      slots[at].values.water = (slots[at].values.water ?? 0) + row.water_litres;
      slots[at].known += 1;
    }
  }
  for (const slot of slots) {
    const wanted = Math.round((slot.end - slot.start) / grid);
    slot.mark = slot.known < wanted ? `${slot.known} of ${wanted} intervals known` : null;
  }
  return slots;
}

function wueNote(wue) {
  if (!wue) return "";
  const value = wue.value === null ? "no value" : `${number(wue.value, 3)} L/kWh`;
  const marks = [
    boot.windows.find(([id]) => id === overall)[1], wue.category === null ? null : `category ${wue.category}`,
    `coverage ${percent(wue.coverage)}`, wue.provisional ? "provisional" : null, wue.basis?.replaceAll("_", " "),
  ].filter(Boolean);
  return ` · WUE ${value} (${marks.join(", ")})`;
}

function drawWater(rows, from, to) {
  const litres = rows.map((row) => row.water_litres).filter((value) => value !== null);
  byId("water-sub").textContent = range.water === HOUR ? "by hour" : "by day";
  if (litres.length === 0) {
    waterChart.say("No water amounts in this span.");
    byId("water-note").textContent = "\u00a0";
    return;
  }
  waterChart.update({ from, to, slots: waterSlots(rows, from, to, range.water) });
  const wue = (answers.get(overall) ?? []).find((kpi) => kpi.kpi === "wue");
  const sum = `${amount(litres.reduce((total, value) => total + value, 0), "water")} in the last ${range.label}`;
  const missing = litres.length < rows.length ? ` (${litres.length} of ${rows.length} intervals known)` : "";
  byId("water-note").textContent = sum + missing + wueNote(wue);
}

async function drawCharts() {
  const ends = [...answers.values()].flat().map((kpi) => Date.parse(kpi.end));
  const edge = Math.max(...ends);
  if (!Number.isFinite(edge)) return;
  if (drawn.edge === edge && drawn.range === range.id && Date.now() - drawn.at < CHARTS_EVERY) return;
  const chosen = range;
  const from = edge - chosen.span;
  const span = { site: site.id, from: iso(from), to: iso(edge) };
  const [rows, found] = await Promise.all([
    ask("power", span), ask("kpi", { ...span, kpi: "pue", window: chosen.window }),
  ]);
  if (chosen !== range) return;
  byId("pue-window").textContent = chosen.note;
  const target = site.targets.pue ?? null;
  pueChart.update({
    from, to: edge, slots: pueSlots(found, chosen.window === "day"), target,
    targetLabel: target === null ? null : `Target ${plain(target)}`,
  });
  const slots = rows.map((row) => ({
    start: Date.parse(row.start), end: Date.parse(row.end), mark: null,
    values: Object.fromEntries(SUBSYSTEMS.map(({ key }) => [key, row[key]])),
  }));
  powerChart.update({ from, to: edge, slots });
  drawWater(rows, from, edge);
  drawn = { edge, range: chosen.id, at: Date.now() };
}

async function step(count) {
  const windows = [...new Set([overall, ...cards.map(windowOf)])];
  const slow = count % 3 === 0;
  const [alerts, problems, sites, balance, findings, ...found] = await Promise.all([
    ask("alerts", { site: site.id }),
    slow ? ask("problems", { site: site.id }) : null,
    slow ? ask("sites") : null,
    slow ? ask("balance", { site: site.id }) : null,
    slow ? ask("findings", { site: site.id, status: "open" }) : null,
    ...windows.map((window) => ask("kpi", { site: site.id, window })),
  ]);
  windows.forEach((window, index) => answers.set(window, found[index]));
  for (const known of [...answers.keys()]) if (!windows.includes(known)) answers.delete(known);
  if (sites) site = sites.find((other) => other.id === site.id) ?? site;
  if (problems) drawProblems(problems);
  if (balance) drawBalance(balance);
  if (findings) drawFindings(findings);
  drawAlerts(alerts);
  drawCards();
  drawEdge();
  await drawCharts();
}

function press(group, chosen) {
  for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button === chosen));
}

// Keeps the choice in the address, so that a reload or a shared link shows the same.
function remember(name, value) {
  const address = new URL(location.href);
  address.searchParams.set(name, value);
  history.replaceState(null, "", address);
}

function start() {
  drawCards();
  drawAlerts(boot.alerts);
  drawProblems(boot.problems);
  drawBalance(boot.balance);
  drawFindings(boot.findings);
  drawEdge();
  const again = keepAsking(step, zone);
  for (const card of cards) card.querySelector("select").addEventListener("change", again);
  byId("windows").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    press(byId("windows"), button);
    overall = button.dataset.window;
    remember("window", overall);
    for (const card of cards) card.querySelector("select").value = overall;
    again();
  });
  for (const choice of usable) {
    const button = element("button", { type: "button", "aria-pressed": String(choice === range) }, choice.label);
    button.addEventListener("click", () => {
      range = choice;
      remember("range", choice.id);
      press(byId("ranges"), button);
      again();
    });
    byId("ranges").append(button);
  }
}

start();
