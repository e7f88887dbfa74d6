// Asks again and again: every few seconds, seldom while hidden, ever slower while nothing answers.
import { hourMinuteSecond } from "./format.js";

const EVERY = 5000;
const HIDDEN = 60000;
const SLOWEST = 30000;
const PATIENCE = 15000;

export class Refused extends Error {}

let clockOffset = 0; // the server's clock minus ours, milliseconds
export const serverNow = () => Date.now() + clockOffset;

export async function ask(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined));
  const response = await fetch(`/api/v1/${path}?${query}`, {
    signal: AbortSignal.timeout(PATIENCE), headers: { Accept: "application/json" },
  });
  const date = Date.parse(response.headers.get("date") ?? "");
  if (!Number.isNaN(date)) clockOffset = date - Date.now();
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

// Runs `step(count)` for as long as the page is open; shows the state of the connection in #link and #lost.
export function keepAsking(step, zone) {
  const link = document.getElementById("link");
  const lost = document.getElementById("lost");
  let count = 0, failures = 0, last = Date.now(), timer = null, running = false;

  function show(state, text, banner) {
    link.dataset.state = state;
    link.textContent = text;
    lost.hidden = banner === null;
    if (banner !== null) lost.textContent = banner;
    document.body.classList.toggle("stale", banner !== null);
  }

  function failed(error) {
    failures += 1;
    const since = hourMinuteSecond(last, zone);
    if (error instanceof Refused) show("lost", "no data", `The service cannot answer: ${error.message}`);
    else show("lost", "connection lost", `Connection lost since ${since}. The figures below are from then.`);
  }

  async function turn() {
    if (running) return;
    running = true;
    clearTimeout(timer);
    try {
      await step(count);
      count += 1;
      failures = 0;
      last = Date.now();
      show("live", "live", null);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError
        || error instanceof Refused)) console.error(error);
      failed(error);
    }
    running = false;
    const wait = failures ? Math.min(SLOWEST, EVERY * 2 ** Math.min(failures - 1, 4)) : EVERY;
    timer = setTimeout(turn, document.hidden ? HIDDEN : wait);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  window.addEventListener("online", turn);
  turn();
  return turn;
}
