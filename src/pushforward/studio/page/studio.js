// The page: which models are open, which tabs each has, and the tab that is shown.

import { post } from "./wire.js";
import { failed, h, say } from "./dom.js";
import * as samples from "./samples.js";
import * as ask from "./ask.js";
import * as mix from "./mix.js";
import * as edit from "./edit.js";
import * as refine from "./refine.js";
import * as strange from "./strange.js";
import * as compare from "./compare.js";

const TABS = { samples, ask, mix, edit, refine, strange, compare };
const studio = { models: [], model: null, tab: null, picked: {} };
const panels = new Map();

history.replaceState(null, "", location.pathname + location.hash); // the token is in a cookie now

function facts(model) {
  const parts = [model.class];
  if (model.shape) parts.push(`images of ${model.shape[1]} × ${model.shape[2]}` + (model.shape[0] > 1 ? " in colour" : ""));
  if (model.columns) parts.push(`${model.columns} columns`);
  if (model.data) parts.push(`${model.data.toLocaleString("en")} ${model.kind === "images" ? "images" : "rows"} of ${model.source.split("/").pop()}`);
  return parts.join(" · ");
}

function showTabs() {
  const list = document.getElementById("tabs");
  const there = Object.keys(TABS).filter((tab) => studio.model.tabs[tab].reason === null);
  list.replaceChildren(...there.map((tab) => h("button", {
    type: "button", role: "tab", id: `tab-${tab}`, "aria-controls": "panel",
    "aria-selected": String(tab === studio.tab), tabIndex: tab === studio.tab ? 0 : -1,
    onclick: () => show(tab), onkeydown: (event) => move(event, there, tab),
  }, studio.model.tabs[tab].title)));
  return there;
}

function move(event, there, tab) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = there[(there.indexOf(tab) + step + there.length) % there.length];
  show(next);
  document.getElementById(`tab-${next}`).focus();
  event.preventDefault();
}

function show(tab) {
  studio.tab = tab;
  const there = showTabs();
  if (!there.includes(tab)) return there.length ? show(there[0]) : nothing();
  history.replaceState(null, "", `#${tab}`);
  document.getElementById(`tab-${tab}`).scrollIntoView({ block: "nearest", inline: "nearest" });
  const panel = document.getElementById("panel");
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", `tab-${tab}`);
  const key = `${studio.model.name}\n${tab}`;
  if (!panels.has(key)) {
    const made = h("div");
    const about = studio.model.tabs[tab].about;
    made.append(h("p.about", {}, about[0].toUpperCase() + about.slice(1) + "."));
    if (studio.model.note) made.append(h("p.note", {}, `The data do not suit this model: ${studio.model.note}`));
    panels.set(key, { made, ...TABS[tab].build(made, studio, studio.model) });
  }
  const { made, shown } = panels.get(key);
  panel.replaceChildren(made);
  shown?.();
}

function nothing() {
  const reasons = Object.values(studio.model.tabs).map((tab) => h("li", {}, `${tab.title}: ${tab.reason}`));
  document.getElementById("panel").replaceChildren(h("p", {}, "There is nothing to show of this model here."), h("ul", {}, reasons));
}

function choose(name) {
  studio.model = studio.models.find((model) => model.name === name);
  document.getElementById("model").value = name;
  document.getElementById("facts").textContent = facts(studio.model);
  show(studio.tab in TABS ? studio.tab : "samples");
}

// Ask anew what is open, as after a refinement, and show a model and a tab of it.
studio.open = async (name, tab) => {
  const found = await post("/api/studio", {});
  studio.models = found.models;
  const select = document.getElementById("model");
  select.replaceChildren(...studio.models.map((model) => h("option", { value: model.name }, model.name)));
  select.onchange = () => choose(select.value);
  if (tab) studio.tab = tab;
  choose(name ?? studio.models[0].name);
};

// Take an image to another tab.
studio.take = (image, tab, place) => {
  studio.picked[studio.model.name] = { ...studio.picked[studio.model.name], [place]: image };
  show(tab);
};

studio.tab = location.hash.slice(1) || "samples";
studio.open().then(() => say(""), (error) => {
  document.getElementById("panel").replaceChildren(h("p.note", {}, error.message));
  failed(error);
});
