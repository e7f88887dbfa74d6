// Time charts as inline SVG: lines, stacked steps and bars on one time axis in the site's zone.
// Colours come from the style sheet, so that dark mode and printing need no redraw. A gap in the data is a hatched
// band, never a zero and never a bridge.
import { dayMonth, element, hourMinute, localSteps, stamp } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
export const HEIGHT = 220;
export const EDGE = { left: 46, right: 10, top: 8, bottom: 22 };
const HOUR = 3600000;
const STEPS = [0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 120, 168, 336].map((hours) => hours * HOUR);
let hatches = 0;

export function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function niceTicks(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((size) => size >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) ticks.push(index === 0 ? 0 : index * step);
  return { ticks, digits: Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + (/2\.?5/.test(step.toPrecision(2)) ? 1 : 0)) };
}

// Runs of neighbouring slots for which `test` holds.
export function runs(slots, test) {
  const found = [];
  let run = [];
  for (const slot of slots) {
    if (run.length && (!test(slot) || slot.start !== run[run.length - 1].end)) {
      found.push(run);
      run = [];
    }
    if (test(slot)) run.push(slot);
  }
  if (run.length) found.push(run);
  return found;
}

// Parts of [from, to] that no run covers.
function gaps(covered, from, to) {
  const found = [];
  let at = from;
  for (const run of covered) {
    if (run[0].start > at) found.push([at, run[0].start]);
    at = Math.max(at, run[run.length - 1].end);
  }
  if (at < to) found.push([at, to]);
  return found;
}

// What a legend says, for those who hear it.
export const told = (legend) => [...legend.children].map((item) => item.textContent).join(", ");

