// The page of a month or year: PUE by day or month with the weather, PUE against it, energy and water as flows.
import { FlowChart } from "./flow.js";
import { RowChart } from "./rows.js";
import { ScatterChart } from "./scatter.js";
import { number, plain } from "./format.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const host = (id) => document.getElementById(id);

function drawRows() {
  const monthly = boot.period.window !== "month";
  const chart = new RowChart(host("chart-rows"), {
    name: `PUE by ${monthly ? "month" : "day"} and mean outdoor temperature`, kind: "bars", base: 1, zone: boot.timezone, monthly,
    series: [{ key: "pue", label: "PUE" }, { key: "temperature", label: "Outdoor" }],
    format: (value, key) => (key === "pue" ? number(value, 3) : `${number(value, 1)} °C`), axis: number,
    edge: { left: 46, right: 40, top: 24, bottom: 22 },
  });
  const slots = boot.rows.map(({ start, end, key, pue, temperature, provisional }) => ({
    start: Date.parse(start), end: Date.parse(end), key, mark: provisional && pue !== null ? "provisional" : null,
    values: { pue, temperature },
  }));
  if (!slots.some(({ values }) => values.pue !== null)) {
    chart.say(boot.why);
    return;
  }
  const { target } = boot;
  chart.update({
    from: slots[0].start, to: slots[slots.length - 1].end, slots, target,
    targetLabel: target === null ? null : `Target ${plain(target)}`,
  });
}

function drawWeather() {
  const chart = new ScatterChart(host("chart-weather"), "PUE against outdoor temperature");
  const { weather, bands } = boot;
  if (!weather) chart.say("Not available: the site has no outdoor_dry_bulb meter.");
  else if (bands.length === 0) chart.say("No hour has both a PUE and a temperature.");
  else chart.update(weather, bands);
}

function drawFlow(id, name, total, sources, uses, kinds) {
  if (!host(id)) return;
  const chart = new FlowChart(host(id), name, total);
  if (!sources || !uses) chart.say("Only one side of it is known; see the table below.");
  else chart.update(sources, uses, kinds);
}

const { sources, uses, cooling, water_sources: came, water_uses: went } = boot.flows;
drawRows();
drawWeather();
drawFlow("chart-energy", "Energy flow", "E_DC", sources, uses, cooling);
drawFlow("chart-water", "Water balance", "Water", came, went);
