// PUE of each day or month as bars, with the outdoor temperature as a line on an axis of its own.
import { HEIGHT, TimeChart, niceTicks, runs, shape } from "./charts.js";
import { number } from "./format.js";

const named = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const MONTH = named({ month: "long", year: "numeric" });
const DAY = named({ weekday: "short", day: "numeric", month: "short" });
const SHORT = { month: named({ month: "short" }), day: named({ day: "numeric", month: "short" }) };

export class RowChart extends TimeChart {
  visible() {
    return this.options.series.filter(({ key }) => key === "pue" || this.model.slots.some((slot) => slot.values[key] !== null));
  }

  complete(slot) {
    return slot.values.pue !== null;
  }

  total(slot) {
    return slot.values.pue;
  }

  // 2026-10-31 or 2026-10, as it is in the site's zone
  when({ key }) {
    return (this.options.monthly ? MONTH : DAY).format(Date.parse(key));
  }

  scales() {
    super.scales();
    const found = this.model.slots.map(({ values }) => values.temperature).filter((value) => value !== null);
    this.warm = null;
    if (found.length === 0) return;
    const least = Math.min(...found), most = Math.max(...found);
    const room = Math.max((most - least) * 0.1, 1);
    const low = least - room, high = most + room;
    const down = HEIGHT - this.edge.top - this.edge.bottom;
    this.warm = { low, high, y: (value) => this.edge.top + (1 - (value - low) / (high - low)) * down };
  }

  axes() {
    const made = [];
    const { ticks, digits } = niceTicks(this.low, this.high, 4);
    for (const value of ticks) {
      const y = this.y(value);
      made.push(shape("line", { class: "grid", x1: this.edge.left, x2: this.width - this.edge.right, y1: y, y2: y }));
      made.push(shape("text", { class: "tick", x: this.edge.left - 6, y: y + 4, "text-anchor": "end" }, number(value, digits)));
    }
    made.push(shape("text", { class: "tick unit", x: 2, y: 12 }, "PUE, kWh/kWh"));
    if (this.warm) made.push(...this.warmAxis());
    const room = Math.max(2, Math.floor((this.width - this.edge.left) / (this.options.monthly ? 40 : 60)));
    const step = Math.ceil(this.model.slots.length / room);
    this.model.slots.forEach((slot, place) => {
      if (place % step) return;
      const text = SHORT[this.options.monthly ? "month" : "day"].format(Date.parse(slot.key));
      made.push(shape("text", { class: "tick", x: (this.x(slot.start) + this.x(slot.end)) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, text));
    });
    return made;
  }

  warmAxis() {
    const { ticks, digits } = niceTicks(this.warm.low, this.warm.high, 5);
    const x = this.width - this.edge.right + 6;
    const made = ticks.map((value) => shape("text", { class: "tick", x, y: this.warm.y(value) + 4 }, number(value, digits)));
    return [...made, shape("text", { class: "tick unit", x: this.width - 2, y: 12, "text-anchor": "end" }, "outdoor, °C")];
  }

  bars(covered) {
    const made = super.bars(covered);
    if (!this.warm) return made;
    for (const run of runs(this.model.slots, (slot) => slot.values.temperature !== null)) {
      const points = run.map((slot) => [(this.x(slot.start) + this.x(slot.end)) / 2, this.warm.y(slot.values.temperature)]);
      made.push(shape("path", { class: "line s-temperature", d: `M${points.map((point) => point.join(" ")).join(" ")}` }));
      made.push(...points.map(([cx, cy]) => shape("circle", { class: "dot s-temperature", cx, cy, r: 2.5 })));
    }
    return made;
  }
}
