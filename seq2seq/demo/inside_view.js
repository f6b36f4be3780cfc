// Draws one decoder step as a diagram (see inside_view.py) and walks the steps. Runs after plot.js.

const WIDE = 760; // pixels from which there is room for three lanes and arrows
const A_ROW = 128; // cells of one row of a strip
const hues = { plus: { light: [29, 95, 150], dark: [91, 163, 220] }, minus: { light: [180, 83, 9], dark: [240, 163, 94] } };
const theme = () => (isDark() ? "dark" : "light");
const paper = () => (isDark() ? [24, 29, 38] : [255, 255, 255]);

const SAID_FIRST = "{model}, step {step} of {count}: at the beginning, it writes “{piece}”{sure}.";
const SAID_AFTER = "{model}, step {step} of {count}: after “{before}”, it writes “{piece}”{sure}.";

const root = document.createElement("div");
const message = make("p", "lens-message", root);
message.setAttribute("role", "alert");
const body = make("div", "inside", root);
const heading = make("p", "inside-said", body);
heading.setAttribute("aria-live", "polite");
const pieces = make("div", "inside-pieces", body);
const controls = make("div", "duet-controls", body);
const back = button("←", translated("One step back"), () => go(step - 1));
const slider = make("input", "duet-scrubber", controls);
slider.type = "range";
slider.min = 1;
slider.setAttribute("aria-label", translated("Step"));
const forth = button("→", translated("One step on"), () => go(step + 1));
const diagram = make("div", "inside-diagram", body);
const SVG = "http://www.w3.org/2000/svg";
const arrows = document.createElementNS(SVG, "svg");
arrows.classList.add("inside-arrows");
arrows.setAttribute("aria-hidden", "true");
const legend = make("p", "lens-caption inside-legend", body);
legend.textContent = translated(
  "Blue is above 0, orange below, full colour at ±1 unless a box says otherwise. Arrows are read off the formulas.",
);
const note = make("p", "lens-note", body);
const warnings = make("ul", "lens-warnings", body);
const tip = make("div", "inside-tip", root);
tip.hidden = true;

let step = 0;
let current = ""; // the value whose boxes stand there
let boxes = []; // {box, section, formula, shape, picture}

function button(text, said, act) {
  const node = make("button", "duet-button inside-walk", controls);
  node.type = "button";
  node.textContent = text;
  node.setAttribute("aria-label", said);
  node.addEventListener("click", act);
  return node;
}

const plainPiece = (piece) => (piece === "padding" ? translated(piece) : piece.replace(/^▁/, "") || "␣");
const shareOf = (share) => percent(share, share >= 0.1 ? 0 : 1);
const numbersOf = (box, at) => box.constant || at.numbers[box.name];
// Places behind the sentence. A word of the sentence that reads "padding" is no such place: its piece says "▁padding".
const paddings = (places) => places.length - 1 - places.findLastIndex((piece) => piece !== "padding");
const isPlace = (letter) => letter === "S" || letter === "max_length";

// -- colours --------------------------------------------------------------------------------------------------------

function colour(value, full) {
  const share = Math.min(1, Math.abs(value) / full);
  const hue = hues[value < 0 ? "minus" : "plus"][theme()];
  return paper().map((tone, i) => Math.round(tone * (1 - share) + hue[i] * share));
}

function paint(canvas, numbers, columns, full) {
  const rows = Math.ceil(numbers.length / columns);
  [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  numbers.forEach((value, i) => image.data.set([...colour(value, full), 255], 4 * i));
  context.putImageData(image, 0, 0);
}

// -- pictures of values ---------------------------------------------------------------------------------------------

function range(name, numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of numbers) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const values = { name, count: numbers.length, low: number(low, 2), high: number(high, 2) };
  return translated("{name}: {count} numbers from {low} to {high}", values);
}

// A vector as cells in rows of A_ROW; pointing at one says its number.
function strip(entry, numbers, full) {
  let canvas = entry.picture.querySelector("canvas");
  if (!canvas) {
    canvas = make("canvas", "inside-strip", entry.picture);
    canvas.setAttribute("role", "img");
    point(canvas, () => entry.cells);
  }
  const columns = Math.min(A_ROW, numbers.length);
  entry.cells = { columns, numbers, say: (i) => `${entry.box.name}[${i}] = ${number(numbers[i], 3)}` };
  paint(canvas, numbers, columns, full);
  canvas.style.height = `${Math.max(10, 7 * canvas.height)}px`;
  canvas.setAttribute("aria-label", range(entry.box.name, numbers));
}

