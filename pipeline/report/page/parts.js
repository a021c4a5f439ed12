// The parts of the report below the map. Each fills one element from the data.

// Cracks are counted once where images overlap, and so is the ground, if the tables tell it.
const groundOf = (coverage) => coverage.ground_m2 ?? coverage.inspected_m2;

function keyFigures(data) {
  const { lengths, coverage, familiarity } = data, items = [];
  const add = (term, value, small) => items.push(make("div", {}, make("dt", {}, term), make("dd", {}, value, small ? make("small", {}, small) : null)));
  const inspected = coverage.inspected_m2, ground = groundOf(coverage), classes = lengths.length_m.map((row) => row.reduce((a, b) => a + b, 0));
  add("Cracks found", metres(lengths.total_m), counted(lengths.total_count, "crack", "cracks"));
  add("of these wide", metres(classes[2]), `${share(classes[2], lengths.total_m)} of the length`);
  add("small", metres(classes[1]), `${share(classes[1], lengths.total_m)} of the length`);
  add("tiny", metres(classes[0]), `${share(classes[0], lengths.total_m)} of the length`);
  add("Inspected", area(ground), `${share(inspected, inspected + coverage.uninspected_m2)} of what the images show`);
  add("Cracks on each m²", ground > 0 ? `${number(lengths.total_m / ground, 2)} m` : NONE, "length by inspected area");
  add("Images", `${number(coverage.done, 0)} of ${number(coverage.images, 0)}`, `${counted(data.quarantine.length, "image", "images")} set aside`);
  add("Familiarity", number(familiarity.median, 2), familiarity.median === null ? "not told by these weights" : "median of the images, 0 to 1");
  put("key", ...items);
}

function opening(data) {
  document.getElementById("title").replaceChildren(named(data.title));
  const days = data.days ? (data.days[0] === data.days[1] ? `, taken on ${data.days[0]}` : `, taken from ${data.days[0]} to ${data.days[1]}`) : "";
  const { tiny_below_mm: tiny, small_below_mm: small } = data.provenance;
  put("lede", `${metres(data.lengths.total_m)} of cracks were found in ${counted(data.coverage.done, "image", "images")}${days}. `
    + `A crack is tiny below ${limit(tiny)} mm, small from ${limit(tiny)} to ${limit(small)} mm, and wide above.`);
  const notes = [], familiar = data.familiarity, { uninspected_m2: not, inspected_m2: yes } = data.coverage;
  if (familiar.median !== null && familiar.median < familiar.strange_below) {
    notes.push(`The network hardly knows images of this camera (familiarity ${number(familiar.median, 2)}): it may have missed cracks. See below what to do.`);
  }
  if (data.quarantine.length) notes.push(`${counted(data.quarantine.length, "image was", "images were")} set aside and not inspected. The list below says why, and what to do.`);
  if (not > 0.02 * (yes + not)) notes.push(`${share(not, yes + not)} of the area that the images show was not inspected.`);
  if (data.cracks && data.cracks.count < data.all_rows) {
    notes.push(`The map and the list show the worst ${number(data.cracks.count, 0)} of ${number(data.all_rows, 0)} cracks. The figures count all.`);
  }
  if (data.stale_sections) notes.push("The road sections on disk are of an earlier result, so they are left out: run crackpipe sections again, then crackpipe report.");
  if (data.without_picture.length) {
    notes.push(`There are no pictures from ${counted(data.without_picture.length, "image", "images")}, such as ${data.without_picture[0].image_id}: ${data.without_picture[0].why}.`);
  }
  put("notes", ...notes.map((text) => make("li", {}, text)));
}

