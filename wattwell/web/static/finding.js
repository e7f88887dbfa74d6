// The page of one finding: its courses as charts.
import { CourseChart } from "./findings.js";
import { number } from "./format.js";

const { timezone: zone, finding } = JSON.parse(document.getElementById("boot").textContent);
const digits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

finding.course.forEach((course, place) => {
  const step = course.step_seconds * 1000;
  const unit = course.unit === "1" ? "" : ` ${course.unit}`;
  const format = (value) => number(value, digits(value)) + unit;
  const chart = new CourseChart(document.getElementById(`course-${place}`), {
    name: `${course.label}, actual and expected`, kind: "line", zone, format, axis: number,
    series: [{ key: "actual", label: "Actual" }, { key: "expected", label: "Expected" }],
  });
  const slots = course.start.map((time, at) => {
    const start = Date.parse(time);
    const [low, high] = [course.low[at], course.high[at]];
    const mark = low === null || high === null ? null : `healthy ${format(low)} to ${format(high)}`;
    return { start, end: start + step, mark, values: { actual: course.actual[at], expected: course.expected[at], low, high } };
  });
  if (!slots.some(({ values }) => values.actual !== null)) {
    chart.say("Nothing is known of this course.");
    return;
  }
  const moments = [finding.start, finding.detected_at, finding.end].filter(Boolean).map((time) => Date.parse(time));
  chart.update({ from: slots[0].start, to: slots[slots.length - 1].end, slots, moments });
});
