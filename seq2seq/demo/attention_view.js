// Draws one view (see attention_view.py): source chips, target chips, heatmap, caption. Runs after plot.js.

const SAID_UNSEEN = "The model has never seen this.";
const SAID_COPIED = "Copied from the source, where attention pointed: the model has no piece for it.";
const hue = { light: [29, 95, 150], dark: [91, 163, 220], needlight: [150, 75, 15], needdark: [220, 154, 88] };
const hueName = () => (top === 1 ? "" : "need") + (isDark() ? "dark" : "light");
// The page's own tone with so much of the hue in it.
const mixed = (share) => hue[hueName()].map((c) => Math.round((isDark() ? 24 : 255) * (1 - share) + c * share));
const root = document.createElement("div");
const message = make("p", "lens-message", root);
message.setAttribute("role", "alert");
const body = make("div", "lens-body", root);
const lines = { source: chipLine(), target: chipLine() };
const note = make("p", "lens-note", body);
const scroller = make("div", "lens-scroll", body);
scroller.tabIndex = 0;
scroller.setAttribute("role", "region");
scroller.setAttribute("aria-label", translated("Picture; scrolls if it is wide"));
const plot = make("div", "lens-plot", scroller);
plot.setAttribute("role", "img");
const caption = make("p", "lens-caption", body);
const warnings = make("ul", "lens-warnings", body);
const announce = announcer(body);

let pinned = null; // the chip a click holds, and the words it was chosen among: {side, index, columns, rows}
let pointed = null; // the chip that the mouse or the focus is on; it goes before the held one
let drawn = ""; // the view that stands there
let weights = null; // rows x columns of what is drawn; null if words have nothing to do with one another
let top = 1; // the weight at which a chip is fully shaded
let replay = null; // {timer, count}: the words of a finished translation appear again, one by one
let outlined = []; // the outline of the chosen row or column, as Plotly shapes
const queue = plotQueue();

function chipLine() {
  const line = make("div", "lens-line", body);
  make("span", "lens-language", line);
  const chips = make("div", "lens-chips", line);
  chips.setAttribute("role", "group");
  return chips;
}

function nameLine(chips, [code, name]) {
  chips.previousSibling.textContent = name;
  chips.setAttribute("aria-label", name);
  chips.lang = code;
}

// Attention in percent; what a word loses without another one as a number.
const amount = (weight) => (top === 1 ? percent(weight) : number(weight, 1));

// -- chips ----------------------------------------------------------------------------------------------------------

// The weights between one chip and all chips of the other side.
const weightsOf = (side, index) => (side === "target" ? weights[index] : weights.map((row) => row[index]));

function describe(side, index, words, others) {
  if (!weights) return words[index];
  const found = weightsOf(side, index)
    .map((weight, i) => [weight, others[i]])
    .filter(([weight]) => weight >= 0.05 * top)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 3)
    .map(([weight, word]) => translated(side === "target" ? "{share} on {word}" : "{share} of {word}", { share: amount(weight), word }));
  return translated("{word}: {shares}", { word: words[index], shares: found.join(translated(", ")) || translated("nothing worth naming") });
}

function fill(side, words, others, marked, why, growing) {
  const line = lines[side];
  while (line.children.length > words.length) line.lastChild.remove();
  words.forEach((word, index) => {
    const chip = line.children[index] || newChip(side, index);
    chip.firstChild.textContent = word;
    chip.classList.toggle("lens-unknown", marked.includes(index));
    chip.title = marked.includes(index) ? translated(why) : "";
    // Said in full only when the sentence is complete: nobody can listen to it while it grows.
    chip.setAttribute("aria-label", growing ? word : describe(side, index, words, others));
  });
}

function newChip(side, index) {
  const chip = make("button", "lens-chip", lines[side]);
  chip.type = "button";
  make("span", "lens-word", chip);
  make("small", "lens-share", chip);
  chip.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && point({ side, index }));
  chip.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(null));
  chip.addEventListener("focus", () => point({ side, index }));
  chip.addEventListener("blur", () => point(null));
  chip.addEventListener("click", () => {
    const same = pinned && pinned.side === side && pinned.index === index;
    pinned = same ? null : { side, index, columns: props.value.columns, rows: props.value.rows };
    point({ side, index });
    if (side === "target" && !same) report("pick", { index }); // whoever has questions about that word
  });
  return chip;
}