function legend(data) {
  const entry = (style, text) => make("span", {}, swatch(style), text);
  const { tiny_below_mm: tiny, small_below_mm: small } = data.provenance;
  const entries = [entry("tiny", `tiny, below ${limit(tiny)} mm`), entry("small", "small"), entry("wide", `wide, above ${limit(small)} mm`),
    entry("unmeasured", "width not measured"), entry("uncertain", "class uncertain (seen close up)"), entry("footprint", "image"), entry("aside", "image set aside")];
  if (data.lengths.others.length) entries.splice(4, 0, entry("other", "other lines"));
  if (data.axes) {
    const { breaks } = data, said = breaks.map((each) => number(each, 0));
    entries.push(entry("s0", `section: up to ${said[0]} cm² of crack on each m²`), ...breaks.map((_, k) => entry(`s${k + 1}`, k + 1 < breaks.length ? `to ${said[k + 1]}` : "more")));
  }
  if (data.tracks) entries.push(entry("track", "way driven"), entry("fault", "gap, jump or odd place of the delivery"));
  if (data.axes) entries.push(make("span", {}, "Seen from far, sections lie over the cracks."));
  put("legend", ...entries);
}

function sectionsPart(data, map) {
  if (!data.sections) return imagesAsSections(data);
  const n = (title, key, digits, factor = 1) => ({ title, n: true, value: (row) => (row[key] === null ? null : row[key] * factor), show: (row) => number(row[key] === null ? null : row[key] * factor, digits) });
  const columns = [
    { title: "Section", value: (row) => sectionName(row), show: (row) => make("button", { type: "button", class: "link wide", onclick: () => map && map.showSection(row.at) }, named(sectionName(row))) },
    n("Crack area, cm²/m²", "area_cm2_per_m2", 2), n("Density, m/m²", "density_m_per_m2", 3), n("Cracks, m", "crack_m", 1), n("Wide, m", "wide_m", 1), n("Small, m", "small_m", 1),
    n("Tiny, m", "tiny_m", 1), n("Not measured, m", "unmeasured_m", 1), { title: "Mean width, mm", n: true, value: (row) => row.width_mean_mm, show: (row) => (row.width_mean_mm === null ? NONE : width(row.width_mean_mm, row.width_mean_sigma_mm).replace(" mm", "")) }, n("95 % width, mm", "width_p95_mm", 1), n("Trans\u00adverse", "transverse_count", 0), n("Coverage, %", "coverage", 1, 100)];
  const blind = data.sections.filter((row) => row.crack_m === null).length;
  put("sections", p("The worst have the most crack area: length times mean width of the measured cracks, on each inspected square metre. Sections that nobody inspected stand last, without figures."),
    blind ? p(`${counted(blind, "section was", "sections were")} not inspected at all.`) : null,
    sortableTable({ caption: "Road sections", columns, rows: data.sections, pageSize: 25, sorted: 1 }).element);
  return null;
}

function imagesAsSections(data) {
  const rows = data.images.rows.filter((row) => row[1] === "done" && row[4]);
  put("sections", p("There are no road sections yet: ", make("code", {}, "crackpipe sections"), " makes them, along a centreline or the track of the vehicle. Until then, images stand for sections, the most cracks on a square metre first."),
    sortableTable({ caption: "Images with their cracks", sorted: 1, pageSize: 20, rows, columns: [
      { title: "Image", value: (row) => row[0], show: (row) => named(row[0]) },
      { title: "Density, m/m²", n: true, value: (row) => row[7] / row[4], show: (row) => number(row[7] / row[4], 3) },
      { title: "Cracks, m", n: true, value: (row) => row[7], show: (row) => number(row[7], 2) },
      { title: "Wide, m", n: true, value: (row) => row[10], show: (row) => number(row[10], 2) },
      { title: "Small, m", n: true, value: (row) => row[9], show: (row) => number(row[9], 2) },
      { title: "Tiny, m", n: true, value: (row) => row[8], show: (row) => number(row[8], 2) },
      { title: "Inspected, m²", n: true, value: (row) => row[4], show: (row) => number(row[4], 1) },
    ] }).element);
  return null;
}

