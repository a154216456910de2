"""The page of a generator with a latent: its controls and generated pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from gan_lightning.play.controls import Choice, Control, Slider
from gan_lightning.play.markup import image_row
from gan_lightning.play.playground import MOVES_LATENT, Playground

__all__ = ["STYLE", "UNQUEUED", "generator_page"]

STYLE = Path(__file__).with_name("page.css")

UNQUEUED: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
"""Event options: respond without the queue's extra requests, and skip outdated slider positions."""

MAX_RADIO_BUTTONS = 12
"""A choice with more options is a dropdown list."""

DIRECTIONS = (
    "Principal components of the generator's first features, found without labels (GANSpace, "
    "Härkönen et al. 2020), in standard deviations of the prior. 0 is the unchanged sample. For "
    "faces also the direction from those that lack an attribute to those that have it."
)
INTERPOLATIONS = {
    "normal": "Along a great circle (slerp, Shoemake 1985), because normal latents of many "
    "dimensions lie near a sphere.",
    **dict.fromkeys(
        ("uniform", "unit_uniform"),
        "Along a straight line, which stays inside the cube of uniform latents.",
    ),
}


def generator_page(playground: Playground, title: str) -> gr.Blocks:
    """Lay out the controls and pictures of a generator.

    Args:
        playground: of the run's model.
        title: of the page.
    """
    page = gr.Blocks(title=title, analytics_enabled=False)
    with page:
        gr.Markdown(f"## {title}")
        with gr.Row(elem_id="playing"):
            with gr.Column(elem_id="shown", min_width=260):
                kind = "large" if playground.is_image else "large smooth"
                picture = gr.HTML(elem_id="picture", elem_classes=f"pictures {kind}")
                rows = gr.HTML(elem_id="rows", elem_classes="pictures", visible=playground.is_image)
            with gr.Column(min_width=300):
                with gr.Row(elem_classes="number-row"):
                    sample = gr.Number(0, label="Sample", precision=0, minimum=0, min_width=100)
                    next_sample = gr.Button("Next sample", size="md", min_width=140)
                controls = [
                    _component(control)
                    for control in playground.controls
                    if not _is_direction(control)
                ]
                with gr.Accordion("Directions in latent space", visible=playground.has_directions):
                    gr.Markdown(DIRECTIONS)
                    directions = [
                        _component(control)
                        for control in playground.controls
                        if _is_direction(control)
                    ]
                    reset = gr.Button("Reset directions", size="md")
                with gr.Accordion("Interpolation between two samples"):
                    gr.Markdown(INTERPOLATIONS[playground.prior])
                    fraction = gr.Slider(
                        0, 1, 0, step=0.01, label="From this sample to the other sample"
                    )
                    with gr.Row(elem_classes="number-row"):
                        other = gr.Number(
                            1, label="Other sample", precision=0, minimum=0, min_width=100
                        )
                        next_other = gr.Button("Next other sample", size="md", min_width=140)

        inputs = [sample, other, fraction, *controls, *directions]
        pictures = [picture, rows]

        def show(sample: int, other: int, fraction: float, *values: float) -> tuple[str, str]:
            return render(playground, sample, other, fraction, values)

        def show_next_sample(sample: int, *rest: Any) -> tuple[Any, ...]:
            return (sample + 1, *show(sample + 1, *rest))

        def show_next_other(sample: int, other: int, *rest: Any) -> tuple[Any, ...]:
            return (other + 1, *show(sample, other + 1, *rest))

        def reset_directions(*values: Any) -> tuple[Any, ...]:
            zeros = [0.0] * len(directions)
            return (*zeros, *show(*values[: len(values) - len(zeros)], *zeros))

        events = [component.input for component in inputs]
        gr.on([page.load, *events], show, inputs, pictures, api_name="show", **UNQUEUED)
        for button, handler, changed in (
            (next_sample, show_next_sample, [sample]),
            (next_other, show_next_other, [other]),
            (reset, reset_directions, directions),
        ):
            button.click(
                handler, inputs, [*changed, *pictures], api_visibility="private", **UNQUEUED
            )
    return page


def render(
    playground: Playground, sample: int, other: int, fraction: float, values: tuple[float, ...]
) -> tuple[str, str]:
    """Return the HTML of the large picture, and of the rows of related pictures.

    Args:
        playground: of the run's model.
        sample: seed of the sample.
        other: seed of the sample at the end of the interpolation.
        fraction: position on the interpolation, in [0, 1].
        values: of the controls.

    Raises:
        gradio.Error: a value is out of range.
    """
    try:
        pictures = playground.generate(sample, other, fraction, values)
    except (TypeError, ValueError) as error:  # an empty field is None
        raise gr.Error(str(error), print_exception=False) from error
    if not playground.is_image:
        title = "Real points grey, generated points red, interpolation blue, this sample a blue dot"
        return image_row(title, pictures.main, [""]), ""
    domains = playground.domains
    title = (
        f"Sample {sample}"
        if fraction == 0
        else f"Interpolation from sample {sample} to {other}, at {fraction:.0%}"
    )
    large = image_row(title, pictures.main, domains or [""])
    rows = []
    if pictures.alternatives:
        choice = playground.choice
        assert choice is not None
        chosen = int(values[playground.controls.index(choice)])
        rows.append(image_row(choice.label, pictures.alternatives, choice.options, chosen))
    same_codes = ", same class and codes" if playground.has_codes else ""
    for name, row in (
        ("From this sample to the other sample", pictures.interpolation),
        (f"Other latents{same_codes}", pictures.other_latents),
    ):
        for index, domain in enumerate(domains or [""]):
            images = row[index :: len(domains) or 1]
            title = f"{name}: {domain}" if domain else name
            rows.append(image_row(title, images, [""] * len(images)))
    return large, "".join(rows)


def _is_direction(control: Control) -> bool:
    return control.part in MOVES_LATENT


def _component(control: Control) -> Any:
    """Return the Gradio component of a control."""
    if isinstance(control, Slider):
        return gr.Slider(-control.limit, control.limit, 0, step=0.05, label=control.label)
    options = [(name, index) for index, name in enumerate(control.options)]
    kind = gr.Radio if len(options) <= MAX_RADIO_BUTTONS else gr.Dropdown
    assert isinstance(control, Choice)
    return kind(options, value=0, label=control.label)
