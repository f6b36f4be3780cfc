// Buttons that ask for a file and save what comes back (see take_away.py). Runs after plot.js.

const root = document.createElement("div");
root.className = "take";
const group = make("div", "take-buttons", root);
group.setAttribute("role", "group");
group.setAttribute("aria-label", translated("Take it with you"));
const said = make("p", "take-said", root);
said.setAttribute("role", "status");

const PATIENCE = 60_000; // milliseconds
const PNG_SCALE = 2;
const MOST_PIXELS = 120e6; // a larger canvas stays empty in some browsers
let asked = 0; // the number of the question that is open; 0 if none is
let timer = null;

function say(text) {
  said.textContent = text;
  for (const button of group.children) button.setAttribute("aria-disabled", String(Boolean(asked)));
}

function ask(kind, label) {
  if (asked) return;
  asked = Date.now();
  timer = setTimeout(() => finish(translated("No answer came. Please try again.")), PATIENCE);
  say(translated("Making: {file} …", { file: label }));
  report("take", { kind, asked });
}

function finish(text) {
  clearTimeout(timer);
  asked = 0;
  say(text);
}

function save(blob, name, more = "") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), PATIENCE); // some browsers read it only later
  finish(translated("Saved: {file}{more}", { file: name, more }));
}

async function plotlySource() {
  const answer = await fetch(document.querySelector('script[src*="plotly.min.js"]').src);
  if (!answer.ok) throw new Error(`plotly.min.js: ${answer.status}`);
  return answer.text();
}

// The drawing on a canvas, at twice its size if that is not too large for a canvas.
async function rasterised(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  URL.revokeObjectURL(image.src);
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const scale = Math.min(PNG_SCALE, Math.sqrt(MOST_PIXELS / (width * height)), 16_000 / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return { blob, more: translated(", {width} × {height} pixels", { width: canvas.width, height: canvas.height }) };
}

async function receive(file) {
  if (!file || !asked || file.asked !== asked) return; // of an earlier question, or drawn anew
  if (file.error) return finish(file.error);
  try {
    if (file.kind === "png") {
      const { blob, more } = await rasterised(file.text);
      return save(blob, file.name, more);
    }
    let parts = [file.text];
    if (file.base64) parts = [Uint8Array.from(atob(file.base64), (c) => c.charCodeAt(0))];
    if (file.plotly && file.text.includes(file.plotly)) {
      const [before, after] = file.text.split(file.plotly);
      parts = [before, "<script>", await plotlySource(), "</script>", after];
    }
    save(new Blob(parts, { type: file.media }), file.name);
  } catch (error) {
    console.error(error);
    finish(translated("This browser could not make the file."));
  }
}

function render() {
  const value = props.value || {};
  if (value.kinds && !group.children.length)
    value.kinds.forEach(([kind, label]) => {
      const button = make("button", "take-button", group);
      button.type = "button";
      button.dataset.kind = kind;
      button.textContent = translated(label);
      button.addEventListener("click", () => ask(kind, translated(label)));
    });
  receive(value.file);
}

mount(root, render, root);