function worstPart(data, cracks, choose) {
  const list = cracks ? pictures.all().slice().sort((a, b) => cracks.badness[b.crack] - cracks.badness[a.crack] || a.crack - b.crack) : [];
  const more = document.getElementById("more-worst");
  let shown = 0;
  const add = (count) => {
    for (const picture of list.slice(shown, shown + count)) {
      const i = picture.crack, words = `${width(hundredth(cracks.width[i]), hundredth(cracks.width_sigma[i]))}, ${metres(cracks.length_mm[i] / 1000)}`;
      const found = pictureOf(i, `Crack of ${words}`);
      found.draw();
      document.getElementById("worst").append(make("figure", {}, found.canvas, make("figcaption", {}, make("strong", {}, words), make("br"), TYPE_WORDS[cracks.type[i]], ", ",
        named(data.images.rows[cracks.image[i]][0]), make("span", { class: "screen-only" }, make("br"), make("button", { type: "button", onclick: () => choose({ crack: i }, true) }, "Show on the map")))));
    }
    shown += count;
    more.hidden = shown >= list.length;
  };
  if (!list.length) put("worst", p("There are no pictures in this report."));
  more.addEventListener("click", () => add(24));
  add(12);
}

function lengthsPart({ lengths, coverage }) {
  const kept = lengths.types.map((_, t) => t).filter((t) => t < 4 || lengths.length_m.some((row) => row[t] > 0));
  const total = (cells) => cells.reduce((a, b) => a + b, 0), cell = (value) => number(value, 2);
  const rows = lengths.length_m.map((row, k) => [make("span", {}, swatch(CLASS_STYLES[k]), " ", CLASS_WORDS[k]), ...kept.map((t) => cell(row[t])), cell(total(row)), share(total(row), lengths.total_m), number(lengths.count[k], 0)]);
  const sum = ["all", ...kept.map((t) => cell(total(lengths.length_m.map((row) => row[t])))), cell(lengths.total_m), share(lengths.total_m, lengths.total_m), number(lengths.total_count, 0)];
  put("lengths", bars(lengths.length_m.map((row, k) => [CLASS_WORDS[k], total(row), metres(total(row)), CLASS_STYLES[k]])),
    plainTable("Length of cracks in metres. Ground that several images show is counted once.", ["Width class", ...kept.map((t) => TYPE_WORDS[t]), "all types", "share", "cracks"], rows, sum),
    lengths.others.length ? plainTable("Other lines that the network found; they are no cracks and count nowhere else", ["What", "Length, m"], lengths.others.map((each) => [named(each.class), cell(each.length_m)])) : null,
    groundOf(coverage) > 0 ? p(`That is ${number(lengths.total_m / groundOf(coverage), 3)} m of cracks on each inspected square metre.`) : null);
}

function widthsPart({ widths, provenance }) {
  const edges = widths.edges_mm, label = (k) => (k + 1 < edges.length ? `${edges[k]} to ${edges[k + 1]} mm` : `over ${edges[k]} mm`);
  const style = (k) => (edges[k] < provenance.tiny_below_mm ? "tiny" : edges[k] < provenance.small_below_mm ? "small" : "wide");
  const rows = widths.classes.map((each, k) => [make("span", {}, swatch(CLASS_STYLES[k]), " ", each.class), number(each.length_m, 2), `${number(each.expected_m, 2)} ± ${number(1.96 * each.expected_sd_m, 2)}`,
    share(each.uncertain_m, each.length_m), each.mean_mm === null ? NONE : number(each.mean_mm, 2), each.typical_sigma_mm === null ? NONE : `± ${number(each.typical_sigma_mm, 2)}`]);
  put("widths", h3("How much length has which width"), bars(edges.map((_, k) => [label(k), widths.length_m[k], metres(widths.length_m[k]), style(k)])),
    plainTable("What each class may really hold", ["Width class", "length as sorted, m", "length to expect, m (95 %)", "of uncertain class", "mean width, mm", "one crack, mm"], rows),
    p("The length to expect counts each crack with its probability of belonging to the class. Its range of 95 % holds if cracks err independently; an error that all share, such as a lens out of focus, comes on top. ",
      "“One crack” is the standard deviation of a single width, in the middle of the class."),
    p(`A width is the optical equivalent width: that of an ideal dark slot that darkens the image as much. Filled or shallow cracks read too narrow. ${metres(widths.not_measured_m)} could not be measured, and ${metres(widths.flagged_m)} failed the cross-check with the missing light.`));
}

