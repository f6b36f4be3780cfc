// A sheet to draw on (see sketch.py): as many pixels as the models are shown. Runs after plot.js.

const AFTER_KEYS = 700; // milliseconds without a key, and the drawing is sent
const root = document.createElement("div");
const help = make("p", "help", root);
help.textContent = translated(
  "Draw with the mouse or a finger. By keyboard: the arrow keys move the brush, Space puts it down and lifts it.",
);
const inks = make("div", "take-buttons", root);
inks.setAttribute("role", "group");
inks.setAttribute("aria-label", translated("Colours"));
const sheet = make("canvas", "sketch-sheet", root);
sheet.tabIndex = 0;
sheet.setAttribute("role", "application");
sheet.setAttribute("aria-label", translated("The sheet to draw on"));
const tools = make("div", "take-buttons", root);
const width = make("select", "take-button", tools);
width.setAttribute("aria-label", translated("Brush"));
[
  [translated("thin brush"), 2],
  [translated("middling brush"), 4],
  [translated("thick brush"), 8],
].forEach(([name, side]) => width.append(new Option(name, side)));
width.value = 4;
const clear = make("button", "take-button", tools);
clear.type = "button";
clear.textContent = translated("Clear");
const said = make("p", "take-said", root);
said.setAttribute("role", "status");
const pen = sheet.getContext("2d");

let letters = null; // one a pixel
let ink = null; // [name, letter, colour]
let brush = null; // where it is
let down = false;
let timer = null;

function dab([x, y]) {
  const { pixels } = props.value;
  const side = Number(width.value);
  const [left, top] = [Math.round(x - side / 2), Math.round(y - side / 2)];
  pen.fillStyle = ink[2];
  pen.fillRect(left, top, side, side);
  const [first, end] = [left, left + side].map((column) => Math.max(0, Math.min(pixels, column)));
  for (let row = Math.max(0, top); row < Math.min(pixels, top + side); row += 1)
    letters.fill(ink[1], row * pixels + first, row * pixels + end);
}

// From where the brush is to there, without gaps.
function stroke(there) {
  const [x, y] = brush;
  const steps = Math.max(1, Math.ceil(Math.hypot(there[0] - x, there[1] - y)));
  for (let i = 1; i <= steps; i += 1) dab([x + ((there[0] - x) * i) / steps, y + ((there[1] - y) * i) / steps]);
  brush = there;
}

const send = () => report("draw", { letters: letters.join("") });
const at = (event) => pointOn(sheet, sheet.width, event);

sheet.addEventListener("pointerdown", (event) => {
  if (event.button) return; // a menu is asked for
  sheet.setPointerCapture(event.pointerId);
  brush = at(event);
  down = true;
  dab(brush);
});
sheet.addEventListener("pointermove", (event) => down && sheet.hasPointerCapture(event.pointerId) && stroke(at(event)));
sheet.addEventListener("lostpointercapture", () => {
  down = false;
  send();
});
sheet.addEventListener("keydown", (event) => {
  if (event.key === " ") down = !down;
  else if (ARROWS[event.key]) {
    const there = brush.map((way, i) => Math.max(0, Math.min(sheet.width - 1, way + 2 * ARROWS[event.key][i])));
    if (down) stroke(there);
    else brush = there;
  } else return;
  event.preventDefault();
  event.stopPropagation();
  const where = { column: Math.round(brush[0]) + 1, row: Math.round(brush[1]) + 1, colour: translated(ink[0]) };
  said.textContent = down
    ? translated("Drawing in {colour}: column {column}, row {row}", where)
    : translated("Brush lifted: column {column}, row {row}", where);
  if (!down) return;
  dab(brush);
  clearTimeout(timer);
  timer = setTimeout(send, AFTER_KEYS);
});
sheet.addEventListener("blur", () => (down = false));
clear.addEventListener("click", () => {
  empty();
  said.textContent = translated("The sheet is empty. Draw something.");
});

function empty() {
  const { pixels, inks } = props.value;
  brush = [pixels / 2, pixels / 2];
  [sheet.width, sheet.height] = [pixels, pixels];
  const [, letter, colour] = inks.at(-1);
  letters = Array(pixels * pixels).fill(letter);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, pixels, pixels);
}

function render() {
  if (!props.value || letters) return;
  empty();
  props.value.inks.forEach((one) => {
    const button = make("button", "take-button sketch-ink", inks);
    button.type = "button";
    [button.style.background, button.title] = [one[2], translated(one[0])];
    button.setAttribute("aria-label", translated(one[0]));
    button.addEventListener("click", () => take(one));
  });
  take(props.value.inks[0]);
}

function take(one) {
  ink = one;
  [...inks.children].forEach((button, i) => button.setAttribute("aria-pressed", String(props.value.inks[i] === one)));
}

mount(root, render, root);
