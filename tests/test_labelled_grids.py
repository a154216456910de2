"""Grids of images by class, traversals, and scatter plots: what they show, and where."""

from __future__ import annotations

from math import inf, nan
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from gan_lightning.callbacks import scatter
from gan_lightning.callbacks.labelled_grids import class_grid, class_titles, labelled_grid
from gan_lightning.callbacks.sample_grid import draw_samples
from gan_lightning.callbacks.traversal_grid import draw_traversals, traversal_panels
from gan_lightning.data.base import DataSpec
from gan_lightning.gans import GAN, GANS
from gan_lightning.gans.directions import DIRECTION_LIMIT, latent_std, principal_directions
from gan_lightning.testing.setups import find_setups

CELL = 42
"""Pixels from an image to the next, of images of 40 pixels, which are not doubled."""


def image_gan(name: str, classes: int | None) -> GAN:
    (setup,) = find_setups(GANS[name], None, None, DataSpec((1, 8, 8), classes=classes))
    return setup.build()


def plain_images(labels: torch.Tensor) -> torch.Tensor:
    """Return images (N, 1, 40, 40) whose grey value is that of their class."""
    return (labels / 100).view(-1, 1, 1, 1).expand(-1, 1, 40, 40)


def cells(picture: Any, rows: int) -> Any:
    """Return the centre of each cell of a grid, which is at the bottom of a picture."""
    grid = picture[len(picture) - rows * CELL - 2 :, :, 0]
    return grid[2 + CELL // 2 :: CELL, 2 + CELL // 2 :: CELL]


@pytest.mark.parametrize(
    ("classes", "count", "shape"), [(3, 70, (8, 9)), (2, 64, (8, 8)), (10, 64, (7, 10))]
)
def test_images_are_arranged_by_class(classes: int, count: int, shape: tuple[int, int]) -> None:
    labels = torch.arange(count).flip(0) % classes
    found = cells(class_grid(plain_images(labels), labels, classes), shape[0])
    assert found.shape == shape
    greys = np.repeat([round((c / 100 + 1) * 127.5) for c in range(classes)], shape[1] // classes)
    blank = found == 255
    assert (np.abs(found.astype(int) - greys)[~blank] <= 1).all()
    assert (~blank).sum() == count


def test_of_many_classes_ten_are_shown_and_said() -> None:
    assert class_titles(40, [f"class {i}" for i in range(40)])[0] == "class, 10 of 40"
    assert class_titles(3, ("daisy", "rose", "tulip")) == ("class", ["daisy", "rose", "tulip"])
    assert class_titles(3, ()) == ("class", ["0", "1", "2"])
    labels = torch.arange(40)
    assert cells(class_grid(plain_images(labels), labels, 40), 1).shape == (1, 10)


def test_wide_names_are_written_upwards_and_long_titles_cut_off() -> None:
    images = torch.zeros(4, 1, 40, 40)
    flat = labelled_grid(images, 2, "class", ["a", "b"])
    upright = labelled_grid(images, 2, "class", ["a", "a name of eighteen letters"])
    cut = labelled_grid(images, 2, "a title that is much wider than two images")
    assert flat.shape[1] == upright.shape[1] == cut.shape[1] == 2 * CELL + 2
    assert len(upright) > len(flat) + 50
    assert (cut[:20] < 128).any()


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_a_traversal_shows_each_class_once_a_row(classes: int) -> None:
    panel, *directions = traversal_panels(image_gan("cgan", classes), 0, rows=2)
    shown = min(classes, 10)
    assert panel.condition.labels is not None
    assert panel.condition.labels.tolist() == [*range(shown)] * 2
    assert (panel.columns, panel.names) == (shown, [*map(str, range(shown))])
    assert len(directions) == 2


def test_a_category_of_a_code_is_shown_once_a_row() -> None:
    (setup,) = find_setups(
        GANS["infogan"], {"categorical_codes": [3, 4]}, None, DataSpec((1, 8, 8))
    )
    panels = traversal_panels(setup.build(), 0, rows=3)
    first, second = (panel.condition.categorical for panel in panels[:2])
    assert first is not None
    assert second is not None
    assert first[:, 0].tolist() == [0, 1, 2] * 3
    assert second[:, 1].tolist() == [0, 1, 2, 3] * 3


def test_a_gan_without_codes_is_moved_along_the_directions_of_the_playground() -> None:
    gan = image_gan("gan", None)
    panels = traversal_panels(gan, 0, rows=2)
    assert [panel.title.partition(":")[0] for panel in panels] == ["direction 1", "direction 2"]
    for panel, direction in zip(panels, principal_directions(gan, 2), strict=True):
        assert panel.condition.latent is not None
        ends = panel.condition.latent.view(2, 10, -1)[:, [0, -1]]
        moved = 2 * DIRECTION_LIMIT * latent_std(gan.config.latent_prior) * direction
        torch.testing.assert_close(ends[:, 1] - ends[:, 0], moved.expand(2, -1))


def test_pictures_of_a_gan_with_three_classes() -> None:
    gan = image_gan("cgan", 3)
    names = ("daisy", "rose", "tulip")
    state = torch.get_rng_state()
    first, again = (draw_samples(gan, 12, 0, names) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape[1] == 3 * (16 + 2) + 2
    assert draw_traversals(gan, 0, 2, names).shape[1] == 3 * 18 + 2 + 2 * (20 + 182)
    assert torch.equal(torch.get_rng_state(), state)


def test_pictures_of_a_gan_with_three_codes() -> None:
    (setup,) = find_setups(
        GANS["infogan"],
        {"categorical_codes": [3], "continuous_codes": 2},
        None,
        DataSpec((1, 8, 8)),
    )
    gan = setup.build()
    picture = draw_traversals(gan, 0, 2)
    assert picture.shape[1] == 3 * 18 + 2 + 2 * (20 + 182)
    left = 0
    for title, condition, columns, names in traversal_panels(gan, 0, 2):
        images = gan.sample(2 * columns, condition, seed=0).data
        grid = labelled_grid(images, columns, title, names)
        right = left + grid.shape[1]
        np.testing.assert_array_equal(picture[-len(grid) :, left:right], grid)
        left = right + 20


@pytest.mark.parametrize(
    ("generated", "labels"),
    [
        ([[0.5, 0.5], [-0.5, 0]], ["real", "generated"]),
        ([[9, 0.5], [0, 0], [0, -1e30]], ["real", "generated", "2 of 3 outside"]),
        ([[nan, 0], [inf, 0], [0, 0]], ["real", "generated", "2 not finite"]),
        ([[nan, 0], [9, 9]], ["real", "generated", "1 of 2 outside", "1 not finite"]),
    ],
)
def test_a_scatter_plot_counts_the_points_outside(
    generated: list[list[float]], labels: list[str]
) -> None:
    figures: list[Figure] = []

    def keep(figure: Figure) -> None:
        figures.append(figure)

    real = torch.tensor([[1.0, 0], [-1, 0]])
    with patch.object(scatter, "render_figure", keep):
        scatter.draw_scatter(real, torch.tensor(generated), "title")
    (axis,) = figures[0].axes
    assert axis.get_xlim() == axis.get_ylim() == (-1.25, 1.25)
    assert axis.get_legend_handles_labels()[1] == labels
    drawn = np.concatenate([np.asarray(c.get_offsets()) for c in axis.collections[1:]])
    assert len(drawn) == sum(np.isfinite(point).all() for point in generated)
    assert np.abs(drawn).max() <= 1.25
