"""Plans of runs on digits, with small convolutional networks."""

from __future__ import annotations

from random import Random

from diagnosis.overrides import draw_average, log_uniform, plain_game, rates, sgd, stable_game
from diagnosis.plans import Draw

__all__ = ["DIGIT_PLANS"]


def _digits(random: Random) -> list[str]:
    """Draw digits and small networks."""
    return [
        "data.name=mnist",
        "data.batch_size=32",
        f"model.latent_size={random.choice([8, 32])}",
        "network.name=dcgan",
        f"network.width={random.choice([4, 8])}",
        "network.discriminator_norm=layer",
    ]


def _digits_healthy(random: Random) -> tuple[list[str], int]:
    rate = log_uniform(random, 7e-4, 2e-3)
    game = [each for each in stable_game(random) if "gradient_penalty" not in each]
    game += ["model.regularisation.gradient_penalty=10"] * ("model.name=wgan_gp" in game)
    overrides = [*_digits(random), *game, *draw_average(random), *rates(rate, 2 * rate, beta=0.5)]
    return overrides, random.randint(4, 10)


def _digits_cut_off(random: Random) -> tuple[list[str], int]:
    overrides, _ = _digits_healthy(random)
    return overrides, random.randint(1, 3)


def _digits_won(random: Random) -> tuple[list[str], int]:
    rate = log_uniform(random, 5e-4, 3e-3)
    overrides = [*_digits(random), "model.name=gan"]
    overrides.append(f"model.objective={random.choice(['minimax', 'non_saturating'])}")
    overrides += rates(rate, rate / random.choice([10, 100, 300]), beta=0.5)
    return overrides, random.randint(3, 7)


def _digits_weak(random: Random) -> tuple[list[str], int]:
    rate = log_uniform(random, 3e-4, 1.5e-3)
    overrides = [*_digits(random), *plain_game(random)]
    overrides += rates(rate / random.choice([100, 1000, 10000]), rate, beta=0.5)
    return overrides, random.randint(3, 7)


def _digits_collapsing(random: Random) -> tuple[list[str], int]:
    rate = log_uniform(random, 5e-4, 2e-3)
    overrides = [*_digits(random), *plain_game(random)]
    overrides += rates(rate, rate * random.choice([1, 3, 10]), beta=random.choice([0.5, 0.9]))
    return overrides, random.randint(4, 8)


def _digits_diverging(random: Random) -> tuple[list[str], int]:
    overrides = [*_digits(random), *plain_game(random)]
    return [*overrides, *sgd(*[log_uniform(random, 0.3, 10) for _ in range(2)])], 4


def _few_digits(random: Random) -> tuple[list[str], int]:
    overrides = [*_digits(random), f"data.training_samples={random.choice([50, 50, 100, 200])}"]
    rate = log_uniform(random, 7e-4, 2e-3)
    gamma = random.choice([0.01, 0.1])
    overrides += ["model.name=gan", f"model.objective={random.choice(['hinge', 'relativistic'])}"]
    overrides += [f"model.regularisation.r1={gamma}", *rates(rate, 2 * rate, beta=0.5)]
    return overrides, random.randint(9, 15)


DIGIT_PLANS: dict[str, tuple[int, Draw]] = {
    "digits-healthy": (18, _digits_healthy),
    "digits-few": (16, _few_digits),
    "digits-won": (10, _digits_won),
    "digits-weak": (10, _digits_weak),
    "digits-collapsing": (10, _digits_collapsing),
    "digits-cut-off": (10, _digits_cut_off),
    "digits-diverging": (6, _digits_diverging),
}
"""Name -> number of configurations, and how they are drawn."""
