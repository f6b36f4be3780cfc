// Share, the address bar, and the mode for a room (see present.py). Runs after plot.js.

const PACE = 600; // milliseconds a word: a room can follow
const LINK_KEYS = ["text", "checkpoint", "left", "right", "beam", "unit", "eos", "reference", "show", "way", "step", "tab"]; // see links.py
const STORED = { sentences: "attention-lens-sentences", pictures: "attention-lens-pictures", letters: "attention-lens-letters" };
const HUB = "https://huggingface.co"; // the only page around this one that is told anything
const MOST = 200; // sentences in the list
// What takes letters itself.
const FIELDS =
  "input:not([type=range], [type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable=true], " +
  "[role=combobox], [role=listbox], [role=option], [role=menu]";
const VIEWS = ["#duet", "#attention-view", "#inside-view"];
const BOXES = {
  duet: "#compare-text", "attention-view": "#source-text", "caption-boards": "#scene-code", "paint-boards": "#description",
};

const root = document.createElement("div");
const tools = make("div", "stage-tools", root);
const said = make("span", "stage-said", tools);
said.setAttribute("role", "status");
const shareButton = button(translated("Share"), "take-button", tools, share);
const presentButton = button(translated("Present"), "take-button", tools, enter);
const help = make("div", "stage-help", root);
help.setAttribute("role", "group");
help.setAttribute("aria-label", translated("Presenter mode"));
const place = make("span", "stage-place", help);
place.setAttribute("role", "status");
const keyButtons = [
  ["←", translated("the one before"), () => go(-1)],
  ["→", translated("the next one"), () => go(1)],
  [translated("Space"), translated("replay, pause"), replay],
  ["F", translated("full screen"), fullScreen],
  ["E", translated("edit the list"), edit],
  [translated("Esc"), translated("leave"), leave],
].map(([key, does, act]) => ({ key, does, node: button("", "stage-key", help, act) }));
const list = make("dialog", "stage-list", root);
list.setAttribute("aria-labelledby", "stage-title");
const title = make("h2", "", list);
title.id = "stage-title";
title.textContent = translated("What to present");
const hint = make("p", "help", list);
hint.id = "stage-hint";
const box = make("textarea", "", list);
box.setAttribute("aria-labelledby", "stage-title");
box.setAttribute("aria-describedby", "stage-hint");
const lettersLabel = make("label", "stage-letters", list);
const letters = make("input", "", lettersLabel);
letters.type = "checkbox";
lettersLabel.append(translated("The letters P, F and E are keys. Without them, the buttons do the same."));
const choices = make("div", "take-buttons", list);
button(translated("Keep"), "take-button", choices, keep);
button(translated("Cancel"), "take-button", choices, () => list.close());

let touched = false; // whether anybody has done anything yet
let before = null; // what had the focus
let sent = null; // what the last arrow key on this stage asked for
const unsaved = {}; // the lists, where the browser may keep nothing

function button(text, className, parent, act) {
  const node = make("button", className, parent);
  node.type = "button";
  node.textContent = text;
  node.addEventListener("click", act);
  return node;
}

const seen = (node) => Boolean(node && node.getClientRects().length);
// The view of the open tab; of Pictures, which has two, the one that was asked for last.
const view = () => [...VIEWS, `#${document.body.dataset.pictured}`].map((name) => document.querySelector(name)).find(seen);
const turnTo = (boards) => (document.body.dataset.pictured = boards);
turnTo(new URLSearchParams(location.search).get("way") === "paint" ? "paint-boards" : "caption-boards");
const onPictures = () => Boolean(view() && view().matches(".boards"));

// -- links ----------------------------------------------------------------------------------------------------------

function shownLink() {
  const body = view() && view().querySelector("[data-link]");
  return (body && body.dataset.link) || "";
}

function setAddress(change) {
  const query = new URLSearchParams(location.search);
  change(query);
  const search = query.size === 0 ? "" : `?${query}`;
  if (search === location.search) return;
  history.replaceState(history.state, "", location.pathname + search + location.hash);
  tellHub(query);
}

// A Space is shown in a frame, and the address bar has the address of the page around it, which follows what it is told. Keys
// that begin with two underscores come from there: the theme, and the pass to a private Space, which no link shall have.
function tellHub(query) {
  if (window.parent === window) return;
  [...query.keys()].filter((key) => key.startsWith("__")).forEach((key) => query.delete(key));
  window.parent.postMessage({ queryString: query.toString(), hash: location.hash }, HUB);
}

