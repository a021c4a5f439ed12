// The page, from first to last. The map comes first; what lies below it follows when the map stands.

const data = JSON.parse(document.getElementById("data").textContent);
const cracks = unpackCracks(data.cracks);
data.axes = data.axes && unpackLines(data.axes);
data.tracks = data.tracks && unpackLines(data.tracks);
data.breaks = [2, 5, 10, 20];
if (data.sections) data.sections.forEach((row, at) => { row.at = at; });
theme.start();
keyFigures(data);
opening(data);
legend(data);

const state = makeState(cracks);
state.filter();
const map = crackMap(state, data, (chosen) => choose(chosen, false));

function choose(chosen, move) {
  state.chosen = chosen.crack ?? null;
  if (move) { map.showCrack(chosen.crack); document.getElementById("map-part").scrollIntoView(); document.getElementById("map").focus({ preventScroll: true }); }
  map.redraw();
  showDetail(chosen, state, data);
}

function sayShown() {
  const all = data.lengths;
  put("shown", `${counted(state.count, "crack", "cracks")} of ${number(all.total_count, 0)}, ${metres(state.count === all.total_count ? all.total_m : state.length_mm / 1000)} of ${metres(all.total_m)}`);
}
if (cracks) filterForm(state, data);
showDetail({}, state, data);
addEventListener("beforeprint", () => map.print(document.getElementById("map-print")));
state.listeners.push(sayShown);
sayShown();
requestAnimationFrame(() => setTimeout(() => { performance.mark("map drawn"); document.documentElement.dataset.map = "drawn"; }, 0));

function below() {
  sectionsPart(data, map);
  lengthsPart(data);
  widthsPart(data);
  const refresh = cracksPart(state, data, choose);
  let waiting = 0;
  if (refresh) state.listeners.push(() => { clearTimeout(waiting); waiting = setTimeout(refresh, 150); });
  coveragePart(data);
  deliveryPart(data, map);
  quarantinePart(data);
  familiarityPart(data);
  changesPart(data);
  provenancePart(data);
  const contents = [...document.querySelectorAll("main > section:not([hidden])")].map((section) => make("li", {}, make("a", { href: `#${section.id}` }, section.querySelector("h2").textContent)));
  put("contents", ...contents);
  document.documentElement.dataset.page = "ready";
}
// The pictures stand behind this script in the file, so that the map need not wait for them.
// They are begun at once: the page counts as loaded when they are, and a PDF is made no earlier.
addEventListener("DOMContentLoaded", () => { worstPart(data, cracks, choose); setTimeout(below, 0); });