// The memory: a row a place, with its word. Places behind the sentence hold zeros: they are counted, not drawn.
function matrix(entry, all, allPlaces, width, full) {
  const places = allPlaces.filter((_, i) => i < allPlaces.length - paddings(allPlaces));
  const numbers = all.slice(0, places.length * width);
  let canvas = entry.picture.querySelector("canvas");
  if (!canvas) {
    const table = make("div", "inside-matrix", entry.picture);
    const names = make("div", "inside-names", table);
    names.setAttribute("aria-hidden", "true");
    places.forEach((piece) => (make("span", "", names).textContent = plainPiece(piece)));
    canvas = make("canvas", "inside-strip", table);
    canvas.setAttribute("role", "img");
    point(canvas, () => entry.cells);
  }
  const say = (i) =>
    translated("{name}, “{piece}” [{place}] = {value}", {
      name: entry.box.name,
      piece: plainPiece(places[Math.floor(i / width)]),
      place: i % width,
      value: number(numbers[i], 3),
    });
  entry.cells = { columns: width, numbers, say };
  paint(canvas, numbers, width, full);
  if (paddings(allPlaces) && !entry.zeros) {
    entry.zeros = make("p", "inside-zeros", entry.picture);
    entry.zeros.textContent = translated("and {count} places of padding, all zeros", { count: paddings(allPlaces) });
  }
  canvas.style.height = `${11 * places.length}px`;
  canvas.setAttribute("aria-label", range(entry.box.name, numbers));
}

// One number a place: a cell over each word. Weights say percent.
function cells(entry, numbers, places, full, isWeight) {
  let line = entry.picture.firstChild;
  if (!line) {
    line = make("div", "inside-cells", entry.picture);
    line.classList.toggle("inside-many", places.length > 24);
    places.forEach((piece, i) => {
      const cell = make("div", "inside-cell", line);
      make("span", "inside-amount", cell);
      const repeated = piece === "padding" && places[i - 1] === "padding";
      make("span", "inside-place", cell).textContent = repeated ? "" : plainPiece(piece);
      cell.classList.toggle("inside-padding", piece === "padding");
      cell.addEventListener("pointermove", (event) => tell(event, cell.dataset.said));
      cell.addEventListener("pointerleave", silence);
    });
  }
  const few = places.length <= 16;
  const best = Math.max(...numbers);
  [...line.children].forEach((cell, i) => {
    const tone = colour(numbers[i], full);
    const amount = cell.firstChild;
    amount.style.backgroundColor = `rgb(${tone})`;
    amount.style.setProperty("color", readable(tone), "important");
    amount.textContent = few ? (isWeight ? Math.round(100 * numbers[i]) : number(numbers[i], 1)) : "";
    cell.classList.toggle("inside-best", numbers[i] === best);
    const value = isWeight ? shareOf(numbers[i]) : number(numbers[i], 3);
    cell.dataset.said = translated("{name}[{place}] “{piece}” = {value}", {
      name: entry.box.name,
      place: i,
      piece: plainPiece(places[i]),
      value,
    });
  });
  const padded = paddings(places);
  if (isWeight && padded) {
    entry.zeros ||= make("p", "inside-zeros", entry.picture);
    const share = numbers.slice(-padded).reduce((sum, weight) => sum + weight, 0);
    entry.zeros.textContent = translated("{share} of the weight is on the {count} places of padding", {
      share: shareOf(share),
      count: padded,
    });
  }
  const order = numbers.map((n, i) => [n, places[i]]).sort((a, b) => b[0] - a[0]).slice(0, 3);
  line.setAttribute("role", "img");
  const said = order.map(([n, piece]) => `${plainPiece(piece)} ${isWeight ? shareOf(n) : number(n, 2)}`);
  line.setAttribute("aria-label", translated("{name}, highest: {pieces}", { name: entry.box.name, pieces: said.join(translated(", ")) }));
}

function candidates(entry, at) {
  entry.picture.replaceChildren();
  const list = make("ol", "inside-candidates", entry.picture);
  at.candidates.forEach(([piece, share]) => {
    const line = make("li", piece === at.written ? "inside-taken" : "", list);
    make("span", "inside-candidate", line).textContent = plainPiece(piece);
    const bar = make("span", "inside-bar", line);
    make("span", "", bar).style.width = `${Math.max(0.5, 100 * share)}%`;
    make("span", "inside-percent", line).textContent = shareOf(share);
  });
}

function word(entry, at) {
  entry.picture.replaceChildren();
  make("span", "inside-word", entry.picture).textContent = plainPiece(at.prev);
}

