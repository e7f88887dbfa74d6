// Amounts as a flow: sources on the left, the total, and uses on the right; widths are to scale, so that both sides are
// as wide as the total. What is below zero flows the other way: export leaves on the right, a negative use comes in.
import { shape } from "./charts.js";
import { NARROW, element } from "./format.js";

const NODE = 10;
const LINE = 34; // height of a label
const HEAD = 26;
const SIZE = 190; // height of the total
const ROUNDING = 1e-9;
const UNITS = { m3: "m³", 1: "" };
const unitOf = (whole) => UNITS[whole.unit] ?? whole.unit;
const sum = (parts) => parts.reduce((total, { size }) => total + size, 0);

// Parts of one side and, turned round, what the other side has below zero.
function side(whole, other) {
  const made = (breakdown, part, turned) => ({
    name: part.name, label: part.label, shown: `${part.shown}${NARROW}${unitOf(breakdown)}`, share: part.share_shown, size: Math.abs(part.value), turned,
  });
  return [
    ...whole.parts.filter(({ value }) => value > 0).map((part) => made(whole, part, false)),
    ...other.parts.filter(({ value }) => value < 0).map((part) => made(other, part, true)),
  ];
}

// Where each part stands: as high as its size, and far enough from the next for its label.
function stand(parts, scale, middle) {
  let at = 0;
  for (const part of parts) {
    const slot = Math.max(part.size * scale, LINE);
    part.top = at + (slot - part.size * scale) / 2;
    part.height = part.size * scale;
    at += slot + 4;
  }
  const lift = Math.max(middle - (at - 4) / 2, HEAD);
  for (const part of parts) part.top += lift;
  return at - 4;
}

const heightOf = (parts, scale) => parts.reduce((total, { size }) => total + Math.max(size * scale, LINE) + 4, 0);

