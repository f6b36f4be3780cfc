// A scene to be composed (see scene_editor.py). Every object stays within its own place of the grid, as in all scenes that the
// models know: dragged to a free place it goes there. Runs after plot.js.

const SVG = "http://www.w3.org/2000/svg";
const AFTER_KEYS = 500; // milliseconds without a key, and the scene is sent

const root = document.createElement("div");
const help = make("p", "help", root);
help.textContent = translated(
  "Drag the objects. By keyboard: choose one with Tab, move it to another place with the arrow keys, by a pixel with Shift; Delete takes it away.",
);
const canvas = document.createElementNS(SVG, "svg");
canvas.setAttribute("class", "editor-canvas");
canvas.setAttribute("role", "group");
canvas.setAttribute("aria-label", translated("The scene to compose"));
root.append(canvas);
const tools = make("div", "take-buttons", root);
const said = make("p", "take-said", root);
said.setAttribute("role", "status");

let things = [];
let chosen = 0;
let asked = 0; // the number of the last change made here
let timer = null;
let built = false;
const kinds = {}; // the three lists

const chosenThing = () => things[chosen];
const placeOf = ({ x, y }) => [x, y].map((at) => Math.floor((at * props.value.middles.length) / props.value.pixels));
const named = (thing) => {
  const [column, row] = placeOf(thing);
  return translated("{shape}, {colour}, {size}, {place}", {
    shape: translated(thing.shape), colour: translated(thing.colour), size: translated(thing.size),
    place: translated(props.value.places[props.value.middles.length * row + column]),
  });
};

// The nearest point to (x, y) in a place, at which the object stands wholly within it.
function within(thing, [column, row], x, y) {
  const { middles, sizes } = props.value;
  const loose = middles[0] - sizes[thing.size] / 2;
  const near = (at, middle) => Math.round(Math.max(middle - loose, Math.min(middle + loose, at)));
  return { ...thing, x: near(x, middles[column]), y: near(y, middles[row]) };
}

const taken = (place, but) => things.some((thing, i) => i !== but && String(placeOf(thing)) === String(place));

// Moves the chosen object to (x, y), or as near as it may stand.
function move(x, y) {
  const thing = chosenThing();
  const last = props.value.pixels - 1;
  const there = placeOf({ x: Math.max(0, Math.min(last, x)), y: Math.max(0, Math.min(last, y)) });
  const blocked = taken(there, chosen);
  things[chosen] = within(thing, blocked ? placeOf(thing) : there, x, y);
  draw();
  said.textContent = blocked ? translated("Another object stands there.") : named(chosenThing());
}

function send() {
  clearTimeout(timer);
  asked += 1;
  // In a page that asks for nothing new the answer to an older change must not undo this one.
  report("compose", { code: things.map((t) => `${t.size} ${t.colour} ${t.shape} ${t.x} ${t.y}`).join(", "), asked });
}

function sendSoon() {
  clearTimeout(timer);
  timer = setTimeout(send, AFTER_KEYS);
}

const drawn = (tag, values, parent) => {
  const node = document.createElementNS(SVG, tag);
  Object.entries(values).forEach(([name, value]) => node.setAttribute(name, value));
  parent.append(node);
};

// The frame of an object and the object, around the point 0, 0.
function fill(node, { size, colour, shape }) {
  const { sizes, corners, colours } = props.value;
  const [side, far] = [sizes[size], sizes[size] / 2];
  const look = { fill: colours[colour] };
  node.replaceChildren();
  drawn("rect", { x: -far - 1, y: -far - 1, width: side + 2, height: side + 2, class: "editor-frame" }, node);
  if (shape === "circle") drawn("circle", { r: far, ...look }, node);
  else if (shape === "square") drawn("rect", { x: -far, y: -far, width: side, height: side, ...look }, node);
  else drawn("polygon", { points: corners[shape].map(([x, y]) => `${x * side - far},${y * side - far}`).join(" "), ...look }, node);
}

// The nodes stay, and so do the focus and the finger that drags one.
function draw() {
  const { pixels, middles } = props.value;
  canvas.setAttribute("viewBox", `0 0 ${pixels} ${pixels}`);
  const nodes = [...canvas.querySelectorAll("g")];
  nodes.slice(things.length).forEach((node) => node.remove());
  const cuts = middles.slice(1).map((_, i) => (pixels * (i + 1)) / middles.length);
  const lines = cuts.map((at) => `M${at} 0V${pixels}M0 ${at}H${pixels}`).join("");
  if (!canvas.querySelector("path")) drawn("path", { d: lines, class: "editor-grid" }, canvas);
  things.forEach((thing, index) => {
    const node = nodes[index] || newNode(index);
    const kind = `${thing.size} ${thing.colour} ${thing.shape}`;
    if (node.dataset.kind !== kind) fill(node, thing);
    node.dataset.kind = kind;
    node.setAttribute("transform", `translate(${thing.x} ${thing.y})`);
    node.setAttribute("aria-label", named(thing));
    node.setAttribute("aria-pressed", String(index === chosen));
  });
  const thing = chosenThing();
  Object.entries(kinds).forEach(([kind, list]) => thing && (list.value = thing[kind]));
}

