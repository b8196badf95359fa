// Mix: two images, a slider between them, a strip to save.

import { newest, post } from "./wire.js";
import { bitsText, button, choice, failed, field, h, number, radio, slider } from "./dom.js";
import { picker } from "./picker.js";

export function build(panel, studio, model) {
  let ends = { a: null, b: null }, next = "a", share = 0.5;
  const label = model.classes ? choice(model.classes.map((name, k) => [k, name])) : null;
  const pictures = Object.fromEntries(["a", "mixed", "b"].map((name) => [name, h("div.picture")]));
  for (const one of Object.values(pictures)) one.style.setProperty("--ratio", `${model.shape[2]} / ${model.shape[1]}`);
  const caption = h("figcaption", {}, "");
  const strip = h("div.stack"), steps = number(9, 2, 25);
  const hint = h("p.muted", {}, "Choose a first and a second image.");
  const which = h("div");
  const chooseWhich = () => which.replaceChildren(radio("The next picture is", [["a", "the first"], ["b", "the second"]], next, (value) => { next = value; }));
  chooseWhich();
  const between = slider("Share of the second", { low: 0, high: 1, step: 0.01, value: share, change: (x) => { share = x; mixed(); } });
  const result = h("div.card.stack", {},
    h("div.pictures", {}, figure(pictures.a, "first"), h("figure", {}, pictures.mixed, caption), figure(pictures.b, "second")),
    hint, between.row, h("div.row.end", {}, field("Images of the strip", steps), button("Make the strip", makeStrip)), strip);
  panel.append(h("div.split.wide", {}, h("div.card.stack", {}, which, picker(model, (image) => take(next, image)),
    label ? field("Encoded under the class", label) : null), result));
  label?.addEventListener("change", () => mixed());

  const request = newest("/api/mix/blend", (answer) => {
    pictures.mixed.replaceChildren(h("img", { src: answer.png, alt: `The mix at ${share}` }));
    caption.textContent = `mixed ${bitsText(answer.bits)}`;
  }, failed);

  const body = () => ({ model: model.name, a: ends.a.handle, b: ends.b.handle, label: label ? +label.value : null });
  function mixed() {
    if (!ends.a || !ends.b) return;
    hint.hidden = true;
    request({ ...body(), share });
  }
  function take(place, image) {
    ends[place] = image;
    pictures[place].replaceChildren(h("img", { src: image.png, alt: place === "a" ? "The first image" : "The second image" }));
    next = ends.a && !ends.b ? "b" : place === "a" ? "b" : "a";
    chooseWhich();
    strip.replaceChildren();
    mixed();
  }
  async function makeStrip() {
    if (!ends.a || !ends.b) return;
    const answer = await post("/api/mix/strip", { ...body(), steps: +steps.value });
    if (!answer) return;
    strip.replaceChildren(h("div.strip", { tabIndex: 0, role: "region", "aria-label": "The strip" }, answer.images.map((png, k) =>
      h("figure", {}, h("div.picture", {}, h("img", { src: png, alt: `Step ${k + 1}` })), h("figcaption", {}, answer.bits[k] === null ? "" : answer.bits[k].toFixed(2))))),
      h("a", { href: answer.png, download: "strip.png" }, "Save the strip as PNG"));
  }
  return {
    shown() {
      const picked = studio.picked[model.name] || {};
      for (const place of ["a", "b"]) if (picked[place] && picked[place] !== ends[place]) take(place, picked[place]);
    },
  };
}

const figure = (picture, text) => h("figure", {}, picture, h("figcaption", {}, text));
