// Findings on a site's page, and the chart of one: what was drawn against what was expected.
import { EDGE, HEIGHT, TimeChart, runs, shape } from "./charts.js";
import { NARROW, amount, element, number, percent, stamp } from "./format.js";

const MOST = 5;
const NONE = "\u2013";

const money = (cost) => (cost ? number(cost.value, Math.abs(cost.value) >= 100 ? 0 : 2) + NARROW + cost.currency : NONE);

function amounts(energy, water) {
  const parts = [energy === null ? null : amount(energy, "energy"), water === null ? null : amount(water, "water")];
  return parts.filter(Boolean).join(" and ");
}

const wasted = (found) => amounts(found.excess_kwh?.value ?? null, found.excess_l?.value ?? null) || "not known";

function yearly(found) {
  const year = found.per_year;
  if (!year) return NONE;
  return year.cost ? money(year.cost) : amounts(year.excess_kwh, year.excess_l) || NONE;
}

// Open findings that cost most; the other ones have a page of their own.
export function findingTable(open, site, zone) {
  if (open.length === 0) return element("p", { class: "empty-note" }, "No finding is open.");
  const cell = (text, label) => element("td", { "data-label": label }, text);
  const rows = open.slice(0, MOST).map((found) => element(
    "tr", {},
    element(
      "th", { scope: "row" },
      element("a", { href: `/sites/${encodeURIComponent(site)}/findings/${encodeURIComponent(found.id)}` }, found.title),
      element("span", { class: "sub" }, found.advice),
    ),
    cell(wasted(found), "So far"), cell(money(found.cost), "Cost"), cell(yearly(found), "A year"),
    cell(stamp(Date.parse(found.start), zone), "Since"), cell(percent(found.confidence, 0), "Confidence"),
  ));
  const names = ["Finding", "So far", "Cost", "A year if it goes on", "Since", "Confidence"];
  const head = element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
  const table = element("table", { class: "told" }, head, element("tbody", {}, ...rows));
  if (open.length <= MOST) return table;
  return element("div", {}, table, element("p", { class: "meta" }, `and ${open.length - MOST} more that are open`));
}

// Actual and expected as lines, healthy operation as a band behind them; only a missing actual is a gap.
export class CourseChart extends TimeChart {
  visible() {
    return this.options.series;
  }

  complete(slot) {
    return slot.values.actual !== null;
  }

  scales() {
    super.scales();
    const values = this.model.slots.flatMap(({ values: found }) => Object.values(found)).filter((value) => value !== null);
    const least = Math.min(...values), most = Math.max(...values);
    const room = (most - least || Math.abs(most) || 1) * 0.08;
    const low = least >= 0 && least < (most - least) ? 0 : least - room;
    const high = most + room;
    const down = HEIGHT - EDGE.top - EDGE.bottom;
    this.y = (value) => EDGE.top + (1 - (value - low) / (high - low)) * down;
    this.low = low;
    this.high = high;
  }

  lines() {
    const { slots, moments } = this.model;
    const known = (key) => runs(slots, (slot) => slot.values[key] !== null);
    const bands = runs(slots, (slot) => slot.values.low !== null && slot.values.high !== null).map((run) => {
      const edge = (key) => run.flatMap((slot) => [slot.start, slot.end].map((time) => `${this.x(time)} ${this.y(slot.values[key])}`));
      return shape("path", { class: "band", d: `M${edge("high").join(" ")} ${edge("low").reverse().join(" ")}Z` });
    });
    const marks = moments.filter((time) => time >= this.model.from && time <= this.model.to).map((time) => shape(
      "line", { class: "moment", x1: this.x(time), x2: this.x(time), y1: EDGE.top, y2: HEIGHT - EDGE.bottom },
    ));
    const drawn = ["expected", "actual"].flatMap((key) => known(key).map((run) => this.line(run, key, "")));
    return [...bands, ...marks, ...drawn];
  }
}