function newNode(index) {
  const node = document.createElementNS(SVG, "g");
  node.setAttribute("role", "button");
  node.setAttribute("tabindex", "0");
  canvas.append(node);
  let grip = null; // how far from its middle the object was taken
  let before = null; // where it stood
  const at = (event) => pointOn(canvas, props.value.pixels, event);
  node.addEventListener("focus", () => choose(index));
  // A finger that takes an object does not scroll the page; beside the objects it does.
  node.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return; // a menu is asked for
    choose(index);
    node.setPointerCapture(event.pointerId);
    const [x, y] = at(event);
    before = node.getAttribute("transform");
    grip = [x - chosenThing().x, y - chosenThing().y];
  });
  node.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const [x, y] = at(event);
    move(x - grip[0], y - grip[1]);
  });
  node.addEventListener("lostpointercapture", () => {
    if (grip && node.getAttribute("transform") !== before) send(); // a click only chooses it
    grip = null;
  });
  node.addEventListener("keydown", (event) => {
    if (event.key === "Delete") remove();
    else if (ARROWS[event.key]) step(ARROWS[event.key], event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return node;
}

function choose(index) {
  chosen = index;
  draw();
}

function step([right, down], fine) {
  const thing = chosenThing();
  const { middles, pixels } = props.value;
  const far = fine ? 1 : pixels / middles.length;
  const [x, y] = [thing.x + right * far, thing.y + down * far];
  if (Math.min(x, y) < 0 || Math.max(x, y) >= pixels) said.textContent = translated("The picture ends here.");
  else move(x, y);
  sendSoon();
}

function add() {
  const { middles, most } = props.value;
  const places = middles.flatMap((_, row) => middles.map((_, column) => [column, row]));
  const free = places.find((place) => !taken(place, -1));
  if (things.length >= most) {
    said.textContent = translated("A scene has no more than {most} objects.", { most });
    return;
  }
  const kind = Object.fromEntries(Object.entries(kinds).map(([name, list]) => [name, list.value]));
  things.push({ ...kind, x: middles[free[0]], y: middles[free[1]] });
  choose(things.length - 1);
  said.textContent = named(chosenThing());
  send();
}

function remove() {
  if (things.length === 1) {
    said.textContent = translated("The last object stays.");
    return;
  }
  const gone = named(chosenThing());
  things.splice(chosen, 1);
  choose(Math.max(0, chosen - 1));
  canvas.querySelectorAll("g")[chosen].focus();
  said.textContent = translated("Taken away: {object}", { object: gone });
  send();
}

function build() {
  built = true;
  const { sizes, colours, shapes } = props.value;
  const lists = { size: Object.keys(sizes), colour: Object.keys(colours), shape: shapes };
  Object.entries(lists).forEach(([kind, names]) => {
    const list = (kinds[kind] = make("select", "take-button", tools));
    list.setAttribute("aria-label", translated(kind));
    names.forEach((name) => (list.append(new Option(translated(name), name))));
    list.addEventListener("change", () => {
      const thing = { ...chosenThing(), [kind]: list.value };
      things[chosen] = within(thing, placeOf(thing), thing.x, thing.y);
      draw();
      said.textContent = named(chosenThing());
      send();
    });
  });
  [[translated("Add an object"), add], [translated("Take it away"), remove]].forEach(([text, act]) => {
    const button = make("button", "take-button", tools);
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", act);
  });
}

let shown = ""; // what the server sent last
function render() {
  const value = props.value;
  if (!value || !value.things) return;
  if (!built) build();
  const now = JSON.stringify(value);
  if (now !== shown && (!value.asked || value.asked === asked)) {
    shown = now;
    if (JSON.stringify(value.things) !== JSON.stringify(things)) {
      const before = JSON.stringify(chosenThing()); // objects are told in reading order, which a move may change
      things = value.things.map((thing) => ({ ...thing }));
      chosen = Math.max(0, things.findIndex((thing) => JSON.stringify(thing) === before));
      const focus = canvas.contains(document.activeElement);
      draw();
      if (focus) canvas.querySelectorAll("g")[chosen].focus();
    }
  }
  draw();
}

mount(root, render, root);
