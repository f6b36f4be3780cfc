// Puts the layout into the page's language before Gradio draws it (see visitor.py): after a line with `lensTexts`, English ->
// that language, and after `gradio_config`.

// Gradio's own words, such as those of an upload, follow the browser's language. They shall follow the page's.
Object.defineProperty(navigator, "language", { value: document.documentElement.lang });

((config) => {
  if (!config) return;
  const put = (text) => window.lensTexts[text] || text;
  const WRITTEN = ["html", "markdown", "button"]; // what has a text for its value
  for (const { type, props } of config.components || []) {
    const names = ["label", "info", "placeholder", "submit_btn", ...(WRITTEN.includes(type) ? ["value"] : [])];
    names.filter((name) => typeof props[name] === "string").forEach((name) => (props[name] = put(props[name])));
    if (props.choices) props.choices = props.choices.map(([name, value]) => [put(name), value]);
  }
})(window.gradio_config);