// Whether the held chip's words stand there, or as many of them as are there yet: the same sentence may come again.
const goesOn = ({ columns, rows }) =>
  JSON.stringify(columns) === JSON.stringify(pinned.columns) &&
  pinned.rows.every((word, index) => index >= rows.length || word === rows[index]);

// Kept, because the picture is drawn again while someone points: when its room changes, or a word more is there.
function point(chosen) {
  pointed = chosen;
  shade(pointed || pinned);
}

// Shades the other side's chips by their weight with the chosen one, and outlines its row or column.
function shade(chosen) {
  const chips = { source: [...lines.source.children], target: [...lines.target.children] };
  const active = chosen && weights && chosen.index < chips[chosen.side].length ? chosen : null;
  for (const side of ["source", "target"]) {
    const shares = active && side !== active.side ? weightsOf(active.side, active.index) : null;
    chips[side].forEach((chip, index) => {
      const share = shares ? Math.min(1, Math.max(0, (shares[index] || 0) / top)) : 0;
      chip.classList.toggle("lens-chosen", Boolean(active && side === active.side && index === active.index));
      const held = Boolean(pinned && side === pinned.side && index === pinned.index);
      chip.classList.toggle("lens-pinned", held);
      chip.setAttribute("aria-pressed", String(held));
      const colour = share > 0.01 ? mixed(share) : null;
      chip.style.backgroundColor = colour ? `rgb(${colour})` : "";
      chip.style.color = colour ? readable(colour) : "";
      chip.dataset.share = share.toFixed(3);
      chip.lastChild.textContent = share >= 0.05 ? amount(share * top) : "";
    });
  }
  outline(active);
}

function outline(active) {
  if (!weights) return;
  const [T, S] = [weights.length, weights[0].length];
  const shape = active && {
    type: "rect",
    x0: active.side === "source" ? active.index - 0.5 : -0.5,
    x1: active.side === "source" ? active.index + 0.5 : S - 0.5,
    y0: active.side === "target" ? active.index - 0.5 : -0.5,
    y1: active.side === "target" ? active.index + 0.5 : T - 0.5,
    line: { color: isDark() ? "#ffb454" : "#c2410c", width: 2 },
  };
  outlined = shape ? [shape] : [];
  if (plot.layout && !queue.busy() && JSON.stringify(plot.layout.shapes || []) !== JSON.stringify(outlined))
    queue.add(() => Plotly.relayout(plot, { shapes: outlined }));
}

// -- heatmap --------------------------------------------------------------------------------------------------------

const longest = (words) => Math.min(18, Math.max(...words.map((word) => word.length)));

// Cells shrink to fit up to 20 words, but never below what slanted labels need; then the picture scrolls.
function sizes(view, width) {
  const [T, S] = [view.rows.length, view.columns.length];
  const narrow = width < 560;
  const left = 18 + 8 * longest(view.rows.concat("xxxxxx"));
  const top = 22 + 6 * longest(view.columns);
  // The last slanted label leans over the edge, where Plotly would drop it; the colour bar stands there too.
  const right = Math.max(narrow ? 12 : 78, 14 + 5.5 * longest(view.columns.slice(-1)));
  const least = narrow ? 15 : 26;
  const cell = Math.max(least, Math.min(S > 20 ? least + 3 : 60, (width - left - right) / S));
  return { left, top, right, narrow, width: left + right + cell * S, height: top + 12 + (T > 12 ? 26 : 32) * T };
}

// On a stage all cells fit, and the type is as large as they allow: a slanted label needs more room than its cell is high.
function stageSizes(view) {
  const [T, S] = [view.rows.length, view.columns.length];
  const [width, height] = [scroller.clientWidth, scroller.clientHeight];
  for (let font = 34; ; font--) {
    const left = 24 + 0.6 * font * longest(view.rows.concat("xxxxxx"));
    const top = 18 + font + 0.42 * font * longest(view.columns);
    const right = Math.max(12, 0.42 * font * longest(view.columns.slice(-1)));
    const cell = [(width - left - right) / S, (height - top - 8) / T].map((room, axis) => Math.max(4, Math.min(room, axis ? 110 : 190)));
    if (font > 9 && (cell[0] < 1.45 * font || cell[1] < 1.2 * font)) continue;
    return { left, top, right, font, narrow: true, width: left + right + cell[0] * S, height: top + 8 + cell[1] * T };
  }
}

