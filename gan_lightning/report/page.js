"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const touch = matchMedia("(pointer: coarse)");
const charts = [...document.querySelectorAll("[data-figure]")];
const parseJson = (id) => JSON.parse(document.getElementById(id).textContent);

/** Returns the chart layout that follows the page: its colours, and on a touch screen no dragging,
 * which scrolls the page. */
function appearance() {
  const style = getComputedStyle(document.documentElement);
  const [text, quiet, line, panel] = ["--text", "--quiet", "--line", "--panel"].map((name) =>
    style.getPropertyValue(name).trim());
  const changes = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    "font.color": text, "font.size": 12, "font.family": getComputedStyle(document.body).fontFamily,
    "modebar.bgcolor": "rgba(0,0,0,0)", "modebar.color": quiet, "modebar.activecolor": text,
    "hoverlabel.bgcolor": panel, "hoverlabel.font.color": text, "hoverlabel.bordercolor": line,
    dragmode: touch.matches ? false : "zoom",
  };
  for (const axis of ["xaxis", "yaxis"]) {
    changes[`${axis}.gridcolor`] = line;
    changes[`${axis}.linecolor`] = line;
    changes[`${axis}.zerolinecolor`] = line;
    changes[`${axis}.title.font.color`] = quiet;
    changes[`${axis}.fixedrange`] = touch.matches;
  }
  return changes;
}

/** Sets the value at a path with dots. */
function setPath(layout, path, value) {
  const names = path.split(".");
  const last = names.pop();
  names.reduce((part, name) => (part[name] ??= {}), layout)[last] = value;
}

async function draw(chart) {
  const { data, layout } = parseJson(chart.dataset.figure);
  for (const [path, value] of Object.entries(appearance())) setPath(layout, path, value);
  await Plotly.newPlot(chart, data, layout, {
    responsive: true, displaylogo: false, displayModeBar: touch.matches ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    showSendToCloud: false, // a button that uploads the chart
  });
}

/** Shows or hides a run in every chart, picture and card. */
function toggleRun(button) {
  const shown = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(shown));
  const run = button.dataset.run;
  for (const part of document.querySelectorAll(`[data-of-run="${run}"]`)) part.hidden = !shown;
  for (const chart of charts) {
    const indices = chart.data.flatMap(({ meta }, index) => (String(meta?.run) === run ? [index] : []));
    if (indices.length) Plotly.restyle(chart, { visible: shown }, indices);
  }
  dispatchEvent(new Event("resize"));
}

/** Returns the latest of increasing updates that is not after `update`, or else the first. */
const latest = (updates, update) => updates.findLast((other) => other <= update) ?? updates[0];
const format = (update) => update.toLocaleString("en-US");

/** Makes the pictures or points of a section follow its slider. */
function connectSlider(section, points) {
  const slider = section.querySelector("input");
  const output = section.querySelector("output");
  const button = section.querySelector(".play");
  const updates = JSON.parse(slider.dataset.updates);
  let timer = null;

  function show() {
    const update = updates[slider.valueAsNumber];
    output.textContent = format(update);
    slider.setAttribute("aria-valuetext", format(update));
    for (const figure of section.querySelectorAll("figure")) {
      const at = points ? showPoints(figure, update) : showPicture(figure, update);
      figure.querySelector(".at").textContent = `at update ${format(at)}`;
    }
  }

  function showPicture(figure, update) {
    const pictures = [...figure.querySelectorAll("img")];
    const at = latest(pictures.map((picture) => Number(picture.dataset.update)), update);
    for (const picture of pictures) picture.hidden = Number(picture.dataset.update) !== at;
    return at;
  }

  function showPoints(figure, update) {
    const frames = points[figure.dataset.ofRun];
    const at = latest(Object.keys(frames).map(Number).sort((a, b) => a - b), update);
    const { x, y } = frames[at];
    Plotly.restyle(figure.querySelector(".chart"), { x: [x], y: [y] }, [1]);
    return at;
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    button.querySelector(".word").textContent = "Play";
    button.firstElementChild.textContent = "▶";
  }

  function step() {
    if (slider.valueAsNumber >= updates.length - 1) return stop();
    slider.valueAsNumber += 1;
    show();
  }

  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (slider.valueAsNumber >= updates.length - 1) { slider.valueAsNumber = 0; show(); }
    button.querySelector(".word").textContent = "Pause";
    button.firstElementChild.textContent = "⏸";
    timer = setInterval(step, calm.matches ? 1200 : 300);
  });
  button.disabled = updates.length < 2;
  show();
}

async function start() {
  const sections = [...document.querySelectorAll(".slider")];
  for (const section of sections) if (!section.dataset.points) connectSlider(section, null);
  for (const chart of charts) await draw(chart);
  for (const section of sections) {
    if (section.dataset.points) connectSlider(section, parseJson(section.dataset.points));
  }
  for (const button of document.querySelectorAll(".runs button")) {
    button.addEventListener("click", () => toggleRun(button));
  }
  dark.addEventListener("change", () => {
    for (const chart of charts) Plotly.relayout(chart, appearance());
  });
  document.documentElement.dataset.ready = "true";
}

start();