function cracksPart(state, data, choose) {
  const cracks = state.cracks;
  if (!cracks) { put("cracks", p("None.")); return null; }
  const passing = () => { const rows = []; for (let i = 0; i < cracks.count; i++) if (state.passes[i]) rows.push(i); return rows; };
  const missing = (value) => (value === 65535 ? null : value);
  const table = sortableTable({ caption: "Cracks", pageSize: 20, sorted: 0, rows: passing(), columns: [
    { title: "Length × width, cm²", n: true, value: (i) => cracks.badness[i], show: (i) => number(cracks.badness[i] / 10000, 1) },
    { title: "Length, m", n: true, value: (i) => cracks.length_mm[i], show: (i) => number(cracks.length_mm[i] / 1000, 2) },
    { title: "Width, mm", n: true, value: (i) => missing(cracks.width[i]), show: (i) => width(hundredth(cracks.width[i]), hundredth(cracks.width_sigma[i])).replace(" mm", "") },
    { title: "Class", value: (i) => cracks.width_class[i], show: (i) => make("span", {}, swatch(CLASS_STYLES[cracks.width_class[i]]), " ", CLASS_WORDS[cracks.width_class[i]], cracks.flags[i] & 1 ? " ?" : "") },
    { title: "Type", value: (i) => cracks.type[i], show: (i) => TYPE_WORDS[cracks.type[i]] },
    { title: "Confidence, %", n: true, value: (i) => cracks.confidence[i], show: (i) => number(cracks.confidence[i], 0) },
    { title: "Image", value: (i) => cracks.image[i], show: (i) => named(data.images.rows[cracks.image[i]][0]) },
    { title: "Map", value: (i) => i, show: (i) => make("button", { type: "button", onclick: () => choose({ crack: i }, true), "aria-label": `Show crack ${crackId(cracks, i)} on the map` }, "Show") },
  ] });
  put("cracks", table.element);
  return () => table.update(passing());
}

function coveragePart(data) {
  const { coverage } = data, rows = data.images.rows.filter((row) => row[1] === "done");
  put("coverage", facts([["Inspected", `${area(coverage.inspected_m2)} (${share(coverage.inspected_m2, coverage.inspected_m2 + coverage.uninspected_m2)} of what the inspected images show)`],
    ["Not inspected", `${area(coverage.uninspected_m2)}: masked, missing, without data, or outside the region that was asked for`], ["Images", `${number(coverage.done, 0)} inspected, ${number(data.quarantine.length, 0)} set aside`]]),
  p("Areas are summed over images: ground that two images show counts twice here, while each crack is counted once."),
  sortableTable({ caption: "Images, the least inspected first", pageSize: 20, sorted: 2, down: false, rows, columns: [
    { title: "Image", value: (row) => row[0], show: (row) => named(row[0]) },
    { title: "Inspected, m²", n: true, value: (row) => row[4], show: (row) => number(row[4], 1) },
    { title: "Share inspected, %", n: true, value: (row) => row[4] / (row[4] + row[5] || 1), show: (row) => number((100 * row[4]) / (row[4] + row[5] || 1), 1) },
    { title: "Pixel, mm", n: true, value: (row) => row[3], show: (row) => number(row[3], 2) },
    { title: "Familiarity", n: true, value: (row) => row[6], show: (row) => number(row[6], 2) },
    { title: "Note", value: (row) => row[2] ?? "", show: (row) => (row[2] ? named(row[2]) : "") },
  ] }).element);
}

