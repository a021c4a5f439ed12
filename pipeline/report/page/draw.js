// The map's picture on a canvas. A view says how metres become pixels: x_px = x * k + ox, y_px = -y * k + oy.
//
// Far out a crack is smaller than a pixel: then a dot stands for it, one for all cracks of a class on a pixel, and
// vertices closer than a pixel are left out. So the time depends on what can be seen. Many lines share one stroke, but not too many: a path of
// 100,000 lines takes longer than 200 paths of 500.

const LINE_PX = [1.3, 2.0, 3.0, 1.6, 1.2];
const ORDER = [4, 3, 0, 1, 2];
const DASHES_FROM = 60; // px per metre
const SECTIONS_OVER = 2; // px per metre

function drawAll(pen, view, state, data, palette) {
  pen.lineJoin = "round"; pen.lineCap = "butt";
  if (state.layers.images) drawFootprints(pen, view, data, palette);
  // far out cracks would hide the sections, which tell more there
  const far = view.k < SECTIONS_OVER, sections = state.layers.sections && data.axes;
  if (sections && !far) drawSections(pen, view, data, palette);
  if (state.cracks) ORDER.forEach((code) => drawClass(pen, view, state, code, palette));
  if (sections && far) drawSections(pen, view, data, palette);
  if (state.layers.delivery && data.tracks) drawDelivery(pen, view, data, palette);
  if (state.chosen !== null && state.cracks) drawChosen(pen, view, state, palette);
}

function drawFootprints(pen, view, data, palette) {
  const { k, ox, oy, width, height } = view, { rows, corners_cm: corners } = data.images;
  for (const quarantined of [false, true]) {
    const wide = Math.ceil(width), dotted = new Uint8Array(wide * Math.ceil(height));
    const dots = new Path2D(), outlines = new Path2D();
    for (let i = 0; i < rows.length; i++) {
      const c = corners[i];
      if (!c || (rows[i][1] !== "done") !== quarantined) continue;
      const x0 = (c[0] / 100) * k + ox, y0 = (-c[1] / 100) * k + oy, reach = ((Math.abs(c[0] - c[4]) + Math.abs(c[1] - c[5])) / 100) * k;
      if (x0 < -reach || y0 < -reach || x0 > width + reach || y0 > height + reach) continue;
      if (reach < 4) {
        const pixel = Math.floor(y0) * wide + Math.floor(x0);
        if (dotted[pixel]) continue;
        dotted[pixel] = 1;
        dots.rect(x0 - 1, y0 - 1, 2, 2);
        continue;
      }
      outlines.moveTo(x0, y0);
      for (let v = 2; v < 8; v += 2) outlines.lineTo((c[v] / 100) * k + ox, (-c[v + 1] / 100) * k + oy);
      outlines.closePath();
    }
    pen.strokeStyle = pen.fillStyle = quarantined ? palette.aside : palette.footprint;
    pen.lineWidth = 1;
    pen.setLineDash(quarantined ? [5, 4] : []);
    pen.fill(dots);
    pen.globalAlpha = 0.16; pen.fill(outlines); pen.globalAlpha = 1; pen.stroke(outlines);
  }
  pen.setLineDash([]);
}

