// Edit: mark images that have something and images that have not, get a slider, move it.

import { newest, post } from "./wire.js";
import { bitsText, button, checkbox, choice, failed, field, h, radio, say, slider, unique } from "./dom.js";
import { picker } from "./picker.js";

export function build(panel, studio, model) {
  let image = null, mode = "image";
  const marked = { has: [], has_not: [] };
  const sliders = [];
  const past = [];
  const levels = { on: new Array(model.levels).fill(1), scales: new Array(model.levels).fill(1) };
  const label = model.classes ? choice(model.classes.map((name, k) => [k, name])) : null;

  // What a click on a picture means, and what was marked
  const shelves = Object.fromEntries(["has", "has_not"].map((side) => [side, h("div.tiles.close")]));
  const counts = Object.fromEntries(["has", "has_not"].map((side) => [side, h("h3", {}, "")]));
  const name = h("input", { type: "text", maxLength: 40, placeholder: "such as smiling" });
  const modes = radio("A picture that you choose", [["image", "is edited"], ["has", "has it"], ["has_not", "has it not"]], mode, (value) => { mode = value; });
  const learnCard = h("div.card.stack", {}, h("h2", {}, "A new direction"),
    h("p.small.muted", {}, "Mark a few pictures of either side, the more the better. Their difference becomes a slider."),
    field("Name", name), counts.has, shelves.has, counts.has_not, shelves.has_not, button("Learn it", () => learn({}), true));
  if (model.traits.length > 0) {
    const trait = choice(model.traits.map((one) => [one, one]));
    learnCard.append(h("h3", {}, "Or of the data's own labels"), h("div.row.end", {}, field("Class or attribute", trait),
      button("Learn it of the data", () => learn({ trait: trait.value, name: trait.value }))));
  }
  const left = h("div.stack", {}, h("div.card.stack", {}, modes, picker(model, clicked), label ? field("Encoded under the class", label) : null), learnCard);
  label?.addEventListener("change", () => redraw());

  // The picture before and after
  const ratio = (one) => { one.style.setProperty("--ratio", `${model.shape[2]} / ${model.shape[1]}`); return one; };
  const before = ratio(h("div.picture")), after = ratio(h("div.picture"));
  const beforeBits = h("figcaption", {}, "before"), afterBits = h("figcaption", {}, "after");
  const hint = h("p.muted", {}, "Choose a picture to edit.");
  const list = h("div.stack", {}, h("p.muted.small", {}, "No directions yet: learn one, or load those that were saved."));
  const tools = h("div.row", {}, button("Undo", undo), button("All to 0", reset), button("Load saved directions", loadSaved), button("Go on from this picture", goOn));
  const right = h("div.card.stack", {}, h("div.pictures", {}, h("figure", {}, before, beforeBits), h("figure", {}, after, afterBits)), hint, h("h2", {}, "Directions"), list, tools);
  if (model.levels > 1) right.append(levelControls());
  panel.append(h("div.split.wide", {}, left, right));
  shelvesDrawn();

  let result = null;
  const request = newest("/api/edit/apply", (answer) => {
    after.replaceChildren(h("img", { src: answer.png, alt: "After" }));
    result = answer;
    afterBits.textContent = `after ${bitsText(answer.bits)}`;
    if (answer.before !== null) beforeBits.textContent = `before ${bitsText(answer.before)}`;
  }, failed);

  function redraw(first = false) {
    if (!image) return;
    hint.hidden = true;
    request({
      model: model.name, image: image.handle, label: label ? +label.value : null, with_before: first || label ? true : null,
      sliders: sliders.filter((one) => one.amount !== 0).map((one) => ({ direction: one.direction, amount: one.amount })),
      levels_on: model.levels > 1 ? levels.on : null, level_scales: model.levels > 1 ? levels.scales : null,
    });
  }

  function clicked(chosen) {
    if (mode === "image") return edited(chosen);
    marked.has = marked.has.filter((one) => one !== chosen);
    marked.has_not = marked.has_not.filter((one) => one !== chosen);
    marked[mode].push(chosen);
    shelvesDrawn();
  }

  function edited(chosen) {
    image = chosen;
    before.replaceChildren(h("img", { src: chosen.png, alt: "Before" }));
    redraw(true);
  }

  function shelvesDrawn() {
    for (const [side, words] of [["has", "Has it"], ["has_not", "Has it not"]]) {
      counts[side].textContent = `${words}: ${marked[side].length}`;
      shelves[side].replaceChildren(...marked[side].map((one, k) => h("button.tile", {
        type: "button", "aria-label": `${words}, picture ${k + 1}: take it away`,
        onclick: () => { marked[side] = marked[side].filter((other) => other !== one); shelvesDrawn(); },
      }, h("img", { src: one.png, alt: "" }))));
    }
  }

  async function learn(more) {
    if (!more.trait && (!marked.has.length || !marked.has_not.length)) return say("Mark at least one picture that has it, and one that has it not.");
    say("Learning …");
    const answer = await post("/api/edit/learn", {
      model: model.name, name: name.value, has: marked.has.map((one) => one.handle), has_not: marked.has_not.map((one) => one.handle),
      label: label ? +label.value : null, place: unique("learn"), ...more,
    });
    if (!answer) return;
    say(`${answer.name}: learned of ${answer.note}.`);
    add(answer);
    if (!more.trait) { marked.has = []; marked.has_not = []; name.value = ""; shelvesDrawn(); }
  }

  function add(found) {
    if (sliders.length >= 12) return say("Twelve directions are enough: remove one.");
    if (!sliders.length) list.replaceChildren();
    const one = { direction: found.direction, name: found.name, amount: 0 };
    let at = 0;
    const made = slider(found.name, {
      low: -2, high: 2, step: 0.05, value: 0, format: (x) => (x > 0 ? "+" : "") + x.toFixed(2),
      change: (x) => { one.amount = x; redraw(); }, remove: () => { sliders.splice(sliders.indexOf(one), 1); row.remove(); redraw(); },
    });
    made.input.addEventListener("pointerdown", () => { at = one.amount; });
    made.input.addEventListener("focus", () => { at = one.amount; });
    made.input.addEventListener("change", () => { past.push({ one, amount: at }); at = one.amount; });
    one.set = (x) => { one.amount = x; made.set(x); };
    const row = h("div", {}, made.row, h("div.row.small.muted", {}, found.note, h("button.link", { type: "button", "aria-label": `Save ${found.name}`, onclick: () => save(one).catch(failed) }, "save")));
    sliders.push(one);
    list.append(row);
  }

  async function save(one) {
    const answer = await post("/api/edit/save", { model: model.name, direction: one.direction });
    if (answer) say(`Saved as ${answer.path}.`);
  }
  async function loadSaved() {
    const answer = await post("/api/edit/saved", { model: model.name });
    if (!answer) return;
    const known = new Set(sliders.map((one) => one.name));
    const fresh = answer.directions.filter((one) => !known.has(one.name));
    fresh.forEach(add);
    say(fresh.length ? `Loaded ${fresh.map((one) => one.name).join(", ")}.` : "There are no others saved of this model.");
  }
  function undo() {
    const last = past.pop();
    if (!last) return say("There is nothing to undo.");
    if (last.one) last.one.set(last.amount);
    else edited(last.image);
    redraw();
  }
  function reset() {
    for (const one of sliders) { if (one.amount) past.push({ one, amount: one.amount }); one.set(0); }
    redraw();
  }
  function goOn() {
    if (!result) return;
    past.push({ image });
    const next = { handle: result.handle, png: result.png };
    for (const one of sliders) one.set(0);
    edited(next);
  }

  function levelControls() {
    const rows = levels.on.map((_, k) => {
      const words = k === 0 ? "finest" : k === model.levels - 1 ? "coarsest" : `level ${k + 1}`;
      const acts = checkbox("directions act here", true, (is) => { levels.on[k] = +is; redraw(); });
      const scale = slider(`Detail of the ${words}`, { low: 0, high: 1.5, step: 0.05, value: 1, change: (x) => { levels.scales[k] = x; redraw(); } });
      return h("div", {}, scale.row, acts.row);
    });
    return h("details", {}, h("summary", {}, "Level by level"), h("div.stack", {}, rows));
  }

  let taken = null;
  return {
    shown() {
      const picked = studio.picked[model.name]?.image;
      if (!picked || picked === taken) return;
      taken = picked;
      edited(picked);
    },
  };
}
