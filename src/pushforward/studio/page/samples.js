// Samples: a grid of images or a pair plot with its rows, by seed, temperature and class.

import { newest } from "./wire.js";
import { bitsText, button, checkbox, choice, download, failed, field, h, number, once, short, slider, table } from "./dom.js";
import { pairs } from "./plots.js";

export function build(panel, studio, model) {
  const images = model.kind === "images";
  const seed = number(0, 0, 4294967295), count = number(images ? 36 : 500, 1, images ? 100 : 1000);
  let temperature = 1;
  const controls = h("div.card.stack", {}, h("div.row.top", {}, grown(field(images ? "Images" : "Rows", count)), grown(field("Seed", seed))),
    h("p.small.muted", {}, "The same seed draws the same."));
  if (model.temperature) {
    const made = slider("Temperature", { low: 0, high: 1.5, step: 0.05, value: 1, change: (x) => { temperature = x; draw(); } });
    controls.append(made.row, h("p.small.muted", {}, "Below 1, plainer and cleaner."));
  }
  let label = null;
  if (model.classes) {
    label = choice([["", "any"], ...model.classes.map((name, k) => [k, name])]);
    label.addEventListener("change", () => draw());
    controls.append(field("Class", label));
  }
  let withData = null;
  if (!images && model.data) {
    withData = checkbox("Show the data behind", true, () => draw());
    controls.append(withData.row);
  }
  controls.append(button("Draw others", () => {
    seed.value = (+seed.value + 1) % 4294967296;
    draw();
  }, true));
  const files = h("p.row.small");
  controls.append(h("div", {}, h("h3", {}, "Download these"), files));
  const result = h("div.stack", {}, h("p.muted", {}, "Drawing …"));
  panel.append(h("div.split", {}, controls, h("div.card", {}, result)));
  for (const one of [seed, count]) one.addEventListener("input", once(() => one.checkValidity() && one.value !== "" && draw()));

  const body = () => ({
    model: model.name, n: +count.value, seed: +seed.value, temperature,
    label: label && label.value !== "" ? +label.value : null, with_data: withData?.box.checked || null,
  });
  const request = newest("/api/samples/draw", (answer) => {
    result.classList.remove("busy");
    result.replaceChildren(...(answer.kind === "images" ? grid(answer, studio, model) : rows(answer, model)));
  }, (error) => { result.classList.remove("busy"); failed(error); });
  function draw() {
    result.classList.add("busy");
    request(body());
    const { label: own, ...given } = body();
    const query = { model: given.model, n: given.n, seed: given.seed };
    if (model.temperature) query.temperature = temperature;
    if (own !== null) query.label = own;
    const forms = images ? ["png", "npz"] : model.columns ? ["csv", "npz"] : ["csv"];
    files.replaceChildren(...forms.map((form) =>
      download(`/download/samples?${new URLSearchParams({ ...query, as: form })}`, form.toUpperCase())));
  }
  draw();
}

function grid(answer, studio, model) {
  const canEdit = model.tabs.mix.reason === null;
  let chosen = null, chosenTile = null;
  const actions = h("div.row", { hidden: true });
  const tiles = answer.images.map((image, k) => {
    const text = bitsText(image.bits);
    const picture = h("img", { src: image.png, alt: `Sample ${k + 1}` });
    const tile = canEdit
      ? h("button.tile", { type: "button", "aria-pressed": "false", onclick: () => pick(image, tile) }, picture)
      : h("div.tile", {}, picture);
    tile.style.setProperty("--ratio", `${answer.shape[2]} / ${answer.shape[1]}`);
    return h("figure", {}, tile, text ? h("figcaption", {}, text.replace(" bits/dim", "")) : null);
  });
  function pick(image, tile) {
    chosenTile?.setAttribute("aria-pressed", "false");
    chosen = image;
    chosenTile = tile;
    tile.setAttribute("aria-pressed", "true");
    actions.hidden = false;
  }
  actions.append(
    button("Edit it", () => studio.take(chosen, "edit", "image")),
    button("Mix: first", () => studio.take(chosen, "mix", "a")),
    button("Mix: second", () => studio.take(chosen, "mix", "b")));
  const note = answer.images.some((image) => image.bits !== null)
    ? "Below each image its bits per dimension: fewer are more likely under the model."
    : "This model has no density: its images have no likelihood to show.";
  return [h("p.small.muted", {}, note + (canEdit ? " Choose one to edit or mix it." : "")), actions, h("div.tiles", {}, tiles)];
}

function rows(answer, model) {
  if (answer.kind === "text") return [h("pre", {}, answer.lines.join("\n"))];
  if (answer.kind === "rows") return [table(answer.table.names, answer.table.rows, { caption: "Sampled rows" })];
  const columns = answer.columns, byNumber = new Map(columns.map((column) => [column.j, column]));
  const selects = [];
  const place = h("div");
  const layers = [];
  if (answer.real) layers.push({ places: answer.real, colour: "--real" });
  layers.push({ places: answer.places, colour: "--sampled" });
  let plot = null;
  function plotted() {
    const shown = [...new Set(selects.map((select) => +select.value).filter((j) => j >= 0))].map((j) => byNumber.get(j));
    plot = shown.length > 1 ? pairs(shown, layers) : null;
    place.replaceChildren(plot ? plot.grid : h("p.muted", {}, "Choose two columns at least."));
    chosenColumns.set(model.name, selects.map((select) => select.value));
  }
  const before = chosenColumns.get(model.name);
  for (let k = 0; k < Math.min(4, columns.length); k++) {
    const select = choice([[-1, "none"], ...columns.map((column) => [column.j, column.name])], before?.[k] ?? answer.telling[k] ?? -1);
    select.addEventListener("change", plotted);
    selects.push(select);
  }
  const choosers = h("div.row.end", {}, selects.map((select, k) => grown(field(`Column ${k + 1}`, select))));
  const names = ["log density", ...answer.table.names];
  const lines = answer.table.rows.map((row, k) => [answer.scores ? short(answer.scores[k]) : "", ...row]);
  let last = null;
  const list = table(answer.scores ? names : answer.table.names, answer.scores ? lines : answer.table.rows, {
    caption: "Sampled rows; choose one to see it in the plot", row: (line, k) => {
      line.classList.add("pick");
      line.addEventListener("click", () => {
        last?.classList.remove("chosen");
        line.classList.add("chosen");
        last = line;
        plot?.choose(k);
      });
    },
  });
  plotted();
  const legend = h("div.legend", {}, answer.real ? h("span.is-real", {}, "the data") : null, h("span.is-sampled", {}, "sampled"));
  const some = answer.scores?.some((score) => score === null);
  const beside = h("div", {}, h("h3", {}, `Rows${answer.scores ? ", with log densities in nats" : ""}`), list,
    some ? h("p.small.muted", {}, "Rows with missing cells are shown without their density.") : "");
  return [choosers, legend, h("div.beside", {}, place, beside)];
}

const chosenColumns = new Map();

function grown(element) {
  element.classList.add("grow");
  return element;
}
