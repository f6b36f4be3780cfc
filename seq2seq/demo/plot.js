// What all of the page's own components share. Gradio runs this and a component's script as one function, once, with
// `element`, `props`, `trigger` and `watch`, after a line with THEMES. Text is only ever set as text, never as markup.

const PLOT_CONFIG = { displayModeBar: false, displaylogo: false, showSendToCloud: false, responsive: false };

const isDark = () => document.body.classList.contains("dark");

const onStage = () => document.body.classList.contains("presenting"); // see present.js

// Tells Gradio of an event. While an answer is awaited its page keeps the next question back, and then asks it with what came
// with the first. So all that comes with one event is one object, and says the latest.
const latest = {};
function report(event, data) {
  latest[event] = Object.assign(latest[event] || {}, data);
  trigger(event, latest[event]);
}

// Black or white, whichever stands out more on [r, g, b] (WCAG 2 relative luminance; they are equal at 0.179).
function readable(colour) {
  const linear = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

const make = (tag, className, parent) => {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
};

// A text of this script in the page's language (see visitor.js), filled with values; and numbers as that language writes them.
const translated = (text, values = {}) =>
  ((window.lensTexts || {})[text] || text).replace(/{(\w+)}/g, (_, name) => values[name]);
const number = (value, digits) =>
  value.toLocaleString(document.documentElement.lang, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  });
const percent = (share, digits = 0) => translated("{percent} %", { percent: number(100 * share, digits) });

// Shows what a view says instead of its body, if it only says something. Whether there is a body to draw.
function present(view, message, body) {
  message.textContent = (view && view.message) || "";
  message.hidden = !message.textContent;
  body.hidden = !view || Boolean(view.message);
  follow(view, body);
  return !body.hidden;
}

// A view may carry the link to itself, which `present.js` puts into the address bar and shares. One without it, as the answer
// to a question about a sentence has it, keeps the last one; a message has none, and an unfinished translation has none yet.
function follow(view, body) {
  if (!view || !("link" in view || view.message || view.growing)) return;
  const [link, growing] = [view.link || "", Boolean(view.growing)];
  if (body.dataset.link === link && body.dataset.growing === String(growing)) return;
  Object.assign(body.dataset, { link, growing });
  body.dispatchEvent(new CustomEvent("lens-link", { bubbles: true, detail: { asked: Boolean(view.play), growing } }));
}

// A place that screen readers read out when its text changes, and nobody sees.
function announcer(parent) {
  const place = make("p", "lens-said", parent);
  place.setAttribute("role", "status");
  return (text) => {
    if (place.textContent !== text) place.textContent = text;
  };
}

function fillList(list, texts) {
  list.replaceChildren();
  texts.forEach((text) => (make("li", "", list).textContent = text));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Where a pointer is on a square drawing that is `side` units wide, in those units from its top left.
function pointOn(node, side, event) {
  const box = node.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top].map((way) => (way * side) / box.width);
}

// A copy of a figure with the theme's colours where it names them, as "theme:text"; the twin of figures.painted.
function painted(figure) {
  const theme = THEMES[isDark() ? "dark" : "light"];
  const replace = (_, part) => (typeof part === "string" && part.startsWith("theme:") && theme[part.slice(6)]) || part;
  return JSON.parse(JSON.stringify(figure, replace));
}

// Plotly calls wait for one another. A newer call replaces a waiting one, so a slow machine skips frames, not time.
function plotQueue() {
  let drawing = null;
  let waiting = null;
  const next = () => {
    const now = waiting;
    waiting = null;
    drawing = now && now().catch(console.error).then(next);
  };
  return {
    busy: () => Boolean(waiting),
    add: (call) => {
      waiting = call;
      if (!drawing) next();
    },
  };
}

// Puts `root` into the page and calls `render` now and whenever the value, the theme or the width of `box` changes.
function mount(root, render, box) {
  const draw = () => {
    const home = element.querySelector(".lens");
    if (root.parentElement !== home) home.replaceChildren(root);
    render();
  };
  watch("value", draw);
  draw();
  let size = "";
  new ResizeObserver(() => {
    // Also fires when a hidden tab is shown. A chart's own growth changes the height only, and on a stage, where the picture
    // fits its place, not even that.
    const now = onStage() ? `${box.clientWidth} ${box.clientHeight}` : `${box.clientWidth}`;
    if (box.clientWidth && now !== size) {
      size = now;
      draw();
    }
  }).observe(box);
  new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
