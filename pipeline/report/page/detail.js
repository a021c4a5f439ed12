// What was chosen on the map: figures in words, and the picture where there is one.

function crackFacts(data, cracks, i) {
  const image = data.images.rows[cracks.image[i]], section = cracks.section[i] >= 0 ? data.sections[cracks.section[i]] : null;
  const probabilities = cracks.p.map((column, k) => [CLASS_WORDS[k], percent(column[i])]).filter(([, value]) => value !== null);
  return facts([
    ["Length", metres(cracks.length_mm[i] / 1000)],
    ["Width", width(hundredth(cracks.width[i]), hundredth(cracks.width_sigma[i]))],
    ["95 % width", hundredth(cracks.width_p95[i]) === null ? null : `${number(hundredth(cracks.width_p95[i]), 2)} mm`],
    ["Width class", CLASS_WORDS[cracks.width_class[i]] + (cracks.flags[i] & 1 ? ", uncertain" : "")],
    ["Probability", probabilities.length ? probabilities.map(([word, value]) => `${word} ${value} %`).join(", ") : null],
    ["Width check", cracks.flags[i] & 2 ? "failed: do not rely on this width" : null],
    ["Type", TYPE_WORDS[cracks.type[i]]],
    ["Direction", `${cracks.orientation[i]}° from grid north`],
    ["Confidence", `${cracks.confidence[i]} %`],
    ["Found as", cracks.names.length > 1 ? named(cracks.names[cracks.class[i]]) : null],
    ["Section", section ? named(sectionName(section)) : null],
    ["Image", named(image[0])],
    ["Image date", cracks.day[i] ? cracks.days[cracks.day[i] - 1] : null],
    ["crack_id", crackId(cracks, i)],
  ]);
}

function sectionName(row) {
  const lane = row.lane === null || row.lane === undefined || row.lane === "" ? "" : `, lane ${row.lane}`;
  return `${row.route_id}${lane}, ${number(row.m_begin, 0)} to ${number(row.m_end, 0)} m`;
}

function showDetail(chosen, state, data) {
  const layers = { mask: true, line: true };
  if (chosen.crack !== undefined && chosen.crack !== null) {
    const i = chosen.crack, found = pictureOf(i, `Picture of the crack, ${width(hundredth(state.cracks.width[i]), null)} wide`);
    const heading = make("h3", { tabindex: "-1" }, "Crack");
    if (!found) {
      put("detail", heading, p("There is no picture of this crack in this file: pictures are of the worst cracks. Its image is named below."), crackFacts(data, state.cracks, i));
      return;
    }
    found.draw(layers);
    const box = (name, label) => {
      const input = make("input", { type: "checkbox", checked: true, onchange: () => { layers[name] = input.checked; found.draw(layers); } });
      return make("label", { class: "check" }, input, label);
    };
    put("detail", heading, make("figure", {}, found.canvas,
      make("figcaption", {}, found.picture.whole ? null : "The crack goes on outside this picture. ",
        `From row ${found.picture.row}, column ${found.picture.col} of its image.`)),
    make("div", { class: "picture-tools" }, box("mask", "mask"), box("line", "line")), crackFacts(data, state.cracks, i));
  } else if (chosen.section !== undefined && chosen.section !== null) {
    put("detail", make("h3", {}, "Section"), sectionFacts(data.sections[chosen.section]));
  } else if (chosen.image !== undefined && chosen.image !== null) {
    const row = data.images.rows[chosen.image];
    put("detail", make("h3", {}, "Image"), facts([["Image", named(row[0])], ["State", row[1] === "done" ? "inspected" : "set aside"], ["Note", row[2] && named(row[2])],
      ["Pixel size", row[3] === null ? null : `${number(row[3], 2)} mm`], ["Inspected", area(row[4])], ["Not inspected", area(row[5])],
      ["Cracks", metres(row[7])], ["Familiarity", row[6] === null ? null : number(row[6], 2)]]));
  } else {
    put("detail", p("Nothing is chosen. Click a crack, a section or an image on the map."));
  }
}

function sectionFacts(row) {
  return facts([["Section", named(sectionName(row))], ["Coverage", row.coverage === null ? null : `${number(100 * row.coverage, 1)} %`],
    ["Inspected", area(row.inspected_m2)], ["Cracks", metres(row.crack_m)], ...["tiny", "small", "wide"].map((name) => [name, row.crack_m === null ? null
      : `${metres(row[`${name}_m`])}, to expect ${number(row[`${name}_expected_m`], 1)} ± ${number(1.96 * row[`${name}_sigma_m`], 1)} m`]), ["not measured", metres(row.unmeasured_m)],
    ["Density", row.density_m_per_m2 === null ? null : `${number(row.density_m_per_m2, 3)} m/m²`],
    ["Crack area", row.area_cm2_per_m2 === null ? null : `${number(row.area_cm2_per_m2, 2)} cm²/m²`],
    ["Mean width", row.width_mean_mm === null ? null : width(row.width_mean_mm, row.width_mean_sigma_mm)],
    ["95 % width", row.width_p95_mm === null ? null : `${number(row.width_p95_mm, 2)} mm`],
    ["Transverse cracks", row.transverse_count === null ? null : number(row.transverse_count, 0)]]);
}
