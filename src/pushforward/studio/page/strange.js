// Strange: the least likely rows or images of the data or of a file, and why.

import { post, upload } from "./wire.js";
import { button, failed, field, h, number, say, short, table, unique } from "./dom.js";
import { histogram } from "./plots.js";

export function build(panel, studio, model) {
  const images = model.kind === "images", count = number(8, 1, 24), result = h("div.stack");
  const id = unique("file"), input = h("input", { type: "file", id, multiple: images, accept: images ? "image/*,.npy,.npz" : ".csv,.tsv,.xlsx,.parquet,.feather,.npy,.npz,.gz" });
  const controls = h("div.card.stack", {}, field("How many to show", count));
  if (model.data) controls.append(button("Score the data", () => score({}), true));
  controls.append(h("div.field", {}, h("label", { htmlFor: id }, images ? "Or your own pictures" : "Or a file of your own"), input,
    h("span.small.muted", {}, images ? "png, jpg, webp, npy …; up to 64 MiB" : "csv, xlsx, parquet …; up to 64 MiB. It stays on this machine.")));
  input.addEventListener("change", () => own([...input.files]).catch(failed));
  panel.append(h("div.split", {}, controls, h("div.card", {}, result)));
  result.append(h("p.muted", {}, model.data ? "Score the data, or a file of your own." : "Choose a file to score."));

  async function own(files) {
    if (!files.length) return;
    if (!images) {
      const found = await upload(model.name, files[0]);
      say(`${found.name}: ${found.n.toLocaleString("en")} rows.`);
      return score({ upload: found.upload });
    }
    let handles = [];
    for (const file of files.slice(0, 24)) handles = [...handles, ...(await upload(model.name, file)).images.map((image) => image.handle)];
    return score({ images: handles.slice(0, 96) });
  }

  async function score(more) {
    const bar = h("progress", { max: 1, value: 0, "aria-label": "Share that is scored" });
    result.replaceChildren(h("p.muted", { role: "status" }, "Scoring …"), bar);
    const look = setInterval(async () => {
      const now = await post("/api/progress", { tab: "strange", place: "score" }).catch(() => null);
      if (now) bar.value = now.share;
    }, 600);
    let answer;
    try {
      answer = await post("/api/strange/score", { model: model.name, count: +count.value, ...more });
    } catch (error) {
      result.replaceChildren(h("p.note", {}, error.message));
      return;
    } finally {
      clearInterval(look);
    }
    if (answer) result.replaceChildren(...(images ? ofImages(answer, studio, model) : ofRows(answer)));
  }
  if (model.data) score({}).catch(failed);
}

const saved = (answer) => h("a", { href: `/download/scores?scores=${encodeURIComponent(answer.scores)}`, download: "" }, "Download all scores as CSV");

function ofRows(answer) {
  const marks = answer.rows.map((row) => row.score);
  return [
    h("div.row", {}, h("h2.grow", {}, `${answer.n.toLocaleString("en")} rows by log density, nats`), saved(answer)),
    histogram({ ...answer, marks, name: "log densities" }),
    h("p.small.muted", {}, (answer.threshold === null ? "" : "The broken line is the model's threshold: rows left of it do not belong. ") + "Dots are the rows below. " + answer.note),
    ...answer.rows.map((row) => h("div", {},
      h("h3", {}, `Row ${row.row}: log density ${short(row.score)}`),
      row.reasons.length
        ? h("ul", {}, row.reasons.map((one) => h("li", {}, one.text, " ", h("span.muted.small", {}, `(would gain ${short(one.gain)} nats)`))))
        : h("p.muted.small", {}, "No single cell makes it so: it is their combination."),
      table(row.cells.names, row.cells.rows, {
        caption: `Row ${row.row}`,
        cell: (td, i, k) => row.reasons.some((one) => one.column === row.cells.names[k]) && td.classList.add("fixed"),
      }))),
    ...withHoles(answer),
  ];
}

function withHoles(answer) {
  if (!answer.with_holes.length) return [];
  return [
    h("h2", {}, `${answer.n_with_holes.toLocaleString("en")} rows with missing cells`),
    h("p.small.muted", {}, "Each is compared with samples that lack the same cells. Below 0 it does not belong."),
    ...answer.with_holes.map((row) => h("div", {},
      h("h3", {}, `Row ${row.row}: ${short(Math.abs(row.decision))} nats ${row.decision < 0 ? "below" : "above"} the threshold`),
      table(row.cells.names, row.cells.rows, { caption: `Row ${row.row}` }))),
  ];
}

function ofImages(answer, studio, model) {
  const mapped = answer.images.some((image) => image.map);
  const canEdit = model.tabs.edit.reason === null;
  return [
    h("div.row", {}, h("h2.grow", {}, `${answer.n.toLocaleString("en")} images by ${answer.measure}`), saved(answer)),
    histogram({ ...answer, marks: answer.images.map((image) => image.score), name: answer.measure }),
    h("p.small.muted", {}, `Dots are the images below, the least likely first. ${answer.note} ` + (mapped ? "Orange is where an image is strange, blue where it is as usual or more." : "")),
    h("div.tiles", {}, answer.images.map((image) => {
      const ratio = `${model.shape[2]} / ${model.shape[1]}`;
      const picture = (src, alt) => { const one = h("div.picture", {}, h("img", { src, alt })); one.style.setProperty("--ratio", ratio); return one; };
      return h("figure", {}, picture(image.png, `Image ${image.row}`), image.map ? picture(image.map, `Where image ${image.row} is strange`) : null,
        h("figcaption", {}, `no. ${image.row}: ${short(image.score)}`),
        canEdit ? button("Edit", () => studio.take(image, "edit", "image")) : null);
    })),
  ];
}
