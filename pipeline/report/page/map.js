// The map: Leaflet moves and zooms a plane in metres, draw.js paints it.

const METRES = L.Util.extend({}, L.CRS.Simple, { transformation: new L.Transformation(1, 0, -1, 0) });

function extentOf(data, cracks) {
  const extent = [Infinity, Infinity, -Infinity, -Infinity];
  const add = (x, y) => {
    if (x < extent[0]) extent[0] = x; if (x > extent[2]) extent[2] = x;
    if (y < extent[1]) extent[1] = y; if (y > extent[3]) extent[3] = y;
  };
  for (const c of data.images.corners_cm) if (c) for (let v = 0; v < 8; v += 2) add(c[v] / 100, c[v + 1] / 100);
  for (const lines of [cracks && cracks.lines, data.axes, data.tracks]) {
    if (lines) for (let i = 0; i < lines.count; i++) { add(lines.box[4 * i], lines.box[4 * i + 1]); add(lines.box[4 * i + 2], lines.box[4 * i + 3]); }
  }
  return Number.isFinite(extent[0]) ? extent : [-1, -1, 1, 1];
}

const CrackLayer = L.Layer.extend({
  initialize(paint) { this.paint = paint; },
  onAdd(map) {
    this.canvas = make("canvas", { "aria-hidden": "true" });
    map.getPanes().overlayPane.append(this.canvas);
    map.on("moveend zoomend viewreset resize", this.draw, this);
    map.on("move", this.drawSoon, this);
    this.draw();
  },
  // While it is moved the map is painted again only if that is quick; else it follows when it has come to rest.
  drawSoon() {
    if (this.lastMs < 25 && !this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  },
  draw() {
    const map = this._map, size = map.getSize(), ratio = Math.min(devicePixelRatio || 1, 2), begun = performance.now();
    const margin = size.multiplyBy(0.15).round(), corner = map.containerPointToLayerPoint([-margin.x, -margin.y]);
    const width = size.x + 2 * margin.x, height = size.y + 2 * margin.y, k = 2 ** map.getZoom();
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) {
      this.canvas.width = width * ratio; this.canvas.height = height * ratio;
      this.canvas.style.width = `${width}px`; this.canvas.style.height = `${height}px`;
    }
    L.DomUtil.setPosition(this.canvas, corner);
    const zero = map.latLngToContainerPoint([0, 0]), pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.paint(pen, { k, ox: zero.x + margin.x, oy: zero.y + margin.y, width, height });
    this.lastMs = performance.now() - begun;
  },
});

function crackMap(state, data, onchoose) {
  const extent = extentOf(data, state.cracks), bounds = [[extent[1], extent[0]], [extent[3], extent[2]]];
  const map = L.map("map", { crs: METRES, zoomSnap: 0.25, zoomDelta: 0.75, wheelPxPerZoomLevel: 90, zoomAnimation: false, fadeAnimation: false,
    markerZoomAnimation: false, inertia: false, minZoom: -14, maxZoom: 11, attributionControl: false });
  map.fitBounds(bounds, { padding: [18, 18], maxZoom: 8 });
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
  let palette = colours();
  const layer = new CrackLayer((pen, view) => drawAll(pen, view, state, data, palette)).addTo(map);
  const redraw = () => layer.draw();
  state.listeners.push(redraw);
  theme.listeners.push(() => { palette = colours(); redraw(); });
  const choose = (point, reachPx) => {
    const reach = reachPx / 2 ** map.getZoom(), x = point.lng, y = point.lat;
    const crack = state.cracks ? nearest(state, x, y, reach) : null;
    if (crack !== null) return onchoose({ crack });
    const section = state.layers.sections ? sectionAt(data, x, y, reach) : null;
    if (section !== null) return onchoose({ section });
    return onchoose({ image: state.layers.images ? imageAt(data, x, y) : null });
  };
  map.on("click", (event) => choose(event.latlng, 9));
  map.getContainer().addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === map.getContainer()) { event.preventDefault(); choose(map.getCenter(), 1e9); }
  });
  const show = (box, most) => map.fitBounds([[box[1], box[0]], [box[3], box[2]]], { padding: [60, 60], maxZoom: most });
  return {
    redraw,
    whole: () => map.fitBounds(bounds, { padding: [18, 18], maxZoom: 8 }),
    showCrack(i) { show(state.cracks.lines.box.subarray(4 * i, 4 * i + 4), 9); },
    showPlaces(places) {
      const x = places.filter((_, v) => v % 2 === 0), y = places.filter((_, v) => v % 2);
      show([Math.min(...x) / 100, Math.min(...y) / 100, Math.max(...x) / 100, Math.max(...y) / 100], 6);
    },
    showSection(i) { show(data.axes.box.subarray(4 * i, 4 * i + 4), 8); },
    // The same on a sheet of paper: what is in the middle of the map, as wide as it is.
    print(canvas) {
      const pen = canvas.getContext("2d"), seen = map.getBounds();
      const k = Math.min(canvas.width / (seen.getEast() - seen.getWest()), canvas.height / (seen.getNorth() - seen.getSouth()));
      const centre = map.getCenter();
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.fillStyle = "#ffffff"; pen.fillRect(0, 0, canvas.width, canvas.height);
      drawAll(pen, { k, ox: canvas.width / 2 - centre.lng * k, oy: canvas.height / 2 + centre.lat * k, width: canvas.width, height: canvas.height },
        { ...state, chosen: null }, data, palette);
      const m = 10 ** Math.floor(Math.log10((0.3 * canvas.width) / k)), long = [5, 2, 1].map((f) => f * m).find((each) => each * k <= 0.3 * canvas.width);
      pen.fillStyle = "#ffffff"; pen.fillRect(12, canvas.height - 62, long * k + 24, 52);
      pen.fillStyle = "#111111"; pen.fillRect(24, canvas.height - 26, long * k, 5);
      pen.font = "24px sans-serif"; pen.fillText(long >= 1000 ? `${long / 1000} km` : long >= 1 ? `${long} m` : `${Math.round(long * 100)} cm`, 24, canvas.height - 34);
    },
  };
}
