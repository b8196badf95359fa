// Small pieces of a page: elements, fields, sliders, tables. All text is set as text.

let count = 0;
export const unique = (word) => `${word}-${++count}`;

export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function field(name, control, hint) {
  control.id ||= unique("field");
  const label = h("label", { htmlFor: control.id }, name);
  if (!hint) return h("div.field", {}, label, control);
  const note = h("span.small.muted", { id: unique("hint") }, hint);
  control.setAttribute("aria-describedby", note.id);
  return h("div.field", {}, label, control, note);
}

export const number = (value, low, high, step = 1) =>
  h("input", { type: "number", value, min: low, max: high, step, inputMode: "decimal" });

export function choice(options, value) {
  const made = options.map(([key, text]) => h("option", { value: key }, text));
  const select = h("select", {}, made);
  if (value !== undefined) select.value = value;
  return select;
}

export function checkbox(text, checked, change) {
  const box = h("input", { type: "checkbox", checked, onchange: () => change?.(box.checked) });
  return { box, row: h("label.check", {}, box, text) };
}

export function radio(legend, options, value, change) {
  const name = unique("radio");
  const labels = options.map(([key, text]) =>
    h("label", {}, h("input", {
      type: "radio", name, value: key, checked: key === value, onchange: () => change(key),
    }), h("span", {}, text)));
  return h("fieldset", {}, h("legend", {}, legend), h("div.radio", {}, labels));
}

export function slider(name, { low, high, step, value, change, remove, format = (x) => x.toFixed(2) }) {
  const id = unique("slider");
  const output = h("output", { htmlFor: id }, format(value));
  const input = h("input", { type: "range", id, min: low, max: high, step, value });
  input.addEventListener("input", () => {
    output.textContent = format(+input.value);
    change(+input.value);
  });
  const row = h("div.slider", {}, h("label", { htmlFor: id }, name), input, output,
    remove ? h("button.link", { type: "button", "aria-label": `Remove ${name}`, onclick: remove }, "remove") : h("span"));
  const set = (x) => { input.value = x; output.textContent = format(x); };
  return { row, input, set };
}

export function table(names, rows, { caption, className = "", cell, row } = {}) {
  const body = rows.map((values, i) => {
    const line = h("tr", {}, values.map((value, k) => {
      const td = h("td", {}, value instanceof Node ? value : String(value ?? ""));
      cell?.(td, i, k);
      return td;
    }));
    row?.(line, i);
    return line;
  });
  const head = h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
  return h("div.scroll", { tabIndex: 0, role: "region", "aria-label": caption || "Table" },
    h(`table${className}`, {}, head, h("tbody", {}, body)));
}

let timer = 0;
export function say(text) {
  const status = document.getElementById("status");
  status.replaceChildren(...(text ? [h("p", {}, text)] : []));
  clearTimeout(timer);
  if (text) timer = setTimeout(() => status.replaceChildren(), 7000);
}
export const failed = (error) => say(error.message || String(error));

export const button = (text, act, first = false) =>
  h(first ? "button.first" : "button", { type: "button", onclick: () => Promise.resolve(act()).catch(failed) }, text);

export function download(address, text) {
  return h("a", { href: address, download: "" }, text);
}

export const short = (x) => {
  if (x === null || x === undefined) return "";
  const size = Math.abs(x);
  if (x === Math.round(x) && size < 1e6) return String(x);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) return x.toExponential(2).replace("e+", "e");
  return String(+x.toPrecision(4));
};

export const bitsText = (bits) => (bits === null || bits === undefined ? "" : `${bits.toFixed(3)} bits/dim`);

export function once(act, wait = 200) {
  let waiting = 0;
  return (...given) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => act(...given), wait);
  };
}
