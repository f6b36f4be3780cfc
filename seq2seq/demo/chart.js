// Draws a figure as wide as its place. Runs after plot.js.

const root = document.createElement("div");
const note = make("p", "lens-caption", root);
const plot = make("div", "lens-plot", root);
const queue = plotQueue();

function render() {
  const { figure, text } = { figure: props.value && props.value.figure, text: (props.value && props.value.note) || "" };
  note.textContent = text;
  note.hidden = !text;
  plot.hidden = !figure;
  // In a hidden tab Plotly would measure the legend as nothing, and remember that; it is drawn when the tab is opened.
  if (!figure || !root.clientWidth) return;
  const { data, layout } = painted(figure);
  layout.width = root.clientWidth;
  queue.add(() => Plotly.react(plot, data, layout, PLOT_CONFIG).then(listen));
}

function listen() {
  if (plot.dataset.listening) return;
  plot.dataset.listening = "yes";
  plot.on("plotly_click", (event) => trigger("pick", { index: event.points[0].pointNumber }));
}

mount(root, render, root);
