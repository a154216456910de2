"""The page of an image-to-image GAN: draw a source image, see its translation."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from gan_lightning.play.markup import decode_data_url, image_row, img_tag
from gan_lightning.play.page import UNQUEUED
from gan_lightning.play.translator import Translator

__all__ = ["translator_page"]

SCRIPT = Path(__file__).with_name("drawing.js")

SOURCE = "the source image itself, line by line"
STROKES = "a digit with strokes about 3 pixels wide, whose edges become the source image"

HINT = (
    "Draw with mouse, finger or pen. Keyboard: the arrow keys move the cursor, Space draws a dot, "
    "Shift with an arrow key draws a line."
)


def translator_page(translator: Translator, title: str) -> gr.Blocks:
    """Lay out the drawing canvas, example source images, and the translation.

    Args:
        translator: of the run's model.
        title: of the page.
    """
    page = gr.Blocks(title=title, analytics_enabled=False)
    with page:
        gr.Markdown(f"## {title}")
        with gr.Row(elem_id="playing"):
            with gr.Column(min_width=280):
                drawing = gr.HTML(
                    "",
                    html_template=canvas_html(translator),
                    apply_default_css=False,
                    js_on_load=SCRIPT.read_text(),
                    elem_id="drawing",
                )
            with gr.Column(elem_id="shown", min_width=260):
                picture = gr.HTML(elem_id="picture", elem_classes="pictures large")
                with gr.Row(elem_classes="number-row"):
                    seed = gr.Number(0, label="Dropout seed", precision=0, minimum=0, min_width=120)
                    next_seed = gr.Button("Next seed", size="md", min_width=120)
                kind = gr.Radio(
                    [SOURCE, STROKES],
                    value=SOURCE,
                    label="What you draw",
                    visible=translator.supports_strokes,
                )

        def translate(url: str, kind: str, seed: int) -> str:
            return render(translator, url, kind, seed)

        def translate_with_next_seed(url: str, kind: str, seed: int) -> tuple[int, str]:
            return seed + 1, translate(url, kind, seed + 1)

        inputs = [drawing, kind, seed]
        events = [drawing.input, kind.input, seed.input]
        gr.on(events, translate, inputs, picture, api_name="translate", **UNQUEUED)
        next_seed.click(
            translate_with_next_seed, inputs, [seed, picture], api_visibility="private", **UNQUEUED
        )
    return page


def render(translator: Translator, url: str, kind: str, seed: int) -> str:
    """Return the HTML of a drawing's translation.

    Args:
        translator: of the run's model.
        url: data URL of the drawing.
        kind: option of the radio buttons.
        seed: of the generator's dropout.

    Raises:
        gradio.Error: the drawing cannot be decoded, or a value is out of range.
    """
    try:
        drawing = decode_data_url(url, translator.shape)
        images = translator.translate(drawing, seed, strokes=kind == STROKES)
    except (TypeError, ValueError, AttributeError) as error:  # an empty field is None
        raise gr.Error(str(error), print_exception=False) from error
    return image_row("Translation", images, ["source image", "generated image"])


def canvas_html(translator: Translator) -> str:
    """Return the HTML of the drawing canvas, its tools and the examples."""
    height, width, channels = translator.shape
    colour = '<label>Colour <input type="color" name="colour" value="#ffffff"></label>'
    examples = "".join(
        f'<button type="button" aria-label="Load example {number}">'
        f"{img_tag(example, f'source image {number} of the test data')}</button>"
        for number, example in enumerate(translator.examples, start=1)
    )
    return f"""
<div class="board">
  <div class="paper">
    <canvas width="{width}" height="{height}" tabindex="0" role="img"
      aria-label="Drawing canvas of {width} by {height} pixels. {HINT}"></canvas>
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
  <p>Or load a source image of the test data:</p>
  <div class="examples">{examples}</div>
</div>"""
