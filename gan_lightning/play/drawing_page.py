"""The page of a translator: draw a source, see what it is turned into."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from gan_lightning.play.markup import figure, image, pixels_of
from gan_lightning.play.page import ANSWER_AT_ONCE
from gan_lightning.play.translator import Translator

__all__ = ["translator_page"]

SCRIPT = Path(__file__).with_name("drawing.js")

LINES = "the source itself, line by line"
STROKES = "a digit, about 3 pixels wide, whose edges become the source"

HINT = (
    "Draw with mouse, finger or pen. By keys: arrows move the cursor, Space makes a dot, and Shift "
    "with an arrow a line."
)


def translator_page(translator: Translator, title: str) -> gr.Blocks:
    """Lay out a board to draw on, sources of the test data, and the translation.

    Args:
        translator: of the model.
        title: of the page.
    """
    page = gr.Blocks(title=title, analytics_enabled=False)
    with page:
        gr.Markdown(f"## {title}")
        with gr.Row(elem_id="playing"):
            with gr.Column(min_width=280):
                drawing = gr.HTML(
                    "",
                    html_template=board(translator),
                    apply_default_css=False,
                    js_on_load=SCRIPT.read_text(),
                    elem_id="drawing",
                )
            with gr.Column(elem_id="shown", min_width=260):
                picture = gr.HTML(elem_id="picture", elem_classes="pictures large")
                with gr.Row(elem_classes="number-row"):
                    noise = gr.Number(
                        0, label="Noise: seed of the dropout", precision=0, minimum=0, min_width=120
                    )
                    again = gr.Button("Another draw", size="md", min_width=120)
                kind = gr.Radio(
                    [LINES, STROKES],
                    value=LINES,
                    label="What you draw",
                    visible=translator.finds_edges,
                )

        def translate(drawn: str, kind: str, noise: int) -> str:
            return translated(translator, drawn, kind, noise)

        def with_other_noise(drawn: str, kind: str, noise: int) -> tuple[int, str]:
            return noise + 1, translate(drawn, kind, noise + 1)

        inputs = [drawing, kind, noise]
        moved = [drawing.input, kind.input, noise.input]
        gr.on(moved, translate, inputs, picture, api_name="translate", **ANSWER_AT_ONCE)
        again.click(
            with_other_noise, inputs, [noise, picture], api_visibility="private", **ANSWER_AT_ONCE
        )
    return page


def translated(translator: Translator, drawn: str, kind: str, noise: int) -> str:
    """Return the HTML of a drawing's translation.

    Raises:
        gradio.Error: the drawing is none, or a value is out of range.
    """
    try:
        pixels = pixels_of(drawn, translator.shape)
        source, made = translator.translate(pixels, noise, strokes=kind == STROKES)
    except (TypeError, ValueError, AttributeError) as error:  # an emptied field is None
        raise gr.Error(str(error), print_exception=False) from error
    return figure("Translation", [source, made], ["what the generator sees", "what it makes"])


def board(translator: Translator) -> str:
    """Return the HTML of the board and its tools."""
    height, width, channels = translator.shape
    colour = '<label>Colour <input type="color" name="colour" value="#ffffff"></label>'
    examples = "".join(
        f'<button type="button" aria-label="Take source {place + 1}">'
        f"{image(example, f'source {place + 1} of the test data')}</button>"
        for place, example in enumerate(translator.examples)
    )
    return f"""
<div class="board">
  <div class="paper">
    <canvas width="{width}" height="{height}" tabindex="0" role="img"
      aria-label="Drawing board of {width} by {height} pixels. {HINT}"></canvas>
    <span class="cursor" style="width:{100 / width}%;height:{100 / height}%"></span>
  </div>
  <div class="tools">
    <label>Width <input type="range" name="width" min="1" max="6" step="0.5" value="1.5"></label>
    {colour if channels == 3 else ""}
    <label><input type="checkbox" name="eraser"> Eraser</label>
    <button type="button" name="undo">Undo</button>
    <button type="button" name="clear">Clear</button>
  </div>
  <p>{HINT}</p>
  <p>Or take a source of the test data:</p>
  <div class="examples">{examples}</div>
</div>"""