// What `crackpipe frames` said of the delivery that the survey was made of.
function deliveryPart(data, map) {
  if (!data.deliveries.length) { document.getElementById("delivery-part").hidden = true; return; }
  const show = (places) => { map.showPlaces(places); document.getElementById("map-part").scrollIntoView(); document.getElementById("map").focus({ preventScroll: true }); };
  put("delivery", p("The frames and positions that this survey was made of. Where a frame without a place was taken nobody knows: the map shows it at the frame before it. A position without a frame is where it was delivered, such as under the antenna, and not in the middle of a picture."),
    ...data.deliveries.flatMap(({ name, lines, counts, events }) => [
      data.deliveries.length > 1 ? h3(named(name)) : null,
      make("ul", {}, ...lines.map((line) => make("li", {}, named(line)))),
      ...Object.entries(counts).filter(([kind, count]) => events.filter((event) => event[0] === kind).length < count).map(([kind, count]) => p(`Of ${number(count, 0)} of the kind “${kind}” the first are listed; frames.csv and delivery.json in the survey have all.`)),
      events.length ? sortableTable({ caption: "What is odd about the delivery", pageSize: 15, rows: events, columns: [
        { title: "What", value: (row) => row[0] }, { title: "Frame", value: (row) => row[1], show: (row) => named(row[1]) },
        { title: "Details", value: (row) => row[2], show: (row) => named(row[2]) },
        { title: "Map", value: (row) => (row[3] ? 0 : 1), show: (row) => (row[3] && map ? make("button", { type: "button", onclick: () => show(row[3]), "aria-label": `Show ${row[1]} on the map` }, "Show") : NONE) },
      ] }).element : p("Nothing is odd about it."),
    ]));
}

function quarantinePart(data) {
  if (!data.quarantine.length) { put("quarantine", p("None: every image of the survey was inspected.")); return; }
  const text = (title, key) => ({ title, value: (row) => row[key], show: (row) => named(row[key] ?? "") });
  put("quarantine", p("These images were not inspected, and no figure above counts them. When the remedy is done, run the same command again."),
    sortableTable({ caption: "Images set aside", pageSize: 20, rows: data.quarantine, columns: [text("Image", "image_id"), text("Reason", "reason"), text("What is wrong", "message"), text("What to do", "remedy")] }).element);
}

function familiarityPart({ familiarity: known }) {
  if (known.median === null) {
    put("familiarity", p("The weights of this run hold no statistics of the images that they were trained on, or the images were inspected before they did. So nobody can say how well the network knows this camera: look at some pictures yourself."));
    return;
  }
  const strange = known.median < known.strange_below;
  put("familiarity", p(`Familiarity says how near the texture of an image is to what the network was trained on, and how sure the network is of what it sees there, from 0 to 1. Of roads that it knows, 19 of 20 pictures reach ${number(known.strange_below, 1)}. `
    + `Here the median of ${counted(known.images, "image", "images")} is ${number(known.median, 2)}, and ${number(known.strange, 0)} are below ${number(known.strange_below, 1)}.`),
  p(strange ? "The network hardly knows such images and may miss cracks. Lay the cracks over some pictures; if cracks are missing, let it learn from twenty tiles of this survey: crackpipe adapt OUT --pick 20 begins that." : "A high number does not prove that all cracks were found: where the network sees nothing at all, it only speaks of the texture of the road."),
  bars(known.bins.map((count, k) => [`${number(k / 5, 1)} to ${number((k + 1) / 5, 1)}`, count, counted(count, "image", "images"), "accent"])),
  known.unknown ? p(`${counted(known.unknown, "image was", "images were")} inspected before the weights could tell.`) : null,
  known.outside_gsd_range ? p(`${counted(known.outside_gsd_range, "image has", "images have")} pixels outside ${known.gsd_range_mm[0]} to ${known.gsd_range_mm[1]} mm, which the weights were trained for.`) : null);
}

const VERDICTS = {
  new: "no crack was there", longer: "goes on from the end of a crack that was there", wider: "its width grew beyond the uncertainty of both widths",
  narrower: "filled, dirty or warmer", unchanged: "no change can be told", "first seen": "the place was not inspected before",
  repaired: "a crack was there, and now the place is sound", "not seen": "a crack was there, and now nothing tells",
  "too short": "shorter than a comparison can tell", "not registered": "the years could not be laid on each other there",
};

