// The page of all sites.
import { ago, element, percent } from "./format.js";
import { againstTarget, reason, unitOf, written } from "./cards.js";
import { ask, keepAsking, serverNow } from "./live.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const figures = new Map(boot.figures.map((figure) => [figure.kpi, figure]));
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let sites = boot.sites;
let chosen = boot.window;

function figureCell(field, kpi, figure, targets) {
  if (!kpi || kpi.value === null) {
    field.dataset.state = "none";
    field.replaceChildren("no value", element("span", { class: "sub" }, kpi ? reason(kpi) : ""));
    return;
  }
  const [, state] = againstTarget(kpi.value, figure, targets);
  field.dataset.state = state;
  const unit = unitOf(figure);
  const marks = [
    figure.kpi === "pue" ? kpi.label : null, kpi.category === null ? null : `category ${kpi.category}`,
    `coverage ${percent(kpi.coverage)}`, kpi.provisional ? "provisional" : null,
  ].filter(Boolean);
  field.replaceChildren(element("b", {}, written(kpi.value, figure)), unit ? ` ${unit}` : "", element("span", { class: "sub" }, marks.join(" · ")));
}

function drawRow(row, documents, alerts) {
  const id = row.dataset.site;
  const site = sites.find((other) => other.id === id);
  const field = (name) => row.querySelector(`[data-f="${name}"]`);
  const found = (name) => documents.find((kpi) => kpi.site === id && kpi.kpi === name);
  for (const name of ["pue", "wue", "ref"]) figureCell(field(name), found(name), figures.get(name), site ? site.targets : {});
  field("coverage").textContent = found("pue") ? percent(found("pue").coverage) : "–";
  const firing = alerts.filter((alert) => alert.state === "firing" && (id === "all" || alert.site === id)).length;
  field("alerts").replaceChildren(firing ? element("span", { class: "chip", "data-state": "firing" }, `${firing} firing`) : "none");
  const meters = site ? site.meters : sites.flatMap((other) => other.meters);
  const times = meters.map((meter) => meter.last_reading).filter(Boolean).map((time) => Date.parse(time));
  field("last").textContent = times.length ? ago(serverNow() - Math.max(...times)) : "never";
}

function draw(documents, alerts) {
  for (const row of document.querySelectorAll("tr[data-site]")) drawRow(row, documents, alerts);
}

draw(boot.kpi, boot.alerts);
const again = keepAsking(async () => {
  const [documents, alerts, fresh] = await Promise.all([
    ask("kpi", { kpi: "pue,wue,ref", window: chosen }), ask("alerts"), ask("sites"),
  ]);
  sites = fresh;
  draw(documents, alerts);
}, zone);
document.getElementById("windows").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  for (const other of document.querySelectorAll("#windows button")) other.setAttribute("aria-pressed", String(other === button));
  chosen = button.dataset.window;
  history.replaceState(null, "", `?window=${chosen}`);
  again();
});
