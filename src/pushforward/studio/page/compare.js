// Compare: the same measures of several models, with intervals.

import { job } from "./wire.js";
import { button, checkbox, field, h, number, say, short, table } from "./dom.js";
import { interval } from "./plots.js";

export function build(panel, studio, model) {
  const alike = studio.models.filter((other) => other.source === model.source && other.tabs.compare.reason === null);
  const boxes = alike.map((other) => ({ name: other.name, ...checkbox(other.name, true) }));
  const rows = number(1000, 50, 10000), state = h("div.stack"), result = h("div.stack", {}, h("p.muted", {}, "Start, and wait: it takes from seconds to minutes."));
  let running = null;
  panel.append(h("div.split", {}, h("div.card.stack", {}, h("fieldset.stack", {}, h("legend", {}, "Models"), boxes.map((one) => one.row)),
    field(model.kind === "images" ? "Images of either side" : "Rows of either side", rows), button("Compare", start, true), state), h("div.card", {}, result)));
  if (alike.length < 2) state.append(h("p.small.muted", {}, "Name several folders on the command line to compare them."));

  async function start() {
    if (running) return say("One comparison is under way.");
    const models = boxes.filter((one) => one.box.checked).map((one) => one.name);
    running = await job("/api/compare/start", { model: model.name, models, rows: +rows.value }, (now) => state.replaceChildren(
      h("p", { role: "status" }, `Under way, ${now.seconds} s. `, h("span.muted", {}, now.text)),
      button("Cancel", async () => { await running?.cancel(); running = null; state.replaceChildren(h("p.muted", {}, "Cancelled.")); }),
      h("details", {}, h("summary", {}, "The same on the command line"), h("pre", {}, now.command))));
    try {
      const found = await running.done;
      if (!found) return;
      state.replaceChildren(h("details", {}, h("summary", {}, "The same on the command line"), h("pre", {}, running.command)));
      result.replaceChildren(...lines(found));
    } catch (error) {
      state.replaceChildren(h("p.note", {}, error.message));
    } finally {
      running = null;
    }
  }
}

function lines(found) {
  const blocks = found.lines.map((line) => {
    const values = Object.values(line.values);
    const ends = values.flatMap((one) => [one.value, ...(one.interval || [])]);
    const low = Math.min(...ends), high = Math.max(...ends);
    const rows = found.models.filter((name) => line.values[name]).map((name) => {
      const one = line.values[name], best = line.best === name && found.models.length > 1;
      const words = one.interval ? `${short(one.value)}  [${short(one.interval[0])}, ${short(one.interval[1])}]` : short(one.value);
      return [name + (best ? " *" : ""), words, interval(one.value, one.interval, low, high, best)];
    });
    const better = line.better ? `${line.better} is better` : "neither direction is better";
    const warnings = [...new Set(values.flatMap((one) => one.warnings))];
    return h("div", {}, h("h3", {}, line.title, " ", h("span.muted.small", {}, better)),
      table(["model", "value, 95 % interval", "interval"], rows, { caption: line.title, className: ".text" }),
      line.limitation || warnings.length ? h("details", {}, h("summary", {}, "What it cannot see"), h("p.small", {}, line.limitation), ...warnings.map((text) => h("p.small", {}, text))) : null);
  });
  const left = Object.entries(found.skipped);
  return [h("p.small.muted", {}, "* the best; others whose interval overlaps with its are not told apart."), ...blocks,
    left.length ? h("details", {}, h("summary", {}, `${left.length} measures were not taken`), h("ul", {}, left.map(([name, why]) => h("li.small", {}, `${name}: ${why}`)))) : null].filter(Boolean);
}
