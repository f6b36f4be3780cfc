// Draws a figure as wide as its place. Runs after plot.js.

const root = document.createElement("div");
const note = make("p", "lens-caption", root);
const plot = make("div", "lens-plot", root);
const queue = plotQueue();
// The points with the keyboard, and for screen readers: a slider that is seen while it has the focus.
const walk = make("input", "duet-scrubber lens-walk", root);
walk.type = "range";
[walk.min, walk.value] = [0, 0];
walk.setAttribute("aria-label", translated("Points of the chart"));
let points = []; // {curveNumber, pointNumber, subplot, said}

function render() {
  const { figure, text } = { figure: props.value && props.value.figure, text: (props.value && props.value.note) || "" };
  note.textContent = text;
  note.hidden = !text;
  plot.hidden = walk.hidden = !figure;
  if (!figure) return;
  points = figure.data.flatMap((trace, curveNumber) => pointsOf(trace, curveNumber, figure.layout));
  walk.max = points.length - 1;
  tell();
  // In a hidden tab Plotly would measure the legend as nothing, and remember that; it is drawn when the tab is opened.
  if (!root.clientWidth) return;
  const { data, layout } = painted(figure);
  layout.width = root.clientWidth;
  queue.add(() => Plotly.react(plot, data, layout, PLOT_CONFIG).then(listen));
}

// Labels are HTML, as Plotly wants them.
const plain = (html) => new DOMParser().parseFromString(html.replace(/<br>/g, " "), "text/html").body.textContent;

function pointsOf(trace, curveNumber, layout) {
  if (trace.hoverinfo === "skip") return [];
  const titles = [layout.xaxis, layout[(trace.yaxis || "y").replace("y", "yaxis")]].map((axis) => axis.title.text);
  return trace.x.map((x, i) => {
    const said = [trace.name, trace.text && trace.text[i], `${titles[0]}: ${x}`, `${titles[1]}: ${trace.y[i]}`];
    return { curveNumber, pointNumber: i, subplot: `x${trace.yaxis || "y"}`, said: plain(said.filter(Boolean).join("; ")) };
  });
}

function tell() {
  const point = points[walk.value];
  walk.setAttribute("aria-valuetext", point ? point.said : "");
  return point;
}

walk.addEventListener("input", () => {
  const { curveNumber, pointNumber, subplot } = tell();
  Plotly.Fx.hover(plot, [{ curveNumber, pointNumber }], subplot);
});
walk.addEventListener("blur", () => Plotly.Fx.unhover(plot));
walk.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && points.length) report("pick", { index: points[walk.value].pointNumber });
});

function listen() {
  if (plot.dataset.listening) return;
  plot.dataset.listening = "yes";
  plot.on("plotly_click", (event) => report("pick", { index: event.points[0].pointNumber }));
}

mount(root, render, root);