function draw(view) {
  const { data, layout } = painted(view.figure);
  const width = scroller.clientWidth || 600;
  const size = !weights ? { width } : onStage() ? stageSizes(view) : sizes(view, width);
  layout.width = size.width;
  const numbers = data[1]; // in the cells of a small picture
  if (weights && replay) {
    data[0].z = data[0].z.map((row, index) => (index < replay.count ? row : row.map(() => 0)));
    if (numbers) numbers.text = numbers.text.map((text, index) => (numbers.y[index] < replay.count ? text : ""));
  }
  if (size.font) {
    layout.font.size = size.font;
    if (numbers) numbers.textfont.size = Math.max(10, Math.round(0.72 * size.font));
    const labels = view.figure.layout.yaxis.ticktext;
    if (replay) layout.yaxis.ticktext = labels.map((label, index) => (index < replay.count ? label : ""));
  }
  if (weights) {
    layout.height = size.height;
    layout.margin = { l: size.left, r: size.right, t: size.top, b: 12 };
    data[0].showscale = !size.narrow;
    if (size.narrow && !size.font) data.length = 1;
  }
  queue.add(() => Plotly.react(plot, data, { ...layout, shapes: outlined }, PLOT_CONFIG).then(listen));
}

// Pointing at a cell shades the chips of its row.
function listen() {
  if (plot.dataset.listening) return;
  plot.dataset.listening = "yes";
  plot.on("plotly_hover", (event) => weights && point({ side: "target", index: event.points[0].y }));
  plot.on("plotly_unhover", () => point(null));
}

// -- replay ---------------------------------------------------------------------------------------------------------

// Shows the first `count` words; those to come keep their room, so that nothing jumps.
function upTo(count) {
  [...lines.target.children].forEach((chip, index) => chip.classList.toggle("lens-to-come", index >= count));
  root.dataset.shown = Math.min(count, lines.target.children.length);
}

function stopReplay() {
  if (replay) clearInterval(replay.timer);
  replay = null;
  delete root.dataset.replay;
}

function step() {
  replay.count += 1;
  upTo(replay.count);
  shade({ side: "target", index: replay.count - 1 });
  if (weights) draw(props.value);
  if (replay.count < lines.target.children.length) return;
  stopReplay();
  root.dataset.replay = "over";
}

// Asked for by present.js; asked again it pauses, and then goes on.
root.addEventListener("lens-replay", ({ detail }) => {
  if (body.hidden || !props.value.rows.length || props.value.growing) return;
  if (replay && replay.timer) {
    clearInterval(replay.timer);
    replay.timer = null;
    root.dataset.replay = "paused";
    return;
  }
  replay = replay || { count: 0 };
  replay.timer = setInterval(step, detail.pace);
  root.dataset.replay = "playing";
  step();
});

// -- all of it ------------------------------------------------------------------------------------------------------

function render() {
  const view = props.value;
  const now = JSON.stringify(view);
  if (replay && (now !== drawn || !onStage())) stopReplay(); // of another sentence, or for people who have left
  drawn = now;
  if (!present(view, message, body)) return;
  if (pinned && !goesOn(view)) pinned = null;
  weights = view.figure && view.grid && view.rows.length ? view.figure.data[0].z : null;
  top = weights ? view.figure.data[0].zmax : 1;
  nameLine(lines.source, view.languages[0]);
  nameLine(lines.target, view.languages[1]);
  body.dataset.source = view.languages[0][0]; // for whoever has the next sentence
  fill("source", view.columns, view.rows, view.unknown, SAID_UNSEEN, view.growing);
  fill("target", view.rows, view.columns, view.copied, SAID_COPIED, view.growing);
  lines.target.classList.toggle("lens-growing", view.growing);
  [...lines.source.children].forEach((chip, index) =>
    chip.classList.toggle("lens-struck", (view.struck || []).includes(index)));
  [...lines.source.children].forEach((chip, index, all) =>
    chip.classList.toggle("lens-padding", view.padding && index === all.length - 1));
  note.textContent = view.note;
  note.hidden = !view.note;
  scroller.hidden = !view.figure || !view.rows.length;
  caption.textContent = view.caption;
  plot.setAttribute("aria-label", view.caption);
  plot.setAttribute("aria-hidden", String(!view.caption)); // has no name while it grows
  // Once a translation, not once a word; only the view of the page's own sentence, which has a link, reads the translation out.
  announce(view.growing ? "" : `${view.link ? `${view.rows.join(" ")}. ` : ""}${view.note || view.caption}`);
  fillList(warnings, view.warnings);
  upTo(replay ? replay.count : Infinity);
  shade(replay ? { side: "target", index: replay.count - 1 } : pointed || pinned);
  if (!scroller.hidden) draw(view);
}

mount(root, render, scroller);
