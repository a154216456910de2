"""The page of a generator of noise: its controls, and what they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from gan_lightning.play.controls import Choice, Control, Slider
from gan_lightning.play.markup import figure
from gan_lightning.play.playground import Playground

__all__ = ["ANSWER_AT_ONCE", "STYLE", "generator_page"]

STYLE = Path(__file__).with_name("page.css")

ANSWER_AT_ONCE: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
"""How events are answered: without the queue's round trips, and while a slider is being moved for
the latest place only."""

RADIOS = 12
"""Names that are shown side by side; more of them are a list to open."""

DIRECTIONS = (
    "Principal components of the generator's first features, found without labels (GANSpace, "
    "Härkönen et al. 2020), in standard deviations of the prior. At 0 is the sample itself."
)
WAYS = {
    "normal": "Along a great circle (slerp, Shoemake 1985): normal latents of many "
    "numbers lie near a sphere.",
    "uniform": "Along a straight line: uniform latents fill a cube, which holds it.",
}


def generator_page(playground: Playground, title: str) -> gr.Blocks:
    """Lay out the controls and pictures of a generator.

    Args:
        playground: of the generator.
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
                    another = gr.Button("Another sample", size="md", min_width=140)
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
                    back = gr.Button("Back to the sample itself", size="md")
                with gr.Accordion("Between two samples"):
                    gr.Markdown(WAYS[playground.prior])
                    at = gr.Slider(0, 1, 0, step=0.01, label="From this sample to the other one")
                    with gr.Row(elem_classes="number-row"):
                        other = gr.Number(
                            1, label="Other sample", precision=0, minimum=0, min_width=100
                        )
                        another_end = gr.Button("Another one", size="md", min_width=140)

        inputs = [sample, other, at, *controls, *directions]
        pictures = [picture, rows]

        def show(sample: int, other: int, at: float, *values: float) -> tuple[str, str]:
            return drawn(playground, sample, other, at, values)

        def with_other_sample(sample: int, *rest: Any) -> tuple[Any, ...]:
            return (sample + 1, *show(sample + 1, *rest))

        def with_other_end(sample: int, other: int, *rest: Any) -> tuple[Any, ...]:
            return (other + 1, *show(sample, other + 1, *rest))

        def without_directions(*values: Any) -> tuple[Any, ...]:
            still = [0.0] * len(directions)
            return (*still, *show(*values[: len(values) - len(still)], *still))

        moved = [component.input for component in inputs]
        gr.on([page.load, *moved], show, inputs, pictures, api_name="show", **ANSWER_AT_ONCE)
        for button, act, changed in (
            (another, with_other_sample, [sample]),
            (another_end, with_other_end, [other]),
            (back, without_directions, directions),
        ):
            button.click(
                act, inputs, [*changed, *pictures], api_visibility="private", **ANSWER_AT_ONCE
            )
    return page


def drawn(
    playground: Playground, sample: int, other: int, at: float, values: tuple[float, ...]
) -> tuple[str, str]:
    """Return the HTML of what controls make: the picture, and rows of its like.

    Raises:
        gradio.Error: a value is out of range.
    """
    try:
        shown = playground.show(sample, other, at, values)
    except (TypeError, ValueError) as error:  # an emptied field is None
        raise gr.Error(str(error), print_exception=False) from error
    if not playground.is_image:
        title = "Real points grey, generated ones red, the way blue and this sample its dot"
        return figure(title, shown.picture, [""]), ""
    domains = playground.domains
    title = (
        f"Sample {sample}" if at == 0 else f"{at:.0%} of the way from sample {sample} to {other}"
    )
    large = figure(title, shown.picture, domains or [""])
    rows = []
    if shown.alternatives:
        assert playground.choice is not None
        chosen = int(values[playground.controls.index(playground.choice)])
        rows.append(
            figure(playground.choice.label, shown.alternatives, playground.choice.names, chosen)
        )
    for name, row in (
        ("From this sample to the other one", shown.between),
        (f"Other latents{', the same choices' if playground.has_codes else ''}", shown.others),
    ):
        for place, domain in enumerate(domains or [""]):
            of_one = row[place :: len(domains) or 1]
            title = f"{name}: {domain}" if domain else name
            rows.append(figure(title, of_one, [""] * len(of_one)))
    return large, "".join(rows)


def _is_direction(control: Control) -> bool:
    return control.part == "latent"


def _component(control: Control) -> Any:
    if isinstance(control, Slider):
        reach = control.reach
        return gr.Slider(-reach, reach, 0, step=0.05, label=control.label)
    choices = [(name, place) for place, name in enumerate(control.names)]
    kind = gr.Radio if len(choices) <= RADIOS else gr.Dropdown
    assert isinstance(control, Choice)
    return kind(choices, value=0, label=control.label)