const openTab = () => document.querySelector("button[role=tab][aria-selected=true]")?.dataset.tabId;

// What stands there before anybody has touched the page is what its address asked for. Where nothing can be linked to, as in
// Batch and after a refusal, the address names no more than the tab; none is Translate's.
function followLink() {
  if (!touched) return;
  const tab = openTab();
  const link = shownLink() || (tab && tab !== "translate" ? `tab=${tab}` : "");
  setAddress((query) => {
    LINK_KEYS.forEach((key) => query.delete(key));
    new URLSearchParams(link).forEach((value, key) => query.set(key, value));
  });
}

// Browsers refuse an address that changes a hundred times in a few seconds, as by a slider.
let following = null;
function followSoon() {
  clearTimeout(following);
  following = setTimeout(followLink, 100);
}

async function share() {
  tools.querySelectorAll(".stage-link").forEach((old) => old.remove());
  const link = shownLink();
  if (!link) {
    said.textContent = translated("There is nothing to share here yet.");
    return;
  }
  // A language that the link has asked for, others shall see too.
  const language = new URLSearchParams(location.search).get("lang");
  const asked = language ? `&${new URLSearchParams({ lang: language })}` : "";
  const address = `${location.origin}${location.pathname}?${link}${asked}`;
  said.textContent = "";
  try {
    await navigator.clipboard.writeText(address);
    said.textContent = translated("Link copied");
  } catch {
    // No permission, or a page that came over plain http: the link stands there, marked.
    const field = make("input", "stage-link", tools);
    field.readOnly = true;
    field.value = address;
    field.setAttribute("aria-label", translated("Link to what is shown"));
    field.select();
    said.textContent = document.execCommand("copy") ? translated("Link copied") : translated("Copy this link with Ctrl+C or ⌘C:");
  }
}

document.addEventListener("lens-link", ({ target, detail }) => {
  if (detail.asked && !onStage()) turnTo(target.closest(".boards").id);
  if (!detail.growing) followSoon(); // what is being written will have a link in a moment
});
["pointerdown", "keydown"].forEach((kind) => document.addEventListener(kind, () => (touched = true), true));

// -- what is presented ----------------------------------------------------------------------------------------------

// Of what is shown.
const sourceLanguage = () => (view() && view().querySelector("[data-source]")?.dataset.source) || "en";
const parsed = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, MOST);

// Some browsers let a page keep nothing; then what is chosen lasts as long as the page.
function stored(kind) {
  try {
    return localStorage.getItem(STORED[kind]) || unsaved[kind] || "";
  } catch {
    return unsaved[kind] || "";
  }
}

function store(kind, text) {
  unsaved[kind] = text;
  try {
    localStorage.setItem(STORED[kind], text);
  } catch {
    // as above
  }
}

function sentences() {
  const own = parsed(stored(onPictures() ? "pictures" : "sentences"));
  return own.length ? own : props.value.sentences[onPictures() ? "pictures" : sourceLanguage()] || [];
}

function edit() {
  hint.textContent = onPictures()
    ? translated("One scene or description a line; a scene by its code, as in a link. They are kept in this browser; an empty list brings the examples back.")
    : translated("One sentence a line. They are kept in this browser; an empty list brings the examples back.");
  box.value = sentences().join("\n");
  letters.checked = lettersAreKeys();
  list.showModal();
}

function keep() {
  store(onPictures() ? "pictures" : "sentences", parsed(box.value).join("\n"));
  store("letters", letters.checked ? "" : "off");
  list.close();
  nameKeys();
  say();
}

const textBox = () => view() && document.querySelector(`${BOXES[view().id]} textarea`);

// Where the list stands; −1 at what is not in it. A scene need not have come from the box.
function current() {
  const shown = onPictures() ? new URLSearchParams(shownLink()).get("text") : textBox()?.value.trim();
  return sentences().indexOf(sent ?? shown);
}

function say(index = current()) {
  place.textContent = index < 0 ? "" : `${index + 1} / ${sentences().length}`;
}

