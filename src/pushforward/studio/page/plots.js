// Plots: histograms, curves and intervals as SVG, pairs of columns on canvases.

import { h, s, short } from "./dom.js";

const W = 240, H = 64, PAD = 13;
const wide = (most) => Math.max(240, Math.min(most, innerWidth - 70)); // so that text keeps its size

// The distribution of a column: what it is by itself, and given the fixed cells.
export function distribution(column, margin, own, fixed) {
  const label = `Distribution of ${column.name}` + (own?.texts ? `: median ${own.texts[1]}` : "");
  const svg = s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label, preserveAspectRatio: "none" });
  const { edges, shares } = margin;
  const low = edges[0], high = edges[edges.length - 1];
  const x = (value) => ((Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * W;
  const top = Math.max(...shares, ...(own ? own.shares : [0]), 1e-9);
  const bars = (values, kind) => values.forEach((share, k) => {
    const height = (share / top) * (H - PAD - 3);
    if (height > 0.2) svg.append(s("rect", {
      class: kind, x: x(edges[k]) + 0.5, y: H - PAD - height,
      width: Math.max(0.8, x(edges[k + 1]) - x(edges[k]) - 1), height,
    }));
  });
  bars(shares, "margin");
  if (own) bars(own.shares, "own");
  if (own?.ends) {
    const y = H - PAD;
    svg.append(s("line", { class: "band", x1: x(own.ends[0]), x2: x(own.ends[2]), y1: y, y2: y }));
    svg.append(s("line", { class: "mid", x1: x(own.ends[1]), x2: x(own.ends[1]), y1: y - 5, y2: y + 3 }));
  }
  if (fixed !== null && fixed !== undefined)
    svg.append(s("line", { class: "mark", x1: x(fixed), x2: x(fixed), y1: 2, y2: H - PAD }));
  return svg;
}

export function axisTexts(column, edges) {
  if (column.choices) return column.choices.slice(0, 4).join(" · ") + (column.choices.length > 4 ? " …" : "");
  if (column.ticks) return `${column.ticks[0][1]} – ${column.ticks[column.ticks.length - 1][1]}`;
  return `${short(edges[0])} – ${short(edges[edges.length - 1])}`;
}

// Counts of scores with a threshold and some marked values.
export function histogram({ edges, counts, threshold, marks = [], name }) {
  const width = wide(640), height = 130, pad = 20;
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Histogram: ${name}` });
  const low = edges[0], high = edges[edges.length - 1];
  const x = (value) => ((Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * width;
  const top = Math.max(...counts, 1);
  counts.forEach((count, k) => {
    const tall = (count / top) * (height - pad - 6);
    if (count) svg.append(s("rect", { class: "own", x: x(edges[k]) + 0.5, y: height - pad - tall,
      width: Math.max(1, x(edges[k + 1]) - x(edges[k]) - 1), height: tall }));
  });
  for (const mark of marks)
    svg.append(s("circle", { class: "sampled", cx: Math.max(4, Math.min(width - 4, x(mark))), cy: height - pad - 4, r: 3.5 }));
  if (threshold !== null && threshold !== undefined)
    svg.append(s("line", { class: "limit", x1: x(threshold), x2: x(threshold), y1: 0, y2: height - pad }));
  for (const share of width < 480 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]) {
    const at = s("text", { x: share * width, y: height - 6, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" });
    at.textContent = short(low + share * (high - low));
    svg.append(at);
  }
  return svg;
}

// Lines over percentiles.
export function curves(named, name) {
  const width = wide(460), height = 190, left = 40, pad = 22;
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
  const all = Object.values(named).flatMap((line) => line.slice(3, -3));
  let low = Math.min(...all), high = Math.max(...all);
  if (high - low < 1e-9) [low, high] = [low - 1, high + 1];
  const y = (value) => 6 + (1 - (Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * (height - pad - 6);
  for (const share of [0, 0.5, 1]) {
    const value = low + share * (high - low);
    svg.append(s("line", { class: "line", x1: left, x2: width, y1: y(value), y2: y(value) }));
    const text = s("text", { x: left - 5, y: y(value) + 3, "text-anchor": "end" });
    text.textContent = short(+value.toFixed(2));
    svg.append(text);
  }
  for (const [key, values] of Object.entries(named)) {
    const points = values.map((value, k) => `${left + (k / (values.length - 1)) * (width - left)},${y(value)}`);
    svg.append(s("polyline", { class: `curve c-${key}`, points: points.join(" ") }));
  }
  for (const [share, text] of [[0, "0 %"], [0.5, "percentile 50 %"], [1, "100 %"]]) {
    const at = s("text", { x: left + share * (width - left), y: height - 6, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" });
    at.textContent = text;
    svg.append(at);
  }
  return svg;
}

// Intervals of one measure, a line a model.
export function interval(value, ends, low, high, best) {
  const width = 200, height = 22;
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width: 200, height: 22, "aria-hidden": "true" });
  const x = (at) => 6 + ((at - low) / (high - low || 1)) * (width - 12);
  svg.append(s("line", { class: "line", x1: 0, x2: width, y1: 11, y2: 11 }));
  if (ends) svg.append(s("line", { class: "band", x1: x(ends[0]), x2: x(ends[1]), y1: 11, y2: 11 }));
  svg.append(s("circle", { class: best ? "dot best" : "dot", cx: x(value), cy: 11, r: 4.5 }));
  return svg;
}

function axis(column, layers) {
  if (column.choices) return [-0.6, Math.max(0.6, column.choices.length - 0.4)];
  let values = layers.flatMap((places) => places[column.j] || []).filter((value) => value !== null);
  values = values.sort((a, b) => a - b);
  let low = values[Math.floor(0.005 * values.length)] ?? 0, high = values[Math.ceil(0.995 * (values.length - 1))] ?? 1;
  if (column.whole) return [low - 0.5, high + 0.5];
  const pad = 0.05 * (high - low) || Math.abs(high) * 0.1 || 1;
  return [low - pad, high + pad];
}

// Even in the plane (the sequence R2), so that two columns of whole numbers show no lines.
const jitter = (k, share) => (((k * share) % 1) - 0.5) * 0.44;

// Pairs of columns: points below the diagonal, histograms on it.
// layers: [{ places, colour, name }], drawn in their order; chosen: a row of the last.
export function pairs(columns, layers) {
  const n = columns.length;
  const grid = h("div.pairs", { role: "img", "aria-label": `Pairs of ${columns.map((c) => c.name).join(", ")}` });
  grid.style.gridTemplateColumns = `repeat(${n}, minmax(0, 1fr))`;
  const ranges = columns.map((column) => axis(column, layers.map((layer) => layer.places)));
  const cells = [];
  columns.forEach((across, i) => columns.forEach((down, j) => {
    if (j > i) { grid.append(h("div")); return; }
    const canvas = h("canvas");
    grid.append(canvas);
    cells.push({ canvas, i, j });
  }));
  columns.forEach((column) => grid.append(h("div.name", { title: column.name }, column.name)));
  let chosen = null;
  function draw() {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink");
    for (const { canvas, i, j } of cells) {
      const side = Math.round(canvas.clientWidth * devicePixelRatio) || 120;
      canvas.width = canvas.height = side;
      const brush = canvas.getContext("2d"), [xl, xh] = ranges[j], [yl, yh] = ranges[i];
      const X = (v) => ((v - xl) / (xh - xl)) * side, Y = (v) => (1 - (v - yl) / (yh - yl)) * side;
      const shares = i === j ? layers.map((layer) => binned(layer.places[columns[j].j] || [], columns[j], xl, xh)) : [];
      const top = Math.max(...shares.flat(), 1e-9); // one scale: the bars of layers are compared
      for (const [k, layer] of layers.entries()) {
        const colour = style.getPropertyValue(layer.colour), xs = layer.places[columns[j].j] || [];
        brush.fillStyle = brush.strokeStyle = colour;
        if (i === j) { bars(brush, shares[k], top, columns[j], xl, xh, side, k === layers.length - 1); continue; }
        const ys = layer.places[columns[i].j] || [];
        brush.globalAlpha = 0.5;
        xs.forEach((v, k) => {
          if (v === null || ys[k] === null || ys[k] === undefined) return;
          const px = X(v + (columns[j].choices || columns[j].whole ? jitter(k, 0.7548776662) : 0));
          const py = Y(ys[k] + (columns[i].choices || columns[i].whole ? jitter(k, 0.569840291) : 0));
          brush.fillRect(px - side / 110, py - side / 110, side / 55, side / 55);
        });
        brush.globalAlpha = 1;
      }
      const places = layers[layers.length - 1].places;
      if (chosen !== null && i !== j && places[columns[j].j][chosen] !== null && places[columns[i].j][chosen] !== null) {
        brush.strokeStyle = ink;
        brush.lineWidth = 2 * devicePixelRatio;
        brush.beginPath();
        brush.arc(X(places[columns[j].j][chosen]), Y(places[columns[i].j][chosen]), side / 22, 0, 7);
        brush.stroke();
      }
    }
  }
  const watch = new ResizeObserver(draw);
  watch.observe(grid);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => grid.isConnected && draw());
  return { grid, choose: (row) => { chosen = row; draw(); } };
}

// The edges of the first and the last bar of a column, and how many bars there are.
function barEdges(column, low, high) {
  const each = column.whole ? Math.ceil((high - low) / 18) : (high - low) / 18; // as many whole numbers in every bar
  const bins = column.choices ? column.choices.length : Math.ceil((high - low) / each - 1e-9);
  return column.choices ? [bins, -0.5, bins - 0.5] : [bins, low, low + bins * each];
}

// The share of the values that are there in each bar.
function binned(values, column, low, high) {
  const [bins, a, b] = barEdges(column, low, high), there = values.filter((value) => value !== null);
  const shares = new Array(bins).fill(0);
  for (const value of there) shares[Math.min(bins - 1, Math.max(0, Math.floor(((value - a) / (b - a)) * bins)))] += 1 / there.length;
  return shares;
}

function bars(brush, shares, top, column, low, high, side, last) {
  const [bins, a, b] = barEdges(column, low, high);
  const X = (value) => ((value - low) / (high - low)) * side;
  brush.lineWidth = 1.6 * devicePixelRatio;
  shares.forEach((share, k) => {
    const x = X(a + (k / bins) * (b - a)), width = X(a + ((k + 1) / bins) * (b - a)) - x, tall = (share / top) * side * 0.86;
    brush.globalAlpha = last ? 1 : 0.35;
    if (last) brush.strokeRect(x + 1, side - tall, width - 2, tall + 3);
    else brush.fillRect(x + 1, side - tall, width - 2, tall);
  });
  brush.globalAlpha = 1;
}
