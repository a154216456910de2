// A low-resolution drawing canvas for mouse, touch, pen and keyboard. Its value is the data URL of a
// PNG with exactly the pixels of the canvas.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d", {willReadFrequently: true});
const cursor = element.querySelector(".cursor");
const width = element.querySelector("[name=width]");
const colour = element.querySelector("[name=colour]");
const eraser = element.querySelector("[name=eraser]");
const undoStack = [];
let last = null;  // previous point of the line being drawn
let sentAt = 0;
let timer = null;
const position = {x: canvas.width >> 1, y: canvas.height >> 1};  // of the keyboard cursor

function send() {
  clearTimeout(timer);
  timer = null;
  sentAt = performance.now();
  props.value = canvas.toDataURL("image/png");
  trigger("input");
}

// Limit the rate to about sixteen requests per second while a line is being drawn.
function sendSoon() {
  if (timer === null) timer = setTimeout(send, Math.max(0, sentAt + 60 - performance.now()));
}

function saveForUndo() {
  undoStack.push(pen.getImageData(0, 0, canvas.width, canvas.height));
  if (undoStack.length > 50) undoStack.shift();
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

function canvasPoint(event) {
  const box = canvas.getBoundingClientRect();
  return {
    x: (event.clientX - box.left) / box.width * canvas.width,
    y: (event.clientY - box.top) / box.height * canvas.height,
  };
}

canvas.addEventListener("pointerdown", event => {
  canvas.setPointerCapture(event.pointerId);
  saveForUndo();
  last = canvasPoint(event);
  line(last, last);
  sendSoon();
});
canvas.addEventListener("pointermove", event => {
  if (last === null) return;
  for (const part of event.getCoalescedEvents?.() ?? [event]) {
    const next = canvasPoint(part);
    line(last, next);
    last = next;
  }
  sendSoon();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => { last = null; });
}

function showCursor() {
  cursor.style.left = `${position.x / canvas.width * 100}%`;
  cursor.style.top = `${position.y / canvas.height * 100}%`;
}

const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
canvas.addEventListener("keydown", event => {
  const centre = () => ({x: position.x + 0.5, y: position.y + 0.5});
  const before = centre();
  if (event.key in steps) {
    const [x, y] = steps[event.key];
    position.x = Math.min(canvas.width - 1, Math.max(0, position.x + x));
    position.y = Math.min(canvas.height - 1, Math.max(0, position.y + y));
    showCursor();
    if (!event.shiftKey) return event.preventDefault();
  } else if (event.key !== " ") {
    return;
  }
  event.preventDefault();
  if (!event.repeat) saveForUndo();
  line(before, centre());
  sendSoon();
});

element.querySelector("[name=clear]").addEventListener("click", () => {
  saveForUndo();
  clear();
  send();
});
element.querySelector("[name=undo]").addEventListener("click", () => {
  const before = undoStack.pop();
  if (before) pen.putImageData(before, 0, 0);
  send();
});
for (const example of element.querySelectorAll(".examples button")) {
  example.addEventListener("click", async () => {
    const source = example.querySelector("img");
    await source.decode();
    saveForUndo();
    clear();
    pen.drawImage(source, 0, 0);
    send();
  });
}

clear();
showCursor();
element.querySelector(".examples button")?.click();