// -- pointing -------------------------------------------------------------------------------------------------------

function tell(event, text) {
  const frame = root.getBoundingClientRect();
  tip.textContent = text;
  tip.hidden = false;
  const left = Math.min(event.clientX - frame.left + 12, frame.width - tip.offsetWidth - 4);
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${event.clientY - frame.top + 14}px`;
}

function silence() {
  tip.hidden = true;
}

function point(canvas, cellsOf) {
  const move = (event) => {
    const { columns, numbers, say } = cellsOf();
    const frame = canvas.getBoundingClientRect();
    const rows = Math.ceil(numbers.length / columns);
    const at = (position, start, size, count) =>
      Math.min(count - 1, Math.max(0, Math.floor(((position - start) / size) * count)));
    const column = at(event.clientX, frame.left, frame.width, columns);
    const i = at(event.clientY, frame.top, frame.height, rows) * columns + column;
    if (i < numbers.length) tell(event, say(i));
  };
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerdown", move);
  canvas.addEventListener("pointerleave", silence);
}

// -- boxes and arrows -----------------------------------------------------------------------------------------------

function build(view) {
  diagram.replaceChildren(arrows);
  const rows = { left: 0, middle: 0, right: 0 };
  boxes = view.boxes.map((box) => {
    const section = make("section", `inside-box inside-${box.lane}`, diagram);
    rows[box.lane] += 1;
    section.style.setProperty("--row", rows[box.lane]);
    section.dataset.name = box.name;
    const head = make("div", "inside-head", section);
    make("strong", "", head).textContent = box.missing ? translated("No attention") : box.name;
    if (box.missing) {
      section.classList.add("inside-missing");
      make("p", "inside-formula", section).textContent = box.missing;
      return { box, section };
    }
    const shape = make("span", "inside-shape", head);
    shape.textContent = box.shape;
    const formula = make("p", "inside-formula", section);
    const from = make("p", "inside-from", section);
    from.textContent = box.sources.length ? translated("from {names}", { names: box.sources.join(translated(", ")) }) : "";
    const full = view.scales[box.name];
    if (full > 1) make("span", "inside-full", head).textContent = translated("full colour at ±{value}", { value: number(full, full % 1 ? 1 : 0) });
    return { box, section, formula, picture: make("div", "inside-picture", section) };
  });
  pieces.replaceChildren();
  view.steps.forEach(({ written }, i) => {
    const piece = make("button", "inside-piece", pieces);
    piece.type = "button";
    make("span", "", piece).textContent = plainPiece(written);
    piece.addEventListener("click", () => go(i));
  });
}

function fill(view) {
  const at = view.steps[step];
  for (const entry of boxes) {
    const { box } = entry;
    if (box.missing) continue;
    // Some formulas are words, and those have a translation.
    entry.formula.textContent = `${box.name} = ${translated(step === 0 ? box.first_formula : box.formula)}`;
    const numbers = numbersOf(box, at);
    const full = view.scales[box.name];
    if (box.constant && entry.painted === theme()) continue; // the memory of a long text is big, and stays
    entry.painted = theme();
    const last = box.letters[box.letters.length - 1];
    if (box.name === "prev") word(entry, at);
    else if (box.letters.includes("V")) candidates(entry, at);
    else if (isPlace(last)) cells(entry, numbers, view.places, full, box.name === view.weights);
    else if (box.letters.some(isPlace)) matrix(entry, numbers, view.places, numbers.length / view.places.length, full);
    else strip(entry, numbers, full);
  }
  [...pieces.children].forEach((piece, i) => piece.setAttribute("aria-pressed", String(i === step)));
  const chosen = at.candidates.find(([piece]) => piece === at.written);
  heading.textContent = translated(step ? SAID_AFTER : SAID_FIRST, {
    model: view.label,
    step: step + 1,
    count: view.steps.length,
    before: plainPiece(at.prev),
    piece: plainPiece(at.written),
    sure: chosen ? translated(" ({share})", { share: shareOf(chosen[1]) }) : "",
  });
  [slider.max, slider.value] = [view.steps.length, step + 1];
  [back.disabled, forth.disabled] = [step === 0, step === view.steps.length - 1];
}

function line(points, dashed) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(" "));
  path.setAttribute("class", dashed ? "inside-next" : "");
  const [[x0, y0], [x1, y1]] = points.slice(-2);
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const head = document.createElementNS(SVG, "polygon");
  const corner = (turn, length) => `${x1 + length * Math.cos(angle + turn)},${y1 + length * Math.sin(angle + turn)}`;
  head.setAttribute("points", `${x1},${y1} ${corner(2.7, 8)} ${corner(-2.7, 8)}`);
  arrows.append(path, head);
}

// Orthogonal arrows: down the lane of the source, then into the side of the target; past other boxes through a gutter.
function connect() {
  arrows.replaceChildren();
  const narrow = diagram.clientWidth < WIDE;
  diagram.classList.toggle("inside-narrow", narrow);
  // There the cells of many places scroll, with the keyboard too.
  diagram.querySelectorAll(".inside-many").forEach((cells) => (cells.tabIndex = narrow ? 0 : -1));
  if (narrow || !diagram.clientWidth) return;
  const frame = diagram.getBoundingClientRect();
  arrows.setAttribute("viewBox", `0 0 ${frame.width} ${diagram.scrollHeight}`);
  arrows.style.height = `${diagram.scrollHeight}px`;
  const places = new Map();
  boxes.forEach(({ box, section }) => {
    const { left, right, top, bottom } = section.getBoundingClientRect();
    const place = { lane: box.lane, left: left - frame.left, right: right - frame.left, top: top - frame.top };
    places.set(box.name, { ...place, bottom: bottom - frame.top, into: { left: 0, right: 0 }, out: 0 });
  });
  const middle = boxes.filter(({ box }) => box.lane === "middle").map(({ box }) => box.name);
  let gutter = 0;
  const into = (place, side) => place.top + 14 + 13 * place.into[side]++;
  for (const { box } of boxes) {
    const to = places.get(box.name);
    for (const name of box.sources) {
      const from = places.get(name);
      if (from.lane === to.lane) {
        const next = from.lane !== "middle" || middle.indexOf(box.name) === middle.indexOf(name) + 1;
        const x = (Math.max(from.left, to.left) + Math.min(from.right, to.right)) / 2;
        if (next) line([[x, from.bottom], [x, to.top]]);
        else {
          const side = to.right + 9 + 6 * (gutter++ % 4);
          const y = from.bottom - 10 - 6 * from.out++;
          const end = into(to, "right");
          line([[from.right, y], [side, y], [side, end], [to.right, end]]);
        }
      } else {
        const side = from.lane;
        const end = into(to, side);
        const edge = side === "left" ? to.left : to.right;
        if (end > from.bottom) {
          const x = (from.left + from.right) / 2 + 14 * from.out++ * (side === "left" ? -1 : 1);
          line([[x, from.bottom], [x, end], [edge, end]]);
        } else line([[side === "left" ? from.right : from.left, end], [edge, end]]); // they stand side by side
      }
    }
  }
  const [made, old] = [places.get("hidden"), places.get("old hidden")];
  if (made && old) {
    const x = old.right - 10;
    const y = made.bottom - 10;
    line([[made.right, y], [x, y], [x, old.bottom]], true);
    const text = document.createElementNS(SVG, "text");
    text.textContent = translated("next step");
    text.setAttribute("x", x - 6);
    text.setAttribute("y", y - 5);
    text.setAttribute("text-anchor", "end");
    arrows.append(text);
  }
}

// -- all of it ------------------------------------------------------------------------------------------------------

let view = null; // what the value says, which is a text: see inside_view.py

function go(wanted) {
  if (!view || view.message) return;
  step = Math.min(view.steps.length - 1, Math.max(0, wanted));
  silence();
  fill(view);
  connect();
  follow({ link: step ? `${view.link}&step=${step + 1}` : view.link }, body);
}

slider.addEventListener("input", () => go(Number(slider.value) - 1));
// Keys also walk when nothing has the focus, as on a stage; not while somebody types.
document.addEventListener("keydown", (event) => {
  const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const busy = event.target.closest && event.target.closest("input:not([type=range]), textarea, select, [contenteditable], .inside-many");
  if (!direction || busy || event.altKey || event.ctrlKey || event.metaKey || !root.offsetParent) return;
  if (event.target.type === "range" && event.target !== slider) return;
  event.preventDefault();
  go(step + direction);
});

function render() {
  view = props.value ? JSON.parse(props.value) : null;
  const { link, ...rest } = view || {}; // the link goes on with the step: see go
  if (!present(view && rest, message, body)) return;
  const key = JSON.stringify([view.checkpoint, view.text, view.steps.map((at) => at.written)]);
  if (key !== current) {
    current = key;
    step = (view.step || 1) - 1; // which a link may name
    build(view);
  }
  note.textContent = view.note;
  note.hidden = !view.note;
  fillList(warnings, view.warnings);
  go(step);
}

mount(root, render, diagram);
