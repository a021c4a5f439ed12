// What the filter lets through. One look at all cracks: typed arrays, no objects.

function makeState(cracks) {
  const n = cracks ? cracks.count : 0;
  const state = {
    cracks, listeners: [],
    passes: new Uint8Array(n).fill(1),
    classOn: [1, 1, 1, 1, 1], typeOn: [1, 1, 1, 1, 1], from: null, to: null, confidence: 0,
    layers: { cracks: true, images: true, sections: true, delivery: true },
    chosen: null,
    count: n, length_mm: 0,
  };
  // Rounded, as 1.1 * 100 is more than 110. Width limits leave out what was not measured: nobody knows whether it is within them.
  state.filter = () => {
    const from = state.from === null ? -1 : Math.round(state.from * 100), to = state.to === null ? 65534 : Math.round(state.to * 100);
    const limited = state.from !== null || state.to !== null;
    let count = 0, length = 0;
    for (let i = 0; i < n; i++) {
      const width = cracks.width[i];
      const on = state.classOn[cracks.width_class[i]] && state.typeOn[cracks.type[i]] && cracks.confidence[i] >= state.confidence
        && (!limited || (width !== 65535 && width >= from && width <= to));
      state.passes[i] = on ? 1 : 0;
      if (on && cracks.width_class[i] < 4) { count++; length += cracks.length_mm[i]; }
    }
    state.count = count; state.length_mm = length;
    state.listeners.forEach((listener) => listener());
  };
  return state;
}

function checkBoxes(id, entries, onchange) {
  const box = document.getElementById(id);
  for (const { label, style, on, set } of entries) {
    const input = make("input", { type: "checkbox", checked: on, onchange: () => { set(input.checked); onchange(); } });
    box.append(make("label", { class: "check" }, input, style ? swatch(style) : null, label));
  }
}

function filterForm(state, data) {
  const form = document.getElementById("filter"), cracks = state.cracks;
  const present = (column, code) => column.includes(code);
  const changed = () => state.filter();
  checkBoxes("by-class", CLASS_WORDS.map((label, k) => ({ label, k })).filter(({ k }) => present(cracks.width_class, k))
    .map(({ label, k }) => ({ label, style: CLASS_STYLES[k], on: true, set: (on) => { state.classOn[k] = on ? 1 : 0; } })), changed);
  checkBoxes("by-type", TYPE_WORDS.map((label, k) => ({ label, k })).filter(({ k }) => present(cracks.type, k))
    .map(({ label, k }) => ({ label, on: true, set: (on) => { state.typeOn[k] = on ? 1 : 0; } })), changed);
  const layers = [["images", "images", "footprint"], ["sections", "sections", "s2"], ["delivery", "track and delivery", "track"]]
    .filter(([name]) => (name !== "sections" || data.axes) && (name !== "delivery" || data.tracks));
  checkBoxes("by-layer", layers.map(([name, label, style]) => ({ label, style, on: true, set: (on) => { state.layers[name] = on; } })),
    () => state.listeners.forEach((listener) => listener()));
  const numeric = (id, key) => document.getElementById(id).addEventListener("input", (event) => {
    const value = event.target.valueAsNumber;
    state[key] = Number.isNaN(value) ? null : value;
    changed();
  });
  numeric("width-from", "from"); numeric("width-to", "to");
  const slider = document.getElementById("confidence"), said = document.getElementById("confidence-said");
  slider.addEventListener("input", () => { state.confidence = Number(slider.value); said.textContent = `${slider.value} %`; changed(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    Object.assign(state, { classOn: [1, 1, 1, 1, 1], typeOn: [1, 1, 1, 1, 1], from: null, to: null, confidence: 0,
      layers: { cracks: true, images: true, sections: true, delivery: true } });
    said.textContent = "0 %";
    changed();
  });
}
