// PUE against outdoor temperature: a point for each hour or day, read out by bands of temperature.
import { niceTicks, shape, told } from "./charts.js";
import { element, number } from "./format.js";

const HEIGHT = 220;
const EDGE = { left: 46, right: 14, top: 24, bottom: 38 };

export class ScatterChart {
  constructor(host, name) {
    this.name = name;
    this.model = null;
    this.band = null;
    this.legend = element("div", { class: "legend" });
    this.plot = element("div", { class: "plot", tabindex: "0", role: "img" });
    host.replaceChildren(this.legend, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("blur", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  say(text) {
    this.model = null;
    this.legend.replaceChildren();
    this.plot.replaceChildren(element("p", { class: "empty" }, text));
    this.plot.setAttribute("aria-label", `${this.name}. ${text}`);
  }

  // points: {step, temperature [degC], pue}; bands: [{low, high, count, median, least, most}]
  update(points, bands) {
    this.model = { points, bands };
    this.draw();
  }

  scales() {
    const { points, bands } = this.model;
    const least = Math.min(...points.pue), most = Math.max(...points.pue);
    const room = Math.max((most - least) * 0.08, 0.01);
    this.low = Math.max(least - room, 0);
    this.high = most + room;
    this.from = bands[0].low;
    this.to = bands[bands.length - 1].high;
    this.width = Math.max(this.plot.clientWidth, 200);
    const across = this.width - EDGE.left - EDGE.right;
    const down = HEIGHT - EDGE.top - EDGE.bottom;
    this.x = (value) => EDGE.left + ((value - this.from) / (this.to - this.from)) * across;
    this.y = (value) => EDGE.top + (1 - (value - this.low) / (this.high - this.low)) * down;
  }

  draw() {
    if (!this.model) return;
    this.scales();
    const { points, bands } = this.model;
    const root = shape("svg", { width: this.width, height: HEIGHT, "aria-hidden": "true", focusable: "false" });
    this.mark = shape("rect", { class: "band", y: EDGE.top, height: HEIGHT - EDGE.top - EDGE.bottom, visibility: "hidden" });
    root.append(this.mark, ...this.axes());
    points.pue.forEach((pue, place) => {
      root.append(shape("circle", { class: "point s-pue", cx: this.x(points.temperature[place]), cy: this.y(pue), r: 2.5 }));
    });
    for (const { low, high, median } of bands) {
      root.append(shape("line", { class: "median", x1: this.x(low), x2: this.x(high), y1: this.y(median), y2: this.y(median) }));
    }
    this.plot.replaceChildren(root);
    this.move(this.band);
  }

  axes() {
    const made = [];
    const down = niceTicks(this.low, this.high, 4);
    for (const value of down.ticks) {
      const y = this.y(value);
      made.push(shape("line", { class: "grid", x1: EDGE.left, x2: this.width - EDGE.right, y1: y, y2: y }));
      made.push(shape("text", { class: "tick", x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, number(value, down.digits)));
    }
    const across = niceTicks(this.from, this.to, Math.min(8, Math.floor(this.width / 60)));
    for (const value of across.ticks) {
      const x = this.x(value);
      made.push(shape("line", { class: "grid", x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }));
      made.push(shape("text", { class: "tick", x, y: HEIGHT - EDGE.bottom + 14, "text-anchor": "middle" }, number(value, across.digits)));
    }
    made.push(shape("text", { class: "tick unit", x: 2, y: 12 }, "PUE, kWh/kWh"));
    const middle = (EDGE.left + this.width - EDGE.right) / 2;
    made.push(shape("text", { class: "tick unit", x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, "outdoor temperature, °C"));
    return made;
  }

  point(event) {
    if (!this.model) return;
    const at = event.clientX - this.plot.getBoundingClientRect().left;
    const found = this.model.bands.findIndex(({ low, high }) => this.x(low) <= at && at < this.x(high));
    this.move(found < 0 ? null : found);
  }

  key(event) {
    if (!this.model || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const last = this.model.bands.length - 1;
    const from = this.band ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const next = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null }[event.key];
    this.move(next === null ? null : Math.min(last, Math.max(0, next)));
  }

  // Reads out a band, or all of them together.
  move(place) {
    if (!this.model) return;
    this.band = place;
    const { points, bands } = this.model;
    const item = (label, value) => element("span", { class: "item" }, `${label} `, element("b", {}, value));
    this.mark.setAttribute("visibility", place === null ? "hidden" : "visible");
    const many = (count) => `${number(count, 0)} ${points.step}${count === 1 ? "" : "s"}`;
    if (place === null) {
      this.legend.replaceChildren(
        element("span", { class: "item when" }, many(points.pue.length)),
        item("PUE", `${number(Math.min(...points.pue), 3)} to ${number(Math.max(...points.pue), 3)}`),
        item("Outdoor", `${number(Math.min(...points.temperature), 1)} to ${number(Math.max(...points.temperature), 1)} °C`),
        element("span", { class: "item" }, element("i", { class: "swatch s-median", "aria-hidden": "true" }), "median of a band"),
      );
    } else {
      const { low, high, count, median, least, most } = bands[place];
      this.mark.setAttribute("x", this.x(low));
      this.mark.setAttribute("width", this.x(high) - this.x(low));
      this.legend.replaceChildren(
        element("span", { class: "item when" }, `${number(low, 0)} to ${number(high, 0)} °C, ${many(count)}`),
        item("PUE, median", number(median, 3)), item("lowest", number(least, 3)), item("highest", number(most, 3)),
      );
    }
    this.plot.setAttribute("aria-label", `${this.name}. ${told(this.legend)}. Arrow keys move through bands of temperature.`);
  }
}
