// Draws one board (see picture_board.py): words as chips, and a square picture with the weights of a word lying over it. Which of
// the two the model wrote and which it read makes no difference here. Runs after plot.js.

const SAID_WORD_READ = "“{word}” was read for: {shares}";
const SAID_WORD_WRITTEN = "To write “{word}”: {shares}";
const SAID_PLACE_PAINTED = "To paint {place}: {shares}";
const SAID_PLACE_READ = "{place} was read for: {shares}";
const HUE = { light: "29,95,150", dark: "91,163,220" };
const INVERSE = { light: [0.8, "#fff"], dark: [0.75, "#0b1220"] }; // from which share on a chip's text has which colour
const VEIL = [[0, 0], [0.05, 0.12], [1, 0.85]]; // weight, and how opaque it lies over the picture
const veiled = VEIL.map(([weight, veil]) => [weight, `rgba(${HUE.light},${veil})`]);
const root = document.createElement("div");
const message = make("p", "lens-message", root);
message.setAttribute("role", "alert");
const body = make("div", "lens-body", root);
const title = make("p", "board-title", body);
const chips = make("div", "lens-chips", body);
chips.setAttribute("role", "group");
chips.setAttribute("aria-label", translated("Words"));
const square = make("div", "lens-plot board-square", body);
square.setAttribute("role", "img");
const scale = make("p", "board-scale", body);
scale.append(percent(0));
make("span", "board-colours", scale).style.background =
  `linear-gradient(90deg, ${veiled.map(([weight, colour]) => `${colour} ${100 * weight}%`)}), #fff`;
scale.append(percent(1));
const shares = make("span", "", scale);
const walk = make("input", "duet-scrubber lens-walk", body); // the places with the keyboard
walk.type = "range";
[walk.min, walk.value] = [0, 0];
walk.setAttribute("aria-label", translated("Places of the picture"));
const pointed = make("p", "lens-caption board-pointed", body);
const again = make("button", "duet-button board-again", body);
again.type = "button";
again.textContent = translated("↺ Replay");
const note = make("p", "lens-note", body);
const caption = make("p", "lens-caption", body);
const warnings = make("ul", "lens-warnings", body);
const announce = announcer(body);
const queue = plotQueue();

let drawn = ""; // the view that stands there
let pinned = null; // {word} or {place}: what a click holds
let timer = null;
let until = Infinity; // during a replay, how much of what was written is shown

const view = () => props.value;
const written = () => (view().paints ? view().places.length : view().words.length);

function newChip(index) {
  const chip = make("button", "lens-chip", chips);
  chip.type = "button";
  make("span", "lens-word", chip);
  make("small", "lens-share", chip);
  chip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && shade({ word: index }));
  chip.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && shade(pinned));
  chip.addEventListener("focus", () => shade({ word: index }));
  chip.addEventListener("blur", () => shade(pinned));
  chip.addEventListener("click", () => hold({ word: index }));
}

function hold(chosen) {
  stop();
  pinned = JSON.stringify(pinned) === JSON.stringify(chosen) ? null : chosen;
  shade(pinned || chosen);
}

// What one word, or one place, has to do with all of the other side.
function shade(chosen) {
  const { words, places, weights } = view();
  const place = weights && chosen && chosen.place !== undefined ? chosen.place : null;
  const word = weights && chosen && chosen.word !== undefined ? chosen.word : null;
  const tone = isDark() ? "dark" : "light";
  [...chips.children].forEach((chip, index) => {
    const share = place === null ? 0 : weights[index][place];
    chip.style.backgroundColor = share > 0.01 ? `rgba(${HUE[tone]},${share})` : "";
    chip.style.color = share > INVERSE[tone][0] ? INVERSE[tone][1] : "";
    chip.dataset.share = share.toFixed(3);
    chip.lastChild.textContent = share >= 0.05 ? percent(share) : "";
    chip.classList.toggle("lens-chosen", Boolean(chosen && chosen.word === index));
    chip.classList.toggle("lens-pinned", Boolean(pinned && pinned.word === index));
    chip.setAttribute("aria-pressed", String(Boolean(pinned && pinned.word === index)));
    chip.classList.toggle("lens-to-come", !view().paints && index >= until);
  });
  pointed.textContent = said(chosen, word, place) || translated("Point at a word or at a place.");
  pointed.hidden = !weights;
  caption.style.visibility = until === Infinity ? "" : "hidden"; // no verdict on what is still being written
  draw(word === null ? null : weights[word], place);
}

const strongest = (shares, names, least = 0.05) =>
  shares
    .map((share, index) => [share, names[index]])
    .filter(([share]) => share >= least)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 3)
    .map(([share, name]) => translated("{share} on {word}", { share: percent(share), word: name }))
    .join(translated(", "));

function said(chosen, word, place) {
  const { words, places, weights, paints } = view();
  if (word !== null)
    return translated(paints ? SAID_WORD_READ : SAID_WORD_WRITTEN, {
      word: words[word],
      shares: strongest(weights[word], places) || translated("nothing worth naming"),
    });
  if (place === null) return "";
  const column = weights.map((row) => row[place]);
  return translated(paints ? SAID_PLACE_PAINTED : SAID_PLACE_READ, {
    place: places[place],
    shares: strongest(column, words) || translated("nothing worth naming"),
  });
}

