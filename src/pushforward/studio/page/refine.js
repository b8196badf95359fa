// Refine: begin a refinement, and look at the same samples before and after.

import { job, newest } from "./wire.js";
import { button, choice, failed, field, h, number, once, radio, short, table } from "./dom.js";
import { curves, pairs } from "./plots.js";

const METHODS = [["auto", "auto: what helps"], ["dgflow", "DGflow: moved by a flow"], ["dot", "DOT: moved by transport"],
  ["ddls", "DDLS: Langevin in the latent"], ["mh", "Metropolis-Hastings"], ["drs", "rejection (DRS)"], ["rejection", "budgeted rejection"], ["resampling", "resampling"]];
const MOVES = ["dgflow", "dot", "ddls"], SIZED = ["dgflow", "ddls"];

export function build(panel, studio, model) {
  const result = h("div.stack"), controls = h("div.stack");
  panel.append(h("div.split", {}, controls, h("div.stack", {}, result)));
  if (model.refined) controls.append(looked(result, model));
  if (model.data) controls.append(begun(result, studio, model));
  if (!model.refined) result.append(h("div.card", {}, h("p.muted", {}, "Start a refinement: real rows of the data teach what tells them from samples, others judge whether it helped. The refined model is opened beside this one.")));
}

function begun(result, studio, model) {
  const method = choice(METHODS), minutes = number(1, 0.05, 600, "any"), steps = number("", 1, 1000), seed = number(0, 0, 4294967295);
  const size = number("", 1e-6, 100, "any");
  steps.placeholder = size.placeholder = "chosen";
  const stepsField = field("Steps", steps), sizeField = field("Step size", size, "steps of DGflow need one");
  stepsField.hidden = sizeField.hidden = true;
  method.addEventListener("change", () => {
    stepsField.hidden = !MOVES.includes(method.value);
    sizeField.hidden = !SIZED.includes(method.value);
  });
  steps.addEventListener("input", () => { if (method.value === "dgflow" && steps.value && !size.value) size.value = 0.1; });
  const state = h("div.stack");
  let running = null;
  const card = h("div.card.stack", {}, h("h2", {}, model.refined ? "Refine it again" : "Refine"), field("Method", method), stepsField, sizeField, field("Minutes at most", minutes), field("Seed", seed),
    button("Start", start, true), state);
  async function start() {
    if (running) return;
    running = await job("/api/refine/start", {
      model: model.name, method: method.value, minutes: +minutes.value, seed: +seed.value, steps: !stepsField.hidden && steps.value ? +steps.value : null,
      step: !sizeField.hidden && size.value ? +size.value : null,
    }, (now) => state.replaceChildren(h("p", { role: "status" }, `Under way, ${now.seconds} s. `, h("span.muted", {}, now.text)),
      button("Cancel", async () => { await running?.cancel(); running = null; state.replaceChildren(h("p.muted", {}, "Cancelled.")); }),
      h("details", {}, h("summary", {}, "The same on the command line"), h("pre", {}, now.command))));
    try {
      const found = await running.done;
      if (!found) return;
      state.replaceChildren(h("p", {}, `Done: opened as ${found.model}.`));
      await studio.open(found.model, "refine");
    } catch (error) {
      state.replaceChildren(h("p.note", {}, error.message));
    } finally {
      running = null;
    }
  }
  return card;
}

function looked(result, model) {
  const seed = number(0, 0, 4294967295);
  const request = newest("/api/refine/pairs", (answer) => {
    result.classList.remove("busy");
    result.replaceChildren(h("div.card.stack", {}, shown(answer, model)), h("div.card.stack", {}, report(answer.report)));
  }, failed);
  const draw = () => { result.classList.add("busy"); request({ model: model.name, seed: +seed.value, n: 36 }); };
  seed.addEventListener("input", once(() => seed.value !== "" && draw()));
  draw();
  return h("div.card.stack", {}, h("h2", {}, "Samples"), field("Seed", seed), button("Draw others", () => { seed.value = +seed.value + 1; draw(); }));
}

function heading(answer) {
  if (answer.moved) return [h("h2", {}, "The same latents")];
  return [h("h2", {}, "Samples before and after"), h("p.small.muted", {}, answer.report.helped
    ? "This refinement moves nothing: it chooses among samples. Before are the generator's, after those it chose."
    : "Nothing was kept of this refinement.")];
}

function shown(answer, model) {
  if (answer.kind === "images") {
    const place = h("div");
    const tiles = (images, words) => h("div.tiles", {}, images.map((png, k) => {
      const tile = h("div.picture", {}, h("img", { src: png, alt: `${words}, sample ${k + 1}` }));
      tile.style.setProperty("--ratio", `${model.shape[2]} / ${model.shape[1]}`);
      return tile;
    }));
    const draw = (which) => place.replaceChildren(tiles(answer[which], which));
    draw("after");
    return [...heading(answer), radio("Show them", [["before", "before"], ["after", "after"]], "after", draw), place];
  }
  if (answer.kind === "text") return [...heading(answer), table(["before", "after"], answer.before.map((line, k) => [line, answer.after[k]]), { className: ".text" })];
  const columns = answer.columns.slice(0, 3), draw = (places, colour) => {
    const layers = [...(answer.real ? [{ places: answer.real, colour: "--real" }] : []), { places, colour }];
    return pairs(columns, layers).grid;
  };
  return [...heading(answer), h("div.legend", {}, answer.real ? h("span.is-real", {}, "the data") : null, h("span.is-sampled", {}, "samples")),
    h("div.beside", {}, h("div", {}, h("h3", {}, "before"), draw(answer.before, "--sampled")), h("div", {}, h("h3", {}, "after"), draw(answer.after, "--sampled")))];
}

const area = (auc) => auc.value.toFixed(3) + (auc.interval ? ` [${auc.interval.map((end) => end.toFixed(3)).join(", ")}]` : "");

function report(found) {
  const legend = h("div.legend", {}, h("span.is-real", {}, "real"), h("span", {}, "before"), h("span.is-sampled", {}, "after"));
  legend.children[1].style.setProperty("--colour", "var(--muted)");
  return [
    h("h2", {}, "What the report found"),
    h("p", {}, "A test that tells samples from real rows: area under its curve ", h("span.big", {}, area(found.before)), " before, ", h("span.big", {}, area(found.after)), ` after. 0.5 cannot be told apart; real against real has ${area(found.floor)}.`),
    h("p", { className: found.helped ? "good" : "muted" }, found.helped ? "It helped, on rows that decided nothing else." : "Nothing helped beyond chance: the refined model is the generator as it was."),
    found.stages.length ? table(["stage", "AUC after it", "draws", "logits", "verdict"], found.stages.map((stage) => [
      `${stage.name} of ${stage.space}`, area(stage.auc), short(stage.draws), short(stage.evaluations), stage.kept ? "kept" : "left out",
    ]), { caption: "Stages" }) : null,
    h("h3", {}, "The logit of real against samples, by percentiles"), legend,
    curves({ real: found.logits.real, before: found.logits.before, after: found.logits.after }, "Percentiles of the logit of real rows, of samples before and after"),
    ...found.notes.map((note) => h("p.small.muted", {}, note)),
  ];
}
