// Ask: a form made of the columns; fix some cells and see the distributions of the others.

import { newest, post } from "./wire.js";
import { button, choice, failed, h, number, once, short, table, unique } from "./dom.js";
import { axisTexts, distribution } from "./plots.js";

// A value as one types it, or a range: 40..60, 40.., >= 40, < 60.
const NUMBER = "[-+]?(\\d+\\.?\\d*|\\.\\d+)(e[-+]?\\d+)?";
const ONE = new RegExp(`^\\s*${NUMBER}\\s*$`, "i");
const RANGE = new RegExp(`^\\s*((>=|<=|≥|≤|>|<)\\s*${NUMBER}|(${NUMBER})?\\s*\\.\\.\\s*${NUMBER}|${NUMBER}\\s*\\.\\.)\\s*$`, "i");
const isRange = (cell) => /\.\.|^\s*[<>≤≥]/.test(cell);

export function build(panel, studio, model) {
  const predicts = model.kind === "prediction";
  const given = new Map(), cards = new Map();
  let columns = [], margins = {}, waiting = 0, targetCard = null;
  const summary = h("div.stack"), target = h("div"), grid = h("div.columns"), completed = h("div");
  const begins = model.data ? "Begin with this row of the data" : predicts ? null : "Begin with a sampled row";
  const rowNumber = number(0, 0, 1e9);
  rowNumber.setAttribute("aria-label", "Row to begin with");
  rowNumber.style.width = "7rem";
  panel.append(
    h("div.card.stack", {}, h("div.row", {},
      button("Open all", () => { given.clear(); draw(); }),
      begins ? [button(begins, begin), rowNumber] : null), summary, target),
    h("p"),
    h("div.legend", {}, h("span.is-margin", {}, predicts && !model.data ? "not known by itself" : "by itself"),
      h("span.is-real", {}, "given the fixed cells, with median and 90 % interval"), h("span.is-fixed", {}, predicts ? "fixed, or what the row has" : "fixed"),
      h("span.plain", {}, predicts ? "" : "A field of numbers or dates takes a value or a range: 40..60, >= 40.")),
    h("p"), grid);
  if (!predicts) panel.append(h("p"), h("div.card", {}, h("h2", {}, "Completed rows"), completed));

  const plausibility = newest("/api/ask/plausibility", (answer) => judged(answer), failed);
  const request = newest("/api/ask/answer", (answer) => {
    busy(false);
    if (answer.preparing) {
      summary.replaceChildren(h("p", { role: "status" }, "The model gets ready to answer: once, some seconds for tables of many columns …"));
      clearTimeout(waiting);
      waiting = setTimeout(() => request(body()), 700);
      return;
    }
    shown(answer);
    if (given.size) plausibility(body());
  }, (error) => {
    busy(false);
    summary.replaceChildren(h("p.note", {}, error.message));
    targetCard?.draw(null);
  });

  const body = () => ({ model: model.name, given: Object.fromEntries([...given].map(([j, value]) => [j, value.cell])) });

  function draw() {
    for (const card of cards.values()) card.draw(null);
    busy(true);
    summary.replaceChildren(h("p.muted", {}, given.size ? "Asking …" : nothingFixed()));
    request(body());
  }
  const later = once(draw, 60);
  function busy(is) { for (const part of [grid, target]) part.classList.toggle("busy", is); }
  const nothingFixed = () => (predicts ? `All cells are open. Fix some to predict ${targetCard?.column.name}.`
    : "All cells are open: these are the columns by themselves. Fix one to ask.");

  async function begin() {
    const answer = await post("/api/ask/row", { model: model.name, row: +rowNumber.value || 0 });
    if (!answer) return;
    given.clear();
    const known = columns.filter((column) => answer.cells[column.j] !== undefined);
    const first = predicts ? known.length : Math.max(1, Math.min(known.length - 1, 3));
    for (const column of known.slice(0, first)) set(column, answer.cells[column.j]);
    for (const column of known) cards.get(column.j).suggest(answer.cells[column.j]);
    targetCard?.has(answer.target);
    draw();
  }

  function set(column, cell) {
    if (cell === "" || cell === null) given.delete(column.j);
    else given.set(column.j, { cell, range: !column.choices && isRange(String(cell)), place: column.choices ? column.choices.indexOf(String(cell)) : Number.isFinite(+cell) ? +cell : null });
  }

  function shown(answer) {
    for (const [j, card] of cards) card.draw(answer.columns[j] ?? null);
    if (predicts) {
      targetCard.draw(answer.target);
      summary.replaceChildren(answer.note ? h("p.note", {}, answer.note) :h("p.muted", {}, given.size ? `${counted()} fixed.` : nothingFixed()));
      return;
    }
    const names = answer.rows.names, fixed = new Set([...given.keys()].map((j) => columns.find((c) => c.j === j).name));
    completed.replaceChildren(table(names, answer.rows.rows, {
      caption: "Completed rows", cell: (td, i, k) => fixed.has(names[k]) && td.classList.add("fixed"),
    }));
    if (given.size) summary.replaceChildren(h("p", {}, `${counted()} fixed. `, h("span.muted", {}, "Looking how plausible that is …")));
    else summary.replaceChildren(h("p.muted", {}, nothingFixed()));
  }
  const counted = () => (given.size === 1 ? "One cell is" : `${given.size} of ${columns.length} cells are`);

  function judged(answer) {
    if (!given.size) return;
    if (predicts) return targetCard.reasons(answer.reasons);
    const nameOf = (j) => columns.find((column) => column.j === +j).name;
    const count = (worth) => (worth < 1.5 ? "one draw" : `${Math.round(worth)} draws`);
    const percent = (share) => `${short(+(100 * share).toPrecision(2))} %`;
    const ranges = Object.entries(answer.ranges), lines = [];
    if (answer.together !== null) {
      const least = 2 / (answer.draws + 1) * 1.01;
      const say = (share) => (share <= least ? `at most 1 in ${Math.round(answer.draws / 2)}` : percent(share));
      const fixed = Object.keys(answer.cells).length, one = fixed === 1;
      const odd = Object.entries(answer.cells).filter(([, share]) => share < 0.05).sort((a, b) => a[1] - b[1]);
      const words = answer.together < 0.01 ? "hardly plausible" : answer.together < 0.1 ? "unusual" : "plausible";
      lines.push(h("p", {}, one ? "One cell is fixed. It is " : `${fixed} of ${columns.length} cells are fixed. Together they are `, h("span.big", {}, words),
        `: ${say(answer.together)} of the model's rows${ranges.length > 1 ? " in the ranges" : ranges.length ? " in the range" : ""} are as unusual in ${one ? "it" : "them"}.`));
      if (odd.length) lines.push(h("p", {}, "Surprising, given the others: ", odd.map(([j, share]) => [h("span.chip.odd", {}, `${nameOf(j)}: ${say(share)}`), " "])));
      else if (!one) lines.push(h("p.muted.small", {}, "None of them is surprising given the others."));
    }
    if (ranges.length) {
      const rare = (share) => (share ? percent(share) : "none of the draws");
      lines.push(h("p", {}, "Of the model's rows ", h("span.big", {}, rare(answer.inside)), ` ${ranges.length > 1 ? "are in all ranges" : "are in the range"}. `,
        given.size > 1 ? h("span.muted", {}, `Given the others: ${ranges.map(([j, share]) => `${nameOf(j)}: ${rare(share)}`).join(", ")}.`) : ""));
    }
    if (answer.worth !== null && answer.worth < 20) lines.push(h("p.note", {},
      `The model has hardly any rows like that: what is shown rests on about ${count(answer.worth)}, and is rough.`));
    summary.replaceChildren(...lines);
    for (const [j, card] of cards) card.odd(j in answer.cells && answer.cells[j] < 0.05);
  }

  function card(column) {
    const margin = margins[column.j], id = unique("cell");
    const plot = h("div"), said = h("div.said"), box = h("div.card.column");
    const open = h("button.link", { type: "button", hidden: true, "aria-label": `Open ${column.name}`, onclick: () => { given.delete(column.j); draw(); } }, "open");
    let control, range = null, hint = "";
    const changed = () => { set(column, control.value); later(); };
    if (column.input === "choice") {
      control = choice([["", "open"], ...column.choices.map((text) => [text, text])]);
      control.addEventListener("change", changed);
    } else {
      const low = margin.edges[0], high = margin.edges[margin.edges.length - 1];
      control = h("input", { type: "text", placeholder: "open", autocomplete: "off" });
      control.addEventListener("input", () => {
        const text = control.value, fits = column.input === "text" || text === "" || ONE.test(text) || (!predicts && RANGE.test(text));
        control.setAttribute("aria-invalid", String(!fits));
        if (fits) changed();
        if (range && ONE.test(text)) range.value = text;
      });
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
        if (!now && control.value !== "" && document.activeElement !== control) { control.value = ""; control.removeAttribute("aria-invalid"); }
        if (now && document.activeElement !== control && String(control.value) !== String(now.cell)) control.value = now.cell;
        if (now && range && now.place !== null && !now.range && document.activeElement !== range) range.value = now.place;
        if (!now && range && own?.ends && document.activeElement !== range) range.value = own.ends[1];
        const fixed = now && !now.range;
        if (now || own) plot.replaceChildren(distribution(column, margin, fixed ? null : own, fixed ? now.place : null));
        else if (!plot.firstChild || predicts) plot.replaceChildren(distribution(column, margin, null, null));
        if (fixed) said.textContent = "fixed";
        else if (own) said.textContent = (now ? "in the range " : "") + told(column, own);
        else if (predicts || !said.textContent) said.textContent = axisTexts(column, margin.edges);
      },
      odd: (is) => box.classList.toggle("is-odd", is),
      suggest: (cell) => { if (column.input !== "choice") control.placeholder = cell; },
    };
    return made;
  }

  // The column that a predictor predicts: wider, without a field
  function predicted({ fact: column, margin }) {
    const plot = h("div"), said = h("p.big", {}, ""), row = h("p.muted.small", { hidden: true }), why = h("p.small", {}, "");
    let real = null;
    target.append(h("div.target", {}, h("h2", {}, `Predicted: ${column.name}`), said, plot, row, why));
    return {
      column,
      has(value) { real = value; },
      draw(own) {
        plot.replaceChildren(distribution(column, margin, own, own ? real?.place : null));
        said.textContent = own ? told(column, own) : "…";
        row.hidden = !real || !own;
        row.textContent = real ? `The row of the data has ${real.text}.` : "";
        if (!own) why.replaceChildren();
      },
      reasons(found) {
        why.replaceChildren(...(found.length ? ["Moved most by ", ...found.map((one) => [h("span.chip", {}, `${one.column} ${one.text}`), " "]).flat(),
          h("span.muted", {}, column.choices ? "in probability of the most probable." : "from the usual.")] : []));
      },
    };
  }

  post("/api/ask/form", { model: model.name }).then((form) => {
    if (!form) return;
    ({ columns, margins } = form);
    if (predicts) targetCard = predicted(form.target);
    for (const column of columns) {
      const made = card(column);
      cards.set(column.j, made);
      grid.append(made.box);
    }
    if (predicts && begins) begin().catch(failed);
    else draw();
  }).catch(failed);
}

// A distribution in words: its median and interval, or its likeliest choices.
function told(column, own) {
  if (own.texts) return `${own.texts[1]}  (${own.texts[0]} … ${own.texts[2]})`;
  const best = own.shares.map((share, k) => [share, k]).sort((a, b) => b[0] - a[0]).slice(0, 3);
  return best.filter(([share]) => share > 0).map(([share, k]) => `${column.choices?.[k] ?? "other"} ${Math.round(100 * share)} %`).join(", ");
}
