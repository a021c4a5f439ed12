// Light and dark: as the system says, or as chosen. Prints are always light.

const theme = {
  chosen: "",
  listeners: [],
  dark() {
    return this.chosen === "dark" || (this.chosen === "" && matchMedia("(prefers-color-scheme: dark)").matches);
  },
  apply(dark) {
    document.documentElement.toggleAttribute("data-dark", dark);
    this.listeners.forEach((listener) => listener());
  },
  start() {
    const select = document.getElementById("theme");
    select.addEventListener("change", () => { this.chosen = select.value; this.apply(this.dark()); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.apply(this.dark()));
    addEventListener("beforeprint", () => this.apply(false));
    addEventListener("afterprint", () => this.apply(this.dark()));
    document.getElementById("print").addEventListener("click", () => print());
    this.apply(this.dark());
  },
};

function colours() {
  const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    classes: [of("tiny"), of("small"), of("wide"), of("unmeasured"), of("other")],
    sections: [0, 1, 2, 3, 4].map((k) => of(`s${k}`)),
    footprint: of("footprint"), track: of("track"), fault: of("fault"), aside: of("aside"), chosen: of("chosen"), paper: of("paper"), soft: of("soft"), ink: of("ink"),
  };
}
