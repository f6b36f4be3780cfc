// Plays two translations in step (see duet.py). Runs after plot.js.

const [A_WORD, IN_ALL] = [160, 8000]; // milliseconds: no word is slower, and no sentence longer
const root = document.createElement("div");
const message = make("p", "lens-message", root);
message.setAttribute("role", "alert");
const body = make("div", "duet", root);
const sentence = make("p", "duet-text", body); // seen on a stage only, where the text box is not
const columns = make("div", "duet-columns", body);
const panes = [pane(), pane()];
const controls = make("div", "duet-controls", body);
const play = button(translated("▶ Play"));
const replay = button(translated("↺ Replay"));
const scrubber = make("input", "duet-scrubber", controls);
scrubber.type = "range";
scrubber.min = 0;
scrubber.setAttribute("aria-label", translated("How many words are shown"));
const counter = make("span", "duet-counter", controls);
const legend = make("p", "duet-legend", body);
legend.append(translated("Underline: probability of the word."), " ");
[
  ["duet-sure", translated("{share} or more", { share: percent(0.9) })],
  ["duet-likely", percent(0.5)],
  ["duet-unsure", percent(0.2)],
  ["duet-guess", translated("less")],
].forEach(([className, text]) => {
  make("span", className, legend).textContent = text;
  legend.append(" ");
});
legend.append(" ", translated("≠ marks the first word where they part; tinted words are not in the other sentence."));
const warnings = make("ul", "lens-warnings", body);
const announce = announcer(body);

let shown = 0; // words of each side that stand there
let last = 0; // words of the longer side
let timer = null;
let current = ""; // the value that is playing

function pane() {
  const box = make("section", "duet-pane", columns);
  const label = make("h3", "duet-label", box);
  const words = make("p", "duet-words", box);
  words.tabIndex = 0; // a long translation scrolls, and the arrow keys must reach it
  return { label, words, facts: make("dl", "duet-facts", box) };
}

function button(text) {
  const node = make("button", "duet-button", controls);
  node.type = "button";
  node.textContent = text;
  return node;
}

const underline = (p) => (p >= 0.9 ? "duet-sure" : p >= 0.5 ? "duet-likely" : p >= 0.2 ? "duet-unsure" : "duet-guess");

function fill(side, { label, words, facts }) {
  label.textContent = side.label;
  words.replaceChildren();
  side.words.forEach((text, index) => {
    const word = make("span", `duet-word ${underline(side.probabilities[index])}`, words);
    word.classList.toggle("duet-different", side.different[index]);
    word.classList.toggle("duet-parted", index === props.value.parted_at);
    const written = make("span", "", word);
    written.textContent = text;
    written.lang = side.language;
    const share = translated("probability {share}", { share: percent(side.probabilities[index], 1) });
    const differs = translated("probability {share}, differs", { share: percent(side.probabilities[index], 1) });
    make("span", "lens-said", word).textContent = ` (${side.different[index] ? differs : share})`;
    word.title = share;
    words.append(" ");
  });
  if (!side.words.some((word) => word !== "<eos>")) words.append(translated("(it wrote nothing)"));
  facts.replaceChildren();
  side.facts.forEach(([name, value]) => {
    make("dt", "", facts).textContent = name;
    make("dd", "", facts).textContent = value;
  });
}

// Words to come keep their room, so that nothing jumps.
function show(count) {
  shown = Math.max(0, Math.min(last, count));
  panes.forEach(({ words }) =>
    words.querySelectorAll(".duet-word").forEach((word, index) => word.classList.toggle("duet-hidden", index >= shown)),
  );
  scrubber.value = shown;
  root.dataset.shown = shown;
  counter.textContent = translated("{shown} / {count} words", { shown, count: last });
}

function stop() {
  clearInterval(timer);
  timer = null;
  play.textContent = translated("▶ Play");
}

function start(from, pace = Math.min(A_WORD, IN_ALL / last)) {
  stop();
  show(from);
  play.textContent = translated("❚❚ Pause");
  timer = setInterval(() => (shown < last ? show(shown + 1) : stop()), pace);
}

// Asked for by present.js; asked again it pauses, and then goes on.
root.addEventListener("lens-replay", ({ detail }) => {
  if (!last) return;
  if (timer && shown < last) stop(); // at the last word its time is over
  else start(shown < last ? shown : 0, detail.pace);
});

play.addEventListener("click", () => (timer ? stop() : start(shown < last ? shown : 0)));
replay.addEventListener("click", () => start(0));
scrubber.addEventListener("input", () => {
  stop();
  show(Number(scrubber.value));
});

function render() {
  const value = props.value;
  const drawn = present(value, message, body);
  const next = JSON.stringify(value && { ...value, link: "" });
  if (next === current) return; // only the theme, the width or the link has changed
  const first = !current || current === "null"; // the page opens empty and is filled a moment later
  current = next;
  stop();
  if (!drawn) return;
  body.dataset.source = value.source;
  body.dataset.text = sentence.textContent = value.text;
  value.sides.forEach((side, index) => fill(side, panes[index]));
  last = Math.max(...value.sides.map((side) => side.words.length));
  scrubber.max = last;
  fillList(warnings, value.warnings);
  if (!first) announce(value.sides.map((side) => `${side.label}: ${side.words.join(" ")}`).join(". "));
  // What stands there when the page opens, and for readers who want no motion, is complete at once.
  if (first || matchMedia("(prefers-reduced-motion: reduce)").matches) show(last);
  else start(0);
}

mount(root, render, columns);