export class TimeChart {
  // options: kind (line, stack, bars), series [{key, label}], format(value, key), axis(value), total (label), base, zone,
  // edge (room for what is drawn about the plot)
  constructor(host, options) {
    this.options = options;
    this.edge = { ...EDGE, ...options.edge };
    this.model = null;
    this.cursor = null;
    this.hatch = `hatch-${(hatches += 1)}`;
    this.legend = element("div", { class: "legend" });
    this.plot = element("div", { class: "plot", tabindex: "0", role: "img" });
    host.replaceChildren(this.legend, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("blur", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  // model: {from, to, slots [{start, end, values, mark}], target, targetLabel}; times in milliseconds
  update(model) {
    this.model = model;
    this.cursor = null;
    this.draw();
  }

  say(text) {
    this.model = null;
    this.legend.replaceChildren();
    this.plot.replaceChildren(element("p", { class: "empty" }, text));
    this.plot.setAttribute("aria-label", text);
  }

  visible() {
    return this.options.series.filter(({ key }) => this.model.slots.some((slot) => slot.values[key] !== null));
  }

  complete(slot) {
    return this.shown.length > 0 && this.shown.every(({ key }) => slot.values[key] !== null);
  }

  scales() {
    const { slots, from, to, target } = this.model;
    this.shown = this.visible();
    const values = slots.filter((slot) => this.complete(slot)).map((slot) => this.total(slot));
    if (target !== undefined && target !== null) values.push(target);
    let low = Math.min(this.options.base ?? 0, ...values);
    let high = Math.max(...values, low);
    high = high === low ? low + 1 : high + (high - low) * 0.08;
    this.width = Math.max(this.plot.clientWidth, 200);
    const across = this.width - this.edge.left - this.edge.right;
    const down = HEIGHT - this.edge.top - this.edge.bottom;
    this.x = (time) => this.edge.left + ((time - from) / (to - from)) * across;
    this.y = (value) => this.edge.top + (1 - (value - low) / (high - low)) * down;
    this.low = low;
    this.high = high;
  }

  total(slot) {
    return this.shown.reduce((sum, { key }) => sum + slot.values[key], 0);
  }

  draw() {
    if (!this.model) return;
    this.scales();
    const root = shape("svg", { width: this.width, height: HEIGHT, "aria-hidden": "true", focusable: "false" });
    root.append(this.hatching(), ...this.axes());
    const covered = runs(this.model.slots, (slot) => this.complete(slot));
    for (const [from, to] of gaps(covered, this.model.from, this.model.to)) root.append(this.gap(from, to));
    if (this.options.kind === "stack") root.append(...this.stack(covered));
    if (this.options.kind === "bars") root.append(...this.bars(covered));
    if (this.options.kind === "line") root.append(...this.lines(covered));
    root.append(...this.targetLine());
    this.rule = shape("line", { class: "cursor", y1: this.edge.top, y2: HEIGHT - this.edge.bottom, visibility: "hidden" });
    root.append(this.rule);
    this.plot.replaceChildren(root);
    this.move(this.cursor);
  }

  hatching() {
    const lines = shape("path", { d: "M-1 7 7 -1 M-1 1 1 -1 M5 7 7 5", class: "hatch" });
    return shape("defs", {}, shape("pattern", { id: this.hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, lines));
  }

  axes() {
    const { from, to } = this.model;
    const { zone, axis } = this.options;
    const made = [];
    const { ticks, digits } = niceTicks(this.low, this.high, 4);
    for (const value of ticks) {
      const y = this.y(value);
      made.push(shape("line", { class: "grid", x1: this.edge.left, x2: this.width - this.edge.right, y1: y, y2: y }));
      made.push(shape("text", { class: "tick", x: this.edge.left - 6, y: y + 4, "text-anchor": "end" }, axis(value, digits)));
    }
    const room = Math.max(2, Math.floor((this.width - this.edge.left) / 60));
    const step = STEPS.find((size) => (to - from) / size <= room) ?? STEPS[STEPS.length - 1];
    for (const time of localSteps(from, to, step, zone)) {
      const x = this.x(time);
      const midnight = hourMinute(time, zone) === "00:00";
      made.push(shape("line", { class: midnight && step < 24 * HOUR ? "grid day" : "grid", x1: x, x2: x, y1: this.edge.top, y2: HEIGHT - this.edge.bottom }));
      const text = midnight || step >= 24 * HOUR ? dayMonth(time, zone) : hourMinute(time, zone);
      if (x < this.width - 18) made.push(shape("text", { class: "tick", x, y: HEIGHT - 6, "text-anchor": "middle" }, text));
    }
    return made;
  }

  gap(from, to) {
    const x = this.x(from);
    return shape("rect", {
      class: "gap", x, width: Math.max(this.x(to) - x, 1), y: this.edge.top, height: HEIGHT - this.edge.top - this.edge.bottom,
      fill: `url(#${this.hatch})`,
    });
  }

  stack(covered) {
    const made = [];
    for (const run of covered) {
      let floor = run.map(() => 0);
      for (const { key } of this.shown) {
        const top = run.map((slot, index) => floor[index] + slot.values[key]);
        const over = run.map((slot, index) => `${this.x(slot.start)} ${this.y(top[index])} ${this.x(slot.end)} ${this.y(top[index])}`);
        const under = run.map((slot, index) => `${this.x(slot.end)} ${this.y(floor[index])} ${this.x(slot.start)} ${this.y(floor[index])}`);
        made.push(shape("path", { class: `area s-${key}`, d: `M${over.join(" ")} ${under.reverse().join(" ")}Z` }));
        floor = top;
      }
    }
    return made;
  }

  bars(covered) {
    const key = this.shown.length ? this.shown[0].key : null;
    return covered.flat().map((slot) => {
      const left = this.x(slot.start), right = this.x(slot.end), y = this.y(slot.values[key]);
      const inset = Math.min(2, (right - left) * 0.1);
      return shape("rect", {
        class: `bar-slot s-${key}${slot.mark ? " partial" : ""}`, x: left + inset, width: Math.max(right - left - 2 * inset, 0.5),
        y, height: Math.max(this.y(this.low) - y, 0),
      });
    });
  }

  lines(covered) {
    const made = [];
    for (const { key } of this.shown) {
      for (const run of covered) {
        for (const part of runs(run, (slot) => !slot.mark)) made.push(this.line(part, key, ""));
        for (const part of runs(run, (slot) => slot.mark)) made.push(this.line(part, key, " provisional"));
      }
    }
    return made;
  }

  line(run, key, extra) {
    const points = run.map((slot) => `${this.x(slot.start)} ${this.y(slot.values[key])} ${this.x(slot.end)} ${this.y(slot.values[key])}`);
    return shape("path", { class: `line s-${key}${extra}`, d: `M${points.join(" ")}` });
  }

  targetLine() {
    const { target } = this.model;
    if (target === undefined || target === null) return [];
    const y = this.y(target);
    return [shape("line", { class: "target-line", x1: this.edge.left, x2: this.width - this.edge.right, y1: y, y2: y })];
  }

  point(event) {
    if (!this.model) return;
    const left = this.plot.getBoundingClientRect().left;
    const at = event.clientX - left;
    const found = this.model.slots.findIndex((slot) => this.x(slot.start) <= at && at < this.x(slot.end));
    this.move(found < 0 ? null : found);
  }

  key(event) {
    if (!this.model || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const last = this.model.slots.length - 1;
    const from = this.cursor ?? last + (event.key === "ArrowLeft" ? 1 : 0);
    const next = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null }[event.key];
    this.move(next === null ? null : Math.min(last, Math.max(0, next)));
  }

  // Shows the values at a slot, or the latest ones.
  move(index) {
    if (!this.model) return;
    this.cursor = index;
    const { slots } = this.model;
    const latest = slots.findLastIndex((slot) => this.complete(slot));
    const slot = slots[index ?? latest];
    this.rule?.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index !== null) {
      const middle = (this.x(slot.start) + this.x(slot.end)) / 2;
      this.rule?.setAttribute("x1", middle);
      this.rule?.setAttribute("x2", middle);
    }
    this.read(slot);
  }

  when(slot) {
    return stamp(this.options.kind === "line" ? slot.end : slot.start, this.options.zone);
  }

  read(slot) {
    const { format, total } = this.options;
    const item = (label, value, key) => element(
      "span", { class: "item" }, key ? element("i", { class: `swatch s-${key}`, "aria-hidden": "true" }) : null,
      `${label} `, element("b", {}, value === null ? "no value" : format(value, key)),
    );
    const items = this.shown.map(({ key, label }) => item(label, slot ? slot.values[key] : null, key));
    if (total) items.unshift(item(total, slot && this.complete(slot) ? this.total(slot) : null));
    if (this.model.targetLabel) items.push(element("span", { class: "item" }, element("i", { class: "swatch s-target" }), this.model.targetLabel));
    const when = slot ? this.when(slot) : "no data in this span";
    const note = slot && slot.mark ? ` (${slot.mark})` : "";
    this.legend.replaceChildren(element("span", { class: "item when" }, when + note), ...items);
    this.plot.setAttribute("aria-label", `${this.options.name}. ${told(this.legend)}. Arrow keys move in time.`);
  }
}