function go(direction) {
  const all = sentences();
  if (!textBox()) return;
  const index = current() < 0 && direction < 0 ? all.length - 1 : (current() + direction + all.length) % all.length;
  sent = all[index];
  if (onPictures()) turnTo(/\d/.test(sent) ? "caption-boards" : "paint-boards"); // only a scene's code has numbers
  followLink();
  // As if it had been typed and sent.
  const text = textBox();
  text.value = sent;
  text.dispatchEvent(new Event("input", { bubbles: true }));
  const send = document.querySelector(`${BOXES[view().id]} .submit-button`);
  setTimeout(() => send.click()); // when the page has taken the text in
  say(index);
}

// -- the mode -------------------------------------------------------------------------------------------------------

// event: what asked for it; none if the address did, whose tab is not open yet (links.py sees to that one).
function enter(event) {
  if (onStage()) return;
  // Inside and Batch cannot be presented.
  const shown = view();
  if (event && (!shown || shown.id === "inside-view")) document.querySelector("button[role=tab]").click();
  sent = null;
  before = document.activeElement;
  document.body.classList.add("presenting");
  setAddress((query) => query.set("present", "1"));
  if (before) before.blur();
  said.textContent = "";
  say();
}

function leave() {
  document.body.classList.remove("presenting");
  setAddress((query) => query.delete("present"));
  if (document.fullscreenElement) document.exitFullscreen();
  focusWhenSeen(before && before !== document.body && before.isConnected ? before : presentButton);
}

// What was hidden takes no focus before the next picture or two of the page.
function focusWhenSeen(node, tries = 60) {
  node.focus();
  if (document.activeElement !== node && tries) requestAnimationFrame(() => focusWhenSeen(node, tries - 1));
}

function replay() {
  const scenes = view() ? [...view().querySelectorAll(".lens > div")] : [];
  const [playing, paused] = ["playing", "paused"].map((state) => scenes.filter((scene) => scene.dataset.replay === state));
  // Of two boards the one that has ended waits for the other.
  const meant = [playing, paused, scenes].find((some) => some.length) || [];
  meant.forEach((scene) => scene.dispatchEvent(new CustomEvent("lens-replay", { detail: { pace: PACE } })));
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (document.documentElement.requestFullscreen) document.documentElement.requestFullscreen().catch(() => {});
}

// Who speaks to a computer, or strikes a key by accident, can do without letters as keys (WCAG 2.1.4).
const lettersAreKeys = () => stored("letters") !== "off";

function nameKeys() {
  presentButton.title = lettersAreKeys() ? translated("Large, for a room. Key: P") : "";
  keyButtons.forEach(({ key, does, node }) => (node.textContent = /^[A-Z]$/.test(key) && !lettersAreKeys() ? does : `${key} ${does}`));
}

nameKeys();

const KEYS = { ArrowLeft: () => go(-1), ArrowRight: () => go(1), " ": replay, f: fullScreen, e: edit, Escape: leave };

// Before anything else hears of it: under a stage nothing else has keys, but for Tab and Enter.
function pressed(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || list.open) return;
  const named = event.key ?? ""; // what a browser fills in comes with events that have none
  const key = named.length === 1 ? named.toLowerCase() : named;
  if (/^[a-z]$/.test(key) && !lettersAreKeys()) return;
  if (!onStage()) {
    if (key === "p" && event.type === "keydown" && !event.target.closest?.(FIELDS)) enter(event);
    return;
  }
  if (!(key in KEYS)) return;
  event.preventDefault(); // also of the key's release, which would press a focused button
  event.stopPropagation();
  if (event.type === "keydown" && !event.repeat) KEYS[key]();
}

document.addEventListener("keydown", pressed, true);
document.addEventListener("keyup", pressed, true);

// Gradio gives each radio button a name of its own whenever it draws them, and then no arrow key leads from one to the next.
function oneGroup({ target }) {
  if (target.type !== "radio") return;
  const group = target.closest(".wrap").querySelectorAll("input[type=radio]");
  group.forEach((radio) => (radio.name = group[0].name));
}

document.addEventListener("keydown", oneGroup, true);
document.addEventListener("lens-link", () => onStage() && say());
if (new URLSearchParams(location.search).get("present") === "1") enter();

// Another tab shows something else, so the address follows: when it is open, and when it came out of the menu of a narrow page,
// where no tab stands that had been closed before.
new MutationObserver(followSoon).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["aria-selected"] });
document.addEventListener("click", (event) => event.target.closest(".tab-wrapper") && followSoon());

function render() {}

mount(root, render, root);