// The way that was driven, and over it what is odd: gaps as thick pieces, jumps dashed, all else as rings; of a frame
// without a place the ring lies at the frame before it, and is dashed.
function drawDelivery(pen, view, data, palette) {
  const { k, ox, oy } = view, at = (places, v) => [(places[v] / 100) * k + ox, (-places[v + 1] / 100) * k + oy];
  pen.strokeStyle = palette.track; pen.lineWidth = 1.5;
  pen.beginPath();
  for (let i = 0; i < data.tracks.count; i++) trace(pen, view, data.tracks, i);
  pen.stroke();
  pen.strokeStyle = palette.fault;
  for (const { events } of data.deliveries) for (const [kind, , , places] of events) {
    if (!places) continue;
    pen.lineWidth = kind === "gap" ? 6 : 2;
    pen.setLineDash(kind === "jump" || kind === "set aside" ? [4, 3] : []);
    pen.beginPath();
    if (places.length > 2) { pen.moveTo(...at(places, 0)); pen.lineTo(...at(places, 2)); } else pen.arc(...at(places, 0), 6, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.setLineDash([]);
}

function sectionColour(row, breaks) {
  const value = row.area_cm2_per_m2;
  return value === null || value === undefined ? -1 : breaks.filter((each) => value > each).length;
}

function drawSections(pen, view, data, palette) {
  const { axes, sections, breaks } = data;
  for (let colour = -1; colour < 5; colour++) {
    pen.strokeStyle = colour < 0 ? palette.soft : palette.sections[colour];
    pen.lineWidth = colour < 0 ? 2 : 9; pen.globalAlpha = colour < 0 ? 0.8 : 0.75;
    pen.setLineDash(colour < 0 ? [2, 5] : []);
    pen.beginPath();
    for (let i = 0; i < axes.count; i++) if (sectionColour(sections[i], breaks) === colour) trace(pen, view, axes, i);
    pen.stroke();
  }
  pen.setLineDash([]); pen.globalAlpha = 1;
}

function trace(pen, view, lines, i) {
  const { k, ox, oy } = view, { xy, start } = lines, last = start[i + 1] - 1;
  let x = xy[2 * start[i]] * k + ox, y = -xy[2 * start[i] + 1] * k + oy;
  pen.moveTo(x, y);
  for (let v = start[i] + 1; v <= last; v++) {
    const nx = xy[2 * v] * k + ox, ny = -xy[2 * v + 1] * k + oy;
    if (v < last && Math.abs(nx - x) + Math.abs(ny - y) < 1) continue;
    pen.lineTo(x = nx, y = ny);
  }
}

function drawClass(pen, view, state, code, palette) {
  const { cracks, passes } = state, { k, ox, oy, width, height } = view, box = cracks.lines.box;
  const half = LINE_PX[code] / 2, wide = Math.ceil(width), dotted = new Uint8Array(wide * Math.ceil(height));
  for (const uncertain of k >= DASHES_FROM ? [0, 1] : [null]) {
    let drawn = 0;
    pen.strokeStyle = palette.classes[code]; pen.lineWidth = LINE_PX[code];
    pen.setLineDash(uncertain && code < 3 ? [7, 4] : code === 3 && k >= DASHES_FROM ? [2, 3] : []);
    pen.beginPath();
    for (const i of cracks.byClass[code]) {
      if (!passes[i] || (uncertain !== null && (cracks.flags[i] & 1) !== uncertain)) continue;
      const west = box[4 * i] * k + ox, east = box[4 * i + 2] * k + ox, north = -box[4 * i + 3] * k + oy, south = -box[4 * i + 1] * k + oy;
      if (east < -9 || south < -9 || west > width + 9 || north > height + 9) continue;
      if (east - west < 1.5 && south - north < 1.5) {
        const pixel = Math.floor(north) * wide + Math.floor(west);
        if (dotted[pixel]) continue;
        dotted[pixel] = 1;
        pen.moveTo(west - half, north); pen.lineTo(west + half, north);
      } else trace(pen, view, cracks.lines, i);
      if (++drawn % 500 === 0) { pen.stroke(); pen.beginPath(); }
    }
    pen.stroke();
  }
  pen.setLineDash([]);
}

function drawChosen(pen, view, state, palette) {
  for (const [colour, thick] of [[palette.chosen, 9], [palette.paper, 6], [palette.classes[state.cracks.width_class[state.chosen]], 3.5]]) {
    pen.strokeStyle = colour; pen.lineWidth = thick; pen.lineCap = "round";
    pen.beginPath(); trace(pen, view, state.cracks.lines, state.chosen); pen.stroke();
  }
  pen.lineCap = "butt";
}

// The crack that the filter lets through nearest to a place, within `reach` metres; null if there is none.
function nearest(state, x, y, reach) {
  const { cracks, passes } = state, { xy, start, box } = cracks.lines;
  let best = null, least = reach;
  for (let i = 0; i < cracks.count; i++) {
    if (!passes[i] || x < box[4 * i] - least || x > box[4 * i + 2] + least || y < box[4 * i + 1] - least || y > box[4 * i + 3] + least) continue;
    for (let v = start[i]; v + 1 < start[i + 1]; v++) {
      const ax = xy[2 * v], ay = xy[2 * v + 1], dx = xy[2 * v + 2] - ax, dy = xy[2 * v + 3] - ay;
      const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
      const distance = Math.hypot(x - ax - along * dx, y - ay - along * dy);
      if (distance < least) { least = distance; best = i; }
    }
  }
  return best;
}

// The section or image at a place.
function sectionAt(data, x, y, reach) {
  if (!data.axes) return null;
  const fake = { cracks: { count: data.axes.count, lines: data.axes }, passes: new Uint8Array(data.axes.count).fill(1) };
  return nearest(fake, x, y, reach);
}

function imageAt(data, x, y) {
  const inside = (c) => {
    let odd = false;
    for (let a = 0, b = 6; a < 8; b = a, a += 2) {
      const ax = c[a] / 100, ay = c[a + 1] / 100, bx = c[b] / 100, by = c[b + 1] / 100;
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
    }
    return odd;
  };
  const found = data.images.corners_cm.findIndex((c) => c && inside(c));
  return found < 0 ? null : found;
}
