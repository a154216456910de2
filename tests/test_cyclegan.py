"""CycleGAN: its losses against another implementation, its pool, and what it refuses."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from factories import copy_weights, make_config, make_gan, make_real_batch, quiet_trainer
from torch.nn.functional import l1_loss, mse_loss

from gan_lightning.errors import UserError
from gan_lightning.gans.cyclegan import CycleGAN
from gan_lightning.gans.image_pool import ImagePool
from gan_lightning.training.build import build
from gan_lightning.training.checks import check_minibatch
from gan_lightning.types import Condition, Sample

SHAPE = (1, 2, 2)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(*numbers: int) -> torch.Tensor:
    """Return images whose pixels are their number."""
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, *SHAPE)


def make_cyclegan(*overrides: str) -> CycleGAN:
    gan = make_gan("cyclegan", *overrides)
    assert isinstance(gan, CycleGAN)
    return gan


def test_losses_are_those_of_the_paper_up_to_a_factor() -> None:
    gan = make_cyclegan("model.identity_weight=2", "model.pool_size=0").double()
    real = make_real_batch(gan, 3)
    assert real.source is not None
    x, y = real.source.double(), real.data.double()
    real = real._replace(data=y, source=x)
    fake = Sample(gan.generate(Condition(source=real.source)), Condition(source=real.source))
    mapped, back = gan.generator(x), gan.inverse(y)
    d_y, d_x = gan.discriminator, gan.source_discriminator

    def fooled(scores: torch.Tensor) -> torch.Tensor:
        return mse_loss(scores, torch.ones_like(scores))

    def told_apart(true: torch.Tensor, false: torch.Tensor) -> torch.Tensor:
        return (fooled(true) + mse_loss(false, torch.zeros_like(false))) / 2

    found = gan.discriminator_loss(real, fake.detach())
    torch.testing.assert_close(found["adversarial"].double(), told_apart(d_y(y), d_y(mapped)))
    torch.testing.assert_close(found["source_adversarial"].double(), told_apart(d_x(x), d_x(back)))
    terms = gan.generator_loss(real, fake)
    total = (  # the authors' loss, with their lambda of 10 and an identity weight of 4
        fooled(d_y(mapped))
        + fooled(d_x(back))
        + 10 * (l1_loss(gan.inverse(mapped), x) + l1_loss(gan.generator(back), y))
        + 4 * (l1_loss(gan.generator(y), y) + l1_loss(gan.inverse(x), x))
    )
    torch.testing.assert_close(
        2 * torch.stack(list(terms.values())).sum().double(), total, rtol=1e-6, atol=1e-6
    )


def test_a_term_of_weight_0_is_left_out() -> None:
    gan = make_cyclegan("model.cycle_weight=0")
    real = make_real_batch(gan, 3)
    condition = Condition(source=real.source)
    terms = gan.generator_loss(real, Sample(gan.generate(condition), condition))
    assert terms.keys() == {"adversarial", "source_adversarial"}


def test_the_pool_fills_and_then_exchanges_half_of_the_images() -> None:
    pool = ImagePool(6, SHAPE)
    for number in range(3):
        new = numbered(2 * number, 2 * number + 1)
        assert torch.equal(pool(new, rng(number), number), new)
    assert torch.equal(pool.images, numbered(*range(6)))
    returned, kept = [], 0
    for number in range(3, 203):
        new = numbered(2 * number, 2 * number + 1)
        given = pool(new, rng(number), number)
        fresh = given[:, 0, 0, 0] == new[:, 0, 0, 0]
        returned += given[~fresh][:, 0, 0, 0].tolist()
        kept += int((~fresh).sum())
        # what is returned left the pool, and what is in the pool was not returned
        assert not set(pool.images[:, 0, 0, 0].tolist()) & set(returned)
    assert len(set(returned)) == len(returned)
    assert 0.4 < kept / 400 < 0.6


def test_a_pool_of_size_0_passes_images_through_and_holds_none() -> None:
    pool, images = ImagePool(0, SHAPE), numbered(1, 2, 3)
    assert pool(images, rng(), 7) is images
    assert not pool.images.numel()


def test_the_pool_belongs_to_the_checkpoint() -> None:
    gan = make_cyclegan("model.pool_size=8")
    assert {"targets.images", "sources.images"} <= gan.state_dict().keys()


def test_translators_learn_a_cycle() -> None:
    """The cycle term falls within some updates, and both directions change."""
    config = make_config("cyclegan", "network.width=4", "trainer.max_updates=30")
    gan, data = build(config)
    assert isinstance(gan, CycleGAN)
    before = copy_weights(deepcopy(gan))
    first: list[float] = []
    loss = gan.generator_loss

    def recorded(real: Any, fake: Any) -> Any:
        terms = loss(real, fake)
        first.append(terms["cycle"].item())
        return terms

    gan.generator_loss = recorded  # type: ignore[method-assign]
    quiet_trainer().fit(gan, datamodule=data)
    assert first[-1] < 0.9 * first[0]
    moved = [name for name, weight in copy_weights(gan).items() if not weight.equal(before[name])]
    for part in ("generator", "inverse", "discriminator", "source_discriminator"):
        assert any(name.startswith(f"{part}.") for name in moved)


@pytest.mark.parametrize(
    ("overrides", "sections", "message"),
    [
        (("model.regularisation.r1=1",), {}, "two discriminators, and regularisation.r1 would"),
        (("model.regularisation.instance_noise=1",), {}, "CycleGAN compares images pixel by pixel"),
        ((), {"data": {"name": "mnist"}}, "CycleGAN translates images, and these data have no"),
        (("model.accumulate_gradients=2",), {}, "pool_size is 50 and accumulate_gradients is 2"),
        ((), {"network": {"name": "dcgan"}}, "cannot translate images; set network"),
    ],
)
def test_invalid_combinations(
    overrides: tuple[str, ...], sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(make_config("cyclegan", *overrides, **sections))


def test_a_pool_smaller_than_the_minibatch_is_refused() -> None:
    config = make_config("cyclegan", "model.pool_size=6")
    with pytest.raises(UserError, match=r"pool_size is 6, which is less than the 8 images"):
        check_minibatch(config)
