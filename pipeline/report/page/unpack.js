// Columns and lines as pack.py packed them: base64 of typed arrays; lines as differences of a few bytes.

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int32: Int32Array };

function column(packed) {
  return new ARRAYS[packed.type](bytesOf(packed.data).buffer);
}

// Lines: vertex v of all lines is at (xy[2 v], xy[2 v + 1]) in metres; line i has start[i] to start[i + 1].
function unpackLines(packed) {
  const counts = column(packed.vertices), bytes = bytesOf(packed.steps), n = packed.count;
  const start = new Uint32Array(n + 1);
  for (let i = 0; i < n; i++) start[i + 1] = start[i] + counts[i];
  const xy = new Float64Array(2 * start[n]), box = new Float64Array(4 * n);
  let at = 0;
  const next = () => {
    let byte = bytes[at++];
    if (byte < 128) return (byte >> 1) ^ -(byte & 1);
    let value = byte & 127, factor = 128;
    do { byte = bytes[at++]; value += (byte & 127) * factor; factor *= 128; } while (byte > 127);
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  let firstX = 0, firstY = 0;
  for (let i = 0; i < n; i++) {
    if (!counts[i]) { box.fill(NaN, 4 * i, 4 * i + 4); continue; }
    let x = firstX += next(), y = firstY += next();
    let west = x, east = x, south = y, north = y;
    for (let v = start[i]; v < start[i + 1]; v++) {
      if (v > start[i]) { x += next(); y += next(); }
      xy[2 * v] = x * packed.step_m; xy[2 * v + 1] = y * packed.step_m;
      if (x < west) west = x; else if (x > east) east = x;
      if (y < south) south = y; else if (y > north) north = y;
    }
    box.set([west * packed.step_m, south * packed.step_m, east * packed.step_m, north * packed.step_m], 4 * i);
  }
  return { count: n, start, xy, box };
}

// What stands between 0 and 65534 in hundredths; null where nothing was measured.
const hundredth = (value) => (value === 65535 ? null : value / 100);
const percent = (value) => (value === 255 ? null : value);

function unpackCracks(packed) {
  if (!packed) return null;
  const cracks = { count: packed.count, names: packed.class_names, days: packed.days, lines: unpackLines(packed.lines) };
  for (const name of ["crack_id", "image", "section", "length_mm", "width", "width_sigma", "width_p95", "width_class",
    "type", "class", "day", "confidence", "orientation", "flags"]) cracks[name] = column(packed[name]);
  cracks.p = packed.p.map(column);
  // places in order of length x width: where a crack stands among the worst
  const badness = new Float64Array(cracks.count);
  for (let i = 0; i < cracks.count; i++) {
    badness[i] = cracks.width[i] === 65535 ? 0 : cracks.length_mm[i] * cracks.width[i];
  }
  cracks.badness = badness;
  const byClass = [[], [], [], [], []];
  for (let i = 0; i < cracks.count; i++) byClass[cracks.width_class[i]].push(i);
  cracks.byClass = byClass.map((rows) => Uint32Array.from(rows));
  return cracks;
}

function crackId(cracks, i) {
  let text = "";
  for (let k = 8 * i; k < 8 * i + 8; k++) text += cracks.crack_id[k].toString(16).padStart(2, "0");
  return text;
}
