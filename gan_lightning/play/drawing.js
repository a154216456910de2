// A board of few pixels, drawn on by mouse, finger, pen or keys. Its value is the address of a PNG
// of exactly these pixels, so that the server sees what the person sees.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d", {willReadFrequently: true});
const cursor = element.querySelector(".cursor");
const width = element.querySelector("[name=width]");
const colour = element.querySelector("[name=colour]");
const eraser = element.querySelector("[name=eraser]");
const past = [];
let last = null;
let told = 0;
let waiting = null;
const place = {x: canvas.width >> 1, y: canvas.height >> 1};

function tell() {
  clearTimeout(waiting);
  waiting = null;
  told = performance.now();
  props.value = canvas.toDataURL("image/png");
  trigger("input");
}

// while a line is being drawn, about sixteen answers a second are enough
function tellSoon() {
  if (waiting === null) waiting = setTimeout(tell, Math.max(0, told + 60 - performance.now()));
}

function remember() {
  past.push(pen.getImageData(0, 0, canvas.width, canvas.height));
  if (past.length > 50) past.shift();
}

function clear() {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
}

function line(from, to) {
  pen.strokeStyle = eraser.checked ? "#000" : colour ? colour.value : "#fff";
  pen.lineWidth = Number(width.value);
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x + 0.01, to.y);
  pen.stroke();
}

function at(event) {
  const box = canvas.getBoundingClientRect();
  return {
    x: (event.clientX - box.left) / box.width * canvas.width,
    y: (event.clientY - box.top) / box.height * canvas.height,
  };
}

canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  remember();
  last = at(event);
  line(last, last);
  tellSoon();
});
canvas.addEventListener("pointermove", event => {
  if (last === null) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) {
    const next = at(part);
    line(last, next);
    last = next;
  }
  tellSoon();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => { last = null; });
}

function showCursor() {
  cursor.style.left = `${place.x / canvas.width * 100}%`;
  cursor.style.top = `${place.y / canvas.height * 100}%`;
}

const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
canvas.addEventListener("keydown", event => {
  const centre = () => ({x: place.x + 0.5, y: place.y + 0.5});
  const before = centre();
  if (event.key in steps) {
    const [x, y] = steps[event.key];
    place.x = Math.min(canvas.width - 1, Math.max(0, place.x + x));
    place.y = Math.min(canvas.height - 1, Math.max(0, place.y + y));
    showCursor();
    if (!event.shiftKey) return event.preventDefault();
  } else if (event.key !== " ") {
    return;
  }
  event.preventDefault();
  if (!event.repeat) remember();
  line(before, centre());
  tellSoon();
});

element.querySelector("[name=clear]").addEventListener("click", () => {
  remember();
  clear();
  tell();
});
element.querySelector("[name=undo]").addEventListener("click", () => {
  const before = past.pop();
  if (before) pen.putImageData(before, 0, 0);
  tell();
});
for (const example of element.querySelectorAll(".examples button")) {
  example.addEventListener("click", async () => {
    const source = example.querySelector("img");
    await source.decode();
    remember();
    clear();
    pen.drawImage(source, 0, 0);
    tell();
  });
}

clear();
showCursor();
element.querySelector(".examples button")?.click();
