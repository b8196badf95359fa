// Ask: a form made of the columns; fix some cells and see the distributions of the others.

import { newest, post } from "./wire.js";
import { button, choice, failed, h, number, once, short, table, unique } from "./dom.js";
import { axisTexts, distribution } from "./plots.js";

export function build(panel, studio, model) {
  const given = new Map(), cards = new Map();
  let columns = [], margins = {}, waiting = 0;
  const summary = h("div.stack"), grid = h("div.columns"), completed = h("div");
  const rowNumber = number(0, 0, 1e9);
  rowNumber.setAttribute("aria-label", "Row to begin with");
  rowNumber.style.width = "7rem";
  panel.append(
    h("div.card.stack", {}, h("div.row", {},
      button("Open all", () => { given.clear(); draw(); }),
      button(model.data ? "Begin with this row of the data" : "Begin with a sampled row", begin), rowNumber), summary),
    h("p"),
    h("div.legend", {}, h("span.is-margin", {}, "by itself"), h("span.is-real", {}, "given the fixed cells, with median and 90 % interval"), h("span.is-fixed", {}, "fixed")),
    h("p"), grid, h("p"), h("div.card", {}, h("h2", {}, "Completed rows"), completed));

  const plausibility = newest("/api/ask/plausibility", (answer) => judged(answer), failed);
  const request = newest("/api/ask/answer", (answer) => {
    grid.classList.remove("busy");
    if (answer.preparing) {
      summary.replaceChildren(h("p", { role: "status" }, "The model gets ready to answer: once, some seconds for tables of many columns …"));
      clearTimeout(waiting);
      waiting = setTimeout(() => request(body()), 700);
      return;
    }
    shown(answer);
    if (given.size) plausibility(body());
  }, (error) => { grid.classList.remove("busy"); summary.replaceChildren(h("p.note", {}, error.message)); });

  const body = () => ({ model: model.name, given: Object.fromEntries([...given].map(([j, value]) => [j, value.cell])) });

  function draw() {
    for (const card of cards.values()) card.draw(null);
    grid.classList.add("busy");
    summary.replaceChildren(h("p.muted", {}, given.size ? "Asking …" : "All cells are open: these are the columns by themselves. Fix one to ask."));
    request(body());
  }
  const later = once(draw, 60);

  async function begin() {
    const answer = await post("/api/ask/row", { model: model.name, row: +rowNumber.value || 0 });
    if (!answer) return;
    given.clear();
    const known = columns.filter((column) => answer.cells[column.j] !== undefined);
    for (const column of known.slice(0, Math.max(1, Math.min(known.length - 1, 3)))) set(column, answer.cells[column.j]);
    for (const column of known) cards.get(column.j).suggest(answer.cells[column.j]);
    draw();
  }

  function set(column, cell) {
    if (cell === "" || cell === null) given.delete(column.j);
    else given.set(column.j, { cell, place: column.choices ? column.choices.indexOf(String(cell)) : Number.isFinite(+cell) ? +cell : null });
  }

  function shown(answer) {
    for (const [j, card] of cards) card.draw(answer.columns[j] ?? null);
    const names = answer.rows.names, fixed = new Set([...given.keys()].map((j) => columns.find((c) => c.j === j).name));
    completed.replaceChildren(table(names, answer.rows.rows, {
      caption: "Completed rows", cell: (td, i, k) => fixed.has(names[k]) && td.classList.add("fixed"),
    }));
    if (given.size) summary.replaceChildren(h("p", {}, given.size === 1 ? "One cell is fixed. " : `${given.size} of ${columns.length} cells are fixed. `, h("span.muted", {}, "Looking how plausible that is …")));
    else summary.replaceChildren(h("p.muted", {}, "All cells are open: these are the columns by themselves. Fix one to ask."));
  }

  function judged(answer) {
    if (!answer.together || !given.size) return;
    const least = 2 / (answer.draws + 1) * 1.01;
    const say = (share) => (share <= least ? `at most 1 in ${Math.round(answer.draws / 2)}` : `${short(+(100 * share).toPrecision(2))} %`);
    const one = given.size === 1;
    const odd = Object.entries(answer.cells).filter(([, share]) => share < 0.05).sort((a, b) => a[1] - b[1]);
    const words = answer.together < 0.01 ? "hardly plausible" : answer.together < 0.1 ? "unusual" : "plausible";
    summary.replaceChildren(
      h("p", {}, one ? "One cell is fixed. It is " : `${given.size} of ${columns.length} cells are fixed. Together they are `, h("span.big", {}, words),
        `: ${say(answer.together)} of the model's rows are as unusual in ${one ? "it" : "them"}.`),
      one ? "" : odd.length ? h("p", {}, "Surprising, given the others: ", odd.map(([j, share]) =>
        [h("span.chip.odd", {}, `${columns.find((c) => c.j === +j).name}: ${say(share)}`), " "])) : h("p.muted.small", {}, "None of them is surprising given the others."));
    for (const [j, card] of cards) card.odd(j in answer.cells && answer.cells[j] < 0.05);
  }

  function card(column) {
    const margin = margins[column.j], id = unique("cell");
    const plot = h("div"), said = h("div.said"), box = h("div.card.column");
    const open = h("button.link", { type: "button", hidden: true, "aria-label": `Open ${column.name}`, onclick: () => { given.delete(column.j); draw(); } }, "open");
    let control, range = null, hint = "";
    const changed = () => { set(column, column.input === "number" && control.value !== "" ? +control.value : control.value); later(); };
    if (column.input === "choice") {
      control = choice([["", "open"], ...column.choices.map((text) => [text, text])]);
      control.addEventListener("change", changed);
    } else {
      const low = margin.edges[0], high = margin.edges[margin.edges.length - 1];
      control = h("input", { type: column.input === "number" ? "number" : "text", step: "any", placeholder: "open" });
      control.addEventListener("input", () => { if (control.validity.valid) changed(); if (range && control.value !== "") range.value = control.value; });
      if (column.input === "number") {
        const step = column.whole ? 1 : (high - low) / 200;
        range = h("input", { type: "range", min: column.whole ? Math.ceil(low) : low, max: high, step: step || 1, "aria-label": `${column.name}, by a slider` });
        range.value = (low + high) / 2;
        range.addEventListener("input", () => { control.value = short(+range.value); changed(); });
      }
    }
    control.id = id;
    box.append(h("div.top", {}, h("label", { htmlFor: id, title: column.kind }, column.name), open), plot, said,
      range ? h("div.pair", {}, range, control) : control);
    const made = {
      box,
      draw(own) {
        const now = given.get(column.j);
        box.classList.toggle("is-fixed", Boolean(now));
        box.classList.remove("is-odd");
        open.hidden = !now;
        if (!now && control.value !== "" && document.activeElement !== control) control.value = "";
        if (now && document.activeElement !== control && String(control.value) !== String(now.cell)) control.value = now.cell;
        if (now && range && now.place !== null && document.activeElement !== range) range.value = now.place;
        if (!now && range && own?.ends && document.activeElement !== range) range.value = own.ends[1];
        if (now || own) plot.replaceChildren(distribution(column, margin, now ? null : own, now?.place));
        else if (!plot.firstChild) plot.replaceChildren(distribution(column, margin, null, null));
        if (now) said.textContent = "fixed";
        else if (own?.texts) said.textContent = `${own.texts[1]}  (${own.texts[0]} … ${own.texts[2]})`;
        else if (own && column.choices) {
          const best = own.shares.map((share, k) => [share, k]).sort((a, b) => b[0] - a[0]).slice(0, 3);
          said.textContent = best.filter(([share]) => share > 0).map(([share, k]) => `${column.choices[k]} ${Math.round(100 * share)} %`).join(", ");
        } else said.textContent ||= axisTexts(column, margin.edges);
      },
      odd: (is) => box.classList.toggle("is-odd", is),
      suggest: (cell) => { if (column.input !== "choice") control.placeholder = cell; },
    };
    return made;
  }

  post("/api/ask/form", { model: model.name }).then((form) => {
    if (!form) return;
    ({ columns, margins } = form);
    for (const column of columns) {
      const made = card(column);
      cards.set(column.j, made);
      grid.append(made.box);
    }
    draw();
  }).catch(failed);
}