function olderYearPart(years) {
  if (!years) return [];
  const { registration: laid, common_shift: shift } = years, n = (title, key, digits = 1) => ({ title, n: true, value: (row) => row[key], show: (row) => number(row[key], digits) });
  return [
    p(`Against `, named(years.older), `: the years were laid on each other by ${counted(laid.cracks_matched, "crack", "cracks")}, to ${number(laid.residual_median_mm, 0)} mm (median).`
      + (shift !== null && Math.abs(shift) >= 0.02 ? ` All widths read ${number(100 * shift, 0)} % ${shift > 0 ? "wider" : "narrower"}: light or temperature, or all cracks; that is not taken for a change of single cracks.` : "")),
    years.comparable ? null : p("The two years are not comparable: they were made in different ways. The figures below are of both together and prove nothing of the road."),
    plainTable("Cracks against the older year", ["Verdict", "Length, m", "Stretches", "Meaning"], Object.keys(VERDICTS).flatMap((name) => years.verdicts.filter((row) => row.verdict === name)).map((row) => [row.verdict, number(row.length_m, 1), number(row.rows, 0), VERDICTS[row.verdict] ?? ""])),
    years.sections.length ? sortableTable({ caption: "Sections, the most new crack first", pageSize: 20, sorted: 1, rows: years.sections, columns: [
      { title: "Section", value: (row) => sectionName(row), show: (row) => named(sectionName(row)) }, n("New or longer, m", "grown_m"),
      { title: "95 % bounds, m", value: (row) => row.grown_high_m, n: true, show: (row) => `${number(row.grown_low_m, 1)} to ${number(row.grown_high_m, 1)}` },
      n("Wider, m", "wider_m"), n("Repaired, m", "repaired_m"), n("Before, m", "before_m"), n("Seen by both, m²", "both_m2", 0)] }).element : null,
  ];
}

function changesPart({ changes, older_year: years }) {
  if (!changes) { put("changes", ...olderYearPart(years), years ? null : p("There is no result from before to compare with.")); return; }
  const difference = (before, now) => (now - before > 0 ? "+" : "") + number(now - before, 2);
  put("changes", ...olderYearPart(years), plainTable("Length of cracks in metres, against the result before", ["Width class", "before", "now", "difference"],
    changes.totals.map((row) => [row.class, number(row.before_m, 2), number(row.now_m, 2), difference(row.before_m, row.now_m)])),
  p(`${counted(changes.images_before, "image", "images")} before, ${number(changes.images_now, 0)} now; ${number(changes.rows.length, 0)} changed.`),
  changes.rows.length ? sortableTable({ caption: "Images that changed", pageSize: 20, rows: changes.rows, columns: [
    { title: "Image", value: (row) => row.image_id, show: (row) => named(row.image_id) }, { title: "What", value: (row) => row.what },
    { title: "Before, m", n: true, value: (row) => row.before_m, show: (row) => number(row.before_m, 2) },
    { title: "Now, m", n: true, value: (row) => row.now_m, show: (row) => number(row.now_m, 2) }] }).element : null);
}

function provenancePart(data) {
  const { provenance: from } = data, settings = Object.entries(from.settings);
  put("provenance", facts([["Software", `crackpipe ${from.version ?? "(unknown version)"}`], ["Run finished", from.finished], ["Weights", from.weights && named(from.weights)], ["SHA-256", from.sha256],
    ["Threshold", from.threshold === null || from.threshold === undefined ? null : `a pixel counts as crack from probability ${number(from.threshold, 3)}`],
    ["Computed on", from.device && `${from.device}, ${from.precision}`], ["Coordinates", data.crs && named(data.crs)],
    ["Settings", settings.length ? named(settings.map(([name, value]) => `${name} = ${value}`).join(", ")) : "as crackpipe has them"],
    ["Trained on", from.data && named(from.data)], ["Licence and credits", from.licence ? named(from.licence) : "not known: the weights file of the run is no longer where it was"]]),
  p("Cracks were found by a neural network and measured by a fit to the grey values of the images. Nobody checked each of them. Figures are as good as the images: see familiarity and coverage."));
}
