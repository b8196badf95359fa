// Pictures to choose from: of the data, of samples, of files.

import { post, upload } from "./wire.js";
import { button, failed, h, radio, unique } from "./dom.js";

export function picker(model, pick) {
  const tiles = h("div.tiles.close"), pager = h("div.row.small"), files = h("div");
  let source = model.data ? "data" : "samples", start = 0, seed = 0, uploaded = [];
  const sources = [...(model.data ? [["data", "Data"]] : []), ["samples", "Samples"], ["files", "Your files"]];
  const id = unique("file");
  const input = h("input", { type: "file", id, multiple: true, accept: "image/*,.npy,.npz" });
  input.addEventListener("change", () => send([...input.files]).catch(failed));
  files.append(h("label", { htmlFor: id }, "Pictures; they stay on this machine"), input);

  async function send(chosen) {
    for (const file of chosen.slice(0, 24)) {
      const found = await upload(model.name, file);
      uploaded = [...uploaded, ...found.images];
    }
    draw(uploaded);
  }

  function draw(images) {
    tiles.replaceChildren(...images.map((image, k) => {
      const tile = h("button.tile", { type: "button", "aria-label": `Picture ${start + k + 1}`, onclick: () => pick(image) }, h("img", { src: image.png, alt: "" }));
      tile.style.setProperty("--ratio", `${model.shape[2]} / ${model.shape[1]}`);
      return tile;
    }));
  }

  async function load() {
    files.hidden = source !== "files";
    if (source === "files") { pager.replaceChildren(); start = 0; return draw(uploaded); }
    const answer = source === "data"
      ? await post("/api/data/images", { model: model.name, start, n: 28, place: "picker" })
      : await post("/api/samples/draw", { model: model.name, n: 28, seed, place: "picker", temperature: model.temperature ? 0.8 : null });
    if (!answer) return;
    draw(answer.images);
    pager.replaceChildren(source === "data"
      ? h("span.muted", {}, `${start + 1} – ${start + answer.images.length} of ${answer.n.toLocaleString("en")}`) : h("span.muted", {}, `seed ${seed}`),
      button("Back", () => step(-1)), button("More", () => step(1)));
    if (source === "data") pager.children[1].disabled = start === 0;
  }

  function step(by) {
    if (source === "data") start = start + 28 * by >= model.data || start + 28 * by < 0 ? 0 : start + 28 * by;
    else { seed = Math.max(0, seed + by); start = 0; }
    return load();
  }

  const chooser = radio("Pictures from", sources, source, (value) => { source = value; start = 0; load().catch(failed); });
  load().catch(failed);
  return h("div.stack", {}, chooser, files, tiles, pager);
}