// The picture, or what is painted of it so far, and over it the weights of one word: clear is 0, full is 1, always.
function draw(over, place) {
  if (!root.clientWidth) return;
  const { side, picture, cells, palette, places } = view();
  const rows = (list) => Array.from({ length: side }, (_, row) => list.slice(row * side, (row + 1) * side));
  const size = Math.min(root.clientWidth, onStage() ? square.clientHeight : 420) - 2; // within the frame
  square.classList.toggle("board-veiled", Boolean(over)); // or a blue object would look like a weight
  const data = [];
  if (cells) {
    const last = palette.length - 1;
    data.push({
      type: "heatmap",
      z: rows(cells.map((colour, index) => (index < until ? colour : null))),
      zmin: -0.5,
      zmax: last + 0.5,
      colorscale: palette.flatMap((colour, i) => [[i / (last + 1), colour], [(i + 1) / (last + 1), colour]]),
      showscale: false,
      hoverinfo: "skip",
    });
  }
  data.push({
    type: "heatmap",
    z: rows(over || places.map(() => 0)),
    zmin: 0,
    zmax: 1,
    colorscale: veiled,
    text: rows((over || []).map((share) => (share >= 0.05 ? percent(share) : ""))),
    texttemplate: over && side < 12 ? "%{text}" : undefined,
    textfont: { color: "#000", size: Math.max(11, size / 38) },
    xgap: 1,
    ygap: 1,
    customdata: rows(places),
    hovertemplate: "%{customdata}<extra></extra>",
    showscale: false,
  });
  const axis = { range: [-0.5, side - 0.5], visible: false, fixedrange: true };
  const layout = {
    template: {},
    width: size,
    height: size,
    margin: { l: 1, r: 1, t: 1, b: 1 },
    paper_bgcolor: "#fff",
    plot_bgcolor: "#fff",
    xaxis: axis,
    yaxis: { ...axis, range: [side - 0.5, -0.5] },
    images: picture ? [{ source: picture, xref: "x", yref: "y", x: -0.5, y: -0.5, sizex: side, sizey: side, sizing: "stretch", layer: "below" }] : [],
    shapes: place === null ? [] : [outline(place, side, "#fff", 7), outline(place, side, "#c2410c", 3)], // on any colour
  };
  queue.add(() => Plotly.react(square, data, layout, PLOT_CONFIG).then(listen));
}

function outline(place, side, color, width) {
  const [x, y] = [place % side, Math.floor(place / side)];
  return { type: "rect", x0: x - 0.5, x1: x + 0.5, y0: y - 0.5, y1: y + 0.5, line: { color, width } };
}

function listen() {
  if (square.dataset.listening) return;
  square.dataset.listening = "yes";
  const placeOf = (event) => ({ place: event.points[0].y * view().side + event.points[0].x });
  square.on("plotly_hover", (event) => !timer && shade(placeOf(event)));
  square.on("plotly_unhover", () => !timer && shade(pinned));
  square.on("plotly_click", (event) => hold(placeOf(event)));
}

walk.addEventListener("input", () => {
  stop();
  shade({ place: Number(walk.value) });
  walk.setAttribute("aria-valuetext", pointed.textContent);
});
walk.addEventListener("blur", () => shade(pinned));

// -- replay ---------------------------------------------------------------------------------------------------------

function stop() {
  clearInterval(timer);
  timer = null;
  until = Infinity;
  root.dataset.replay = "over";
}

function play(pace = 280) {
  pinned = null;
  if (until === Infinity) until = 0;
  root.dataset.replay = "playing";
  timer = setInterval(() => {
    until += 1;
    if (until > written()) {
      stop();
      shade(null);
    } else shade(view().paints ? { place: until - 1 } : { word: until - 1 });
  }, view().paints ? 30 : pace);
}

again.addEventListener("click", () => {
  stop();
  play();
});

// Asked for by present.js; asked again it pauses, and then goes on.
root.addEventListener("lens-replay", ({ detail }) => {
  if (body.hidden) return;
  if (!timer) return play(detail.pace);
  clearInterval(timer);
  timer = null;
  root.dataset.replay = "paused";
});

// -- all of it ------------------------------------------------------------------------------------------------------

function render() {
  const now = JSON.stringify(view());
  const other = now !== drawn;
  if (other || (root.dataset.replay === "paused" && !onStage())) stop(); // of another picture, or for people who have left
  drawn = now;
  if (!present(view(), message, body)) return;
  const { words, places, label } = view();
  if (other) pinned = null;
  title.textContent = label;
  while (chips.children.length > words.length) chips.lastChild.remove();
  words.forEach((word, index) => {
    if (index >= chips.children.length) newChip(index);
    chips.children[index].firstChild.textContent = word;
  });
  walk.max = places.length - 1;
  walk.hidden = scale.hidden = !view().weights;
  shares.textContent = translated(view().paints ? "of a cell’s attention" : "of a word’s attention");
  note.textContent = view().note;
  note.hidden = !view().note;
  caption.textContent = view().caption;
  square.setAttribute("aria-label", view().caption);
  fillList(warnings, view().warnings);
  announce(`${label}: ${view().said} ${view().caption}`);
  shade(pinned);
  if (other && view().play && !matchMedia("(prefers-reduced-motion: reduce)").matches) play();
}

mount(root, render, root);
