// Small helpers: elements whose content is always text, and numbers as people read them.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

const NONE = "–";
const formats = [0, 1, 2, 3].map((digits) => new Intl.NumberFormat("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

function number(value, digits = 1) {
  return value === null || value === undefined || Number.isNaN(value) ? NONE : formats[digits].format(value);
}
// A limit that somebody set, with the digits that it has: 1.5 mm are not 2 mm.
function limit(mm) {
  return String(mm);
}
function metres(value) {
  if (value === null || value === undefined) return NONE;
  if (value >= 100000) return `${number(value / 1000, 0)} km`;
  if (value >= 10000) return `${number(value / 1000, 1)} km`;
  return `${number(value, value < 10 ? 2 : value < 1000 ? 1 : 0)} m`;
}
function share(part, whole) {
  return whole > 0 ? `${number((100 * part) / whole, 1)} %` : NONE;
}
function area(value) {
  if (value === null || value === undefined) return NONE;
  return `${number(value, value < 100 ? 1 : 0)} m²`;
}
function counted(count, one, many) {
  return `${number(count, 0)} ${count === 1 ? one : many}`;
}
function width(mm, sigma) {
  if (mm === null) return "not measured";
  return sigma === null ? `${number(mm, 2)} mm` : `${number(mm, 2)} ± ${number(sigma, 2)} mm`;
}
function named(text) {
  return make("bdi", { class: "name" }, text);
}
function facts(pairs) {
  const list = make("dl", { class: "facts" });
  for (const [term, value] of pairs) {
    if (value !== null && value !== undefined) list.append(make("dt", {}, term), make("dd", {}, value));
  }
  return list;
}
function swatch(name) {
  return make("i", { class: `swatch c-${name}`, "aria-hidden": "true" });
}
function put(id, ...children) {
  const element = document.getElementById(id);
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
const p = (...children) => make("p", {}, ...children);
const h3 = (text) => make("h3", {}, text);

const CLASS_WORDS = ["tiny", "small", "wide", "not measured", "other lines"];
const CLASS_STYLES = ["tiny", "small", "wide", "unmeasured", "other"];
const TYPE_WORDS = ["longitudinal", "transverse", "diagonal", "pattern", "unknown"];
