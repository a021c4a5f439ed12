// Pictures of cracks: the road, the mask as a tint, the line. They are decoded when they are first looked at.

const pictures = {
  list: null,
  all() {
    if (!this.list) {
      this.list = JSON.parse(document.getElementById("pictures").textContent);
      this.of = new Map(this.list.map((each) => [each.crack, each]));
    }
    return this.list;
  },
  get(crack) { this.all(); return this.of.get(crack) ?? null; },
};

function load(type, data) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture in this file is damaged"));
    image.src = `data:${type};base64,${data}`;
  });
}

async function paint(canvas, picture, { mask = true, line = true } = {}) {
  const ratio = 2;
  picture.loaded ??= Promise.all([load("image/webp", picture.road), load("image/png", picture.mask)]);
  const [road, tint] = await picture.loaded;
  canvas.width = picture.width * ratio; canvas.height = picture.height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.drawImage(road, 0, 0, picture.width, picture.height);
  if (mask) { pen.globalAlpha = 0.4; pen.drawImage(tint, 0, 0, picture.width, picture.height); pen.globalAlpha = 1; }
  if (line) {
    for (const [colour, thick] of [["#000000", 2.6], ["#ffffff", 1.2]]) {
      pen.strokeStyle = colour; pen.lineWidth = thick; pen.lineJoin = "round";
      pen.beginPath();
      for (const each of picture.lines) for (let v = 0; v < each.length; v += 2) pen[v ? "lineTo" : "moveTo"](each[v], each[v + 1]);
      pen.stroke();
    }
  }
  scaleBar(pen, picture);
  canvas.dataset.painted = "yes";
}

// A bar of a round length at the lower left.
function scaleBar(pen, picture) {
  const mm = [1000, 500, 200, 100, 50, 20, 10].find((each) => each / picture.mm_per_px <= 0.4 * picture.width) ?? 5;
  const long = mm / picture.mm_per_px, y = picture.height - 8;
  pen.fillStyle = "rgba(255,255,255,.85)"; pen.fillRect(4, y - 15, Math.max(long, 44) + 8, 20);
  pen.fillStyle = "#111"; pen.fillRect(8, y, long, 2.5);
  pen.font = "11px sans-serif"; pen.fillText(mm >= 1000 ? "1 m" : `${mm / 10} cm`, 8, y - 4);
}

function pictureOf(crack, label) {
  const picture = pictures.get(crack);
  if (!picture) return null;
  const canvas = make("canvas", { role: "img", "aria-label": label, width: picture.width, height: picture.height });
  return { canvas, picture, draw: (layers) => paint(canvas, picture, layers) };
}