export class FlowChart {
  constructor(host, name, total) {
    this.name = name;
    this.total = total;
    this.model = null;
    this.legend = element("div", { class: "legend flow-legend" });
    this.plot = element("div", { class: "plot flow", tabindex: "0", role: "img" });
    host.replaceChildren(this.legend, this.plot);
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("blur", () => this.move(null));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("pointermove", (event) => {
      const place = event.target.closest("[data-place]")?.dataset.place;
      this.move(place === undefined ? null : Number(place));
    });
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  say(text) {
    this.model = null;
    this.legend.replaceChildren();
    this.plot.replaceChildren(element("p", { class: "empty" }, text));
    this.plot.setAttribute("aria-label", `${this.name}. ${text}`);
  }

  // Breakdowns with total, total_shown, unit and parts [{name, label, value, shown, share_shown}]; kinds are those of cooling.
  update(sources, uses, kinds) {
    const left = side(sources, uses), right = side(uses, sources);
    if (left.length === 0 || right.length === 0) {
      this.say("Nothing flowed.");
      return;
    }
    if (Math.abs(sum(left) - sum(right)) > ROUNDING * sum(left)) {
      this.say("Sources and uses are not known over the same time; see the table below.");
      return;
    }
    const cooling = right.find(({ name, turned }) => name === "cooling" && !turned);
    const fits = kinds && cooling && kinds.parts.every(({ value }) => value >= 0) && Math.abs(kinds.total - cooling.size) <= ROUNDING * cooling.size;
    if (fits) { // below the other uses, whose labels its kinds would cross
      right.splice(right.indexOf(cooling), 1);
      right.splice(right.filter(({ turned }) => !turned).length, 0, cooling);
    }
    this.model = { sources, left, right, cooling, kinds: fits ? side(kinds, { parts: [] }) : [] };
    this.draw();
  }

  draw() {
    if (!this.model) return;
    const { left, right, cooling, sources } = this.model;
    const width = Math.max(this.plot.clientWidth, 200);
    const kinds = width >= 640 ? this.model.kinds : [];
    const scale = SIZE / sum(left);
    const tall = Math.max(SIZE, ...[left, right, kinds].map((parts) => heightOf(parts, scale)));
    const height = tall + HEAD + 8;
    const middle = HEAD + tall / 2;
    for (const parts of [left, right, kinds]) stand(parts, scale, middle);
    const label = Math.min(170, width * 0.3);
    const end = width - label - NODE;
    const x = { left: 0, total: label + NODE + 24, right: end, kinds: end };
    if (kinds.length) {
      x.total = (end - label) * 0.3;
      x.right = (end - label) * 0.56;
    }
    const root = shape("svg", { width, height, "aria-hidden": "true", focusable: "false" });
    this.shapes = [];
    const total = { top: middle - SIZE / 2, height: SIZE };
    this.ribbons(root, left, x.left + NODE, x.total, total, false);
    this.ribbons(root, right, x.right, x.total + NODE, total, true);
    if (kinds.length) this.ribbons(root, kinds, x.kinds, x.right + NODE, cooling, true);
    const own = Math.max(sources.total, 0) * scale; // below it what went out again, or came in besides
    root.append(shape("rect", { class: "node s-total", x: x.total, y: total.top, width: NODE, height: own }));
    root.append(shape("rect", { class: "node", x: x.total, y: total.top + own, width: NODE, height: Math.max(total.height - own, 0) }));
    const said = `${this.total} ${sources.total_shown}${NARROW}${unitOf(sources)}`;
    root.append(shape("text", { class: "flow-total", x: x.total + NODE / 2, y: 14, "text-anchor": "middle" }, said));
    for (const [parts, at, wide] of [[left, x.left, label], [right, x.right, kinds.length ? x.kinds - x.right - 40 : label], [kinds, x.kinds, label]]) {
      for (const part of parts) root.append(...this.node(part, at, wide));
    }
    this.plot.style.height = `${height}px`;
    this.plot.replaceChildren(root);
    for (const text of root.querySelectorAll("text[data-room]")) shorten(text);
    this.move(null);
  }

  // From each part to its share of the one side of another.
  ribbons(root, parts, at, from, whole, turned) {
    let top = whole.top;
    const scale = whole.height / sum(parts);
    for (const part of parts) {
      const low = top + part.size * scale;
      const middle = (at + from) / 2;
      const d = `M${at} ${part.top}C${middle} ${part.top} ${middle} ${top} ${from} ${top}V${low}`
        + `C${middle} ${low} ${middle} ${part.top + part.height} ${at} ${part.top + part.height}Z`;
      root.append(this.known(shape("path", { class: `ribbon f-${part.name}${turned === part.turned ? "" : " forth"}`, d }), part));
      top = low;
    }
  }

  known(made, part) {
    const place = this.parts().indexOf(part);
    made.dataset.place = place;
    (this.shapes[place] ??= []).push(made);
    return made;
  }

  node(part, x, room) {
    const middle = part.top + part.height / 2;
    const text = (y, name, words) => this.known(shape("text", { class: name, x: x + NODE + 6, y, "data-room": room - 8 }, words), part);
    const share = part.share === null || room < 150 ? "" : ` · ${part.share}${NARROW}%`;
    return [
      this.known(shape("rect", { class: `node f-${part.name}`, x, y: part.top, width: NODE, height: part.height }), part),
      text(middle - 2, "flow-label", part.label), text(middle + 13, "flow-amount", part.shown + share),
    ];
  }

  parts() {
    const { left, right, kinds } = this.model;
    return [...left, ...right, ...kinds];
  }

  key(event) {
    if (!this.model || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const last = this.parts().length - 1;
    const back = event.key === "ArrowLeft" || event.key === "ArrowUp";
    if (event.key === "Escape") this.move(null);
    else if (event.key === "Home" || event.key === "End") this.move(event.key === "Home" ? 0 : last);
    else this.move(Math.min(last, Math.max(0, (this.place ?? (back ? last + 1 : -1)) + (back ? -1 : 1))));
  }

  // Reads out a part, or all.
  move(place) {
    if (!this.model) return;
    this.place = place;
    const { sources, left, right } = this.model;
    this.shapes.forEach((made, at) => made.forEach((each) => each.classList.toggle("faded", place !== null && at !== place)));
    const written = ({ label, shown, share }) => `${label} ${shown}${share === null ? "" : ` (${share}${NARROW}%)`}`;
    const part = place === null ? null : this.parts()[place];
    const whole = `${this.total} ${sources.total_shown}${NARROW}${unitOf(sources)}`;
    this.legend.replaceChildren(element("span", { class: "item when" }, part ? written(part) : whole));
    const all = part ? written(part) : `${whole}, from ${left.map(written).join(", ")}; to ${right.map(written).join(", ")}`;
    this.plot.setAttribute("aria-label", `${this.name}. ${all}. Arrow keys move through the parts.`);
  }
}

// Cuts a label that is wider than its room; the table has it in full.
function shorten(text) {
  const room = Number(text.dataset.room);
  const words = text.textContent;
  for (let end = words.length - 1; end > 1 && text.getComputedTextLength() > room; end -= 1) text.textContent = `${words.slice(0, end).trimEnd()}…`;
}
