"""Plans of runs on points, each of which is likely to end in one state.

A plan draws overrides and the number of updates, in units of `STEP`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from diagnosis.overrides import (
    draw_average,
    draw_world,
    falling,
    log_uniform,
    plain_game,
    rates,
    sgd,
    stable_game,
    widths,
)

__all__ = ["FURTHER_PLANS", "POINT_PLANS", "Draw"]

Draw = Callable[[Random], tuple[list[str], int]]
"""Draws overrides and the number of updates, in units of `STEP`."""


def _healthy(random: Random) -> tuple[list[str], int]:
    rate = log_uniform(random, 5e-4, 4e-3)
    width = random.choice([48, 64, 96])
    overrides = [*draw_world(random), *stable_game(random), *draw_average(random)]
    overrides += widths([width, width], [width, width])
    overrides += rates(rate * random.choice([1, 1, 2]), rate)
    overrides.append(f"model.latent_size={random.choice([2, 4, 16])}")
    return overrides, random.randint(5, 14)


def _long(random: Random) -> tuple[list[str], int]:
    overrides, _ = _healthy(random)
    steps = random.randint(16, 26)
    return [*overrides, *falling(steps)], steps


def _cut_off(random: Random) -> tuple[list[str], int]:
    """Draw a short run of a slow generator before a fast and smooth discriminator."""
    gamma = random.choice([0.2, 0.3, 0.5])
    smooth = [f"model.regularisation.r1={gamma}"]
    games = [
        [
            "model.name=gan",
            f"model.objective={random.choice(['non_saturating', 'hinge'])}",
            *smooth,
        ],
        ["model.name=gan", "model.objective=relativistic", *smooth],
        ["model.name=wgan_gp", "model.discriminator_steps=3"],
    ]
    game = random.choice(games)
    penalty = ["model.regularisation.gradient_penalty=1.0"] * ("model.name=wgan_gp" in game)
    rate = log_uniform(random, 2e-4, 6e-4)
    overrides = [*draw_world(random), *game, *penalty, *draw_average(random)]
    overrides += [*widths([64, 64], [64, 64]), *rates(4 * rate, rate)]
    overrides.append(f"model.latent_size={random.choice([2, 4])}")
    return overrides, random.randint(2, 5)


def _won(random: Random) -> tuple[list[str], int]:
    fast = log_uniform(random, 1e-3, 1e-2)
    overrides = [*draw_world(random), "model.name=gan"]
    overrides.append(f"model.objective={random.choice(['minimax', 'minimax', 'non_saturating'])}")
    overrides += widths([random.choice([16, 64])] * 2, [random.choice([64, 128])] * 2)
    overrides += rates(fast, fast / random.choice([30, 100, 300]))
    overrides.append(f"model.discriminator_steps={random.choice([1, 2, 4])}")
    overrides.append(f"model.latent_size={random.choice([2, 8])}")
    return overrides, random.randint(4, 8)


def _weak(random: Random) -> tuple[list[str], int]:
    rate = log_uniform(random, 3e-4, 3e-3)
    overrides = [*draw_world(random), *plain_game(random)]
    kind = random.choice(["slow", "slow", "tiny", "penalty", "clip"])
    width = {"tiny": random.choice([1, 2, 3])}.get(kind, 64)
    overrides += widths([64, 64], [width])
    slow = rate / random.choice([100, 1000, 10000]) if kind == "slow" else rate
    overrides += rates(slow, rate)
    if kind == "penalty":
        overrides.append(f"model.regularisation.r1={random.choice([30, 100, 300])}")
    if kind == "clip":
        overrides = [each for each in overrides if not each.startswith(("model.name", "model.obj"))]
        overrides += ["model.name=wgan", "model.discriminator_steps=1"]
        overrides += [f"model.clip={random.choice([0.001, 0.003])}"]
    overrides.append(f"model.latent_size={random.choice([2, 8])}")
    return overrides, random.randint(4, 8)


def _oscillating(random: Random) -> tuple[list[str], int]:
    overrides = [*draw_world(random), *plain_game(random)]
    width = random.choice([16, 32, 64])
    overrides += widths([width, width], [width] * random.choice([1, 2]))
    overrides.append(f"model.latent_size={random.choice([2, 8])}")
    kind = random.choice(["momentum", "fast", "simultaneous"])
    rate = log_uniform(random, 2e-3, 2e-2)
    if kind == "simultaneous":
        overrides.append("model.update_rule.name=simultaneous")
    beta = {"momentum": random.choice([0.8, 0.9])}.get(kind, random.choice([0.0, 0.5]))
    if random.random() < 0.25:
        overrides += sgd(rate * 30, rate * 30)
    else:
        overrides += rates(rate, rate * random.choice([0.5, 1, 2]), beta=beta)
    return overrides, random.randint(5, 11)


def _diverging(random: Random) -> tuple[list[str], int]:
    overrides = draw_world(random)
    objective = random.choice(["least_squares", "hinge", "non_saturating", "minimax"])
    overrides += ["model.name=gan", f"model.objective={objective}"]
    width = random.choice([32, 64])
    overrides += [*widths([width, width], [width, width]), "model.latent_size=4"]
    if random.random() < 0.5:
        overrides += sgd(log_uniform(random, 0.3, 10), log_uniform(random, 0.3, 10))
    else:
        overrides += rates(log_uniform(random, 0.03, 1), log_uniform(random, 0.03, 1))
    return overrides, random.randint(4, 7)


def _collapsing(random: Random) -> tuple[list[str], int]:
    overrides = draw_world(random, modes=True)
    objective = random.choice(["minimax", "non_saturating", "hinge", "least_squares"])
    overrides += ["model.name=gan", f"model.objective={objective}"]
    overrides += widths([random.choice([64, 128])] * 2, [random.choice([32, 64, 128])])
    rate = log_uniform(random, 5e-4, 2e-3)
    overrides += rates(rate, rate * random.choice([1, 3, 10]), beta=0.5)
    overrides.append("network.initialisation=orthogonal")
    overrides.append(f"model.latent_size={random.choice([2, 64])}")
    return overrides, random.randint(6, 12)


def _partial(random: Random) -> tuple[list[str], int]:
    """Draw a generator that is too narrow for all modes, in a stable game."""
    rate = log_uniform(random, 2e-3, 6e-3)
    steps = random.randint(6, 9)
    overrides = [*draw_world(random, modes=True), *stable_game(random)]
    hidden = random.choice([[2], [3], [4], [5], [2, 2], [3, 3], [4, 4]])
    overrides += [*widths(hidden, [64, 64]), *rates(rate, rate), *falling(steps)]
    return [*overrides, f"model.latent_size={random.choice([1, 1, 2])}"], steps


def _few_points(random: Random) -> tuple[list[str], int]:
    """Draw a game on so few points that it can copy them, with rates that fall."""
    count = random.choice([6, 8, 8, 10, 12, 16])
    world = random.choice(["ring", "grid"])
    overrides = [f"data.name={world}", f"data.points={count}", f"data.batch_size={count}"]
    overrides.append(f"data.standard_deviation={random.choice([0.3, 0.4])}")
    if world == "grid":
        overrides += ["data.side=3", "data.spacing=1.0"]
    gamma = random.choice([0.002, 0.005, 0.01])
    overrides += ["model.name=gan", "model.objective=relativistic"]
    overrides += [f"model.regularisation.r1={gamma}", f"model.regularisation.r2={gamma}"]
    rate = log_uniform(random, 1.5e-3, 4e-3)
    steps = random.randint(10, 16)
    overrides += [*widths([96, 96], [96, 96]), *rates(rate, rate), *falling(steps)]
    return [*overrides, "model.latent_size=2"], steps


POINT_PLANS: dict[str, tuple[int, Draw]] = {
    "healthy": (60, _healthy),
    "won": (36, _won),
    "weak": (36, _weak),
    "collapsing": (36, _collapsing),
    "oscillating": (36, _oscillating),
    "few-points": (28, _few_points),
    "diverging": (28, _diverging),
    "cut-off": (32, _cut_off),
    "partial": (48, _partial),
    "long": (32, _long),
}
"""Name -> number of configurations, and how they are drawn."""


def _one_mode(random: Random) -> tuple[list[str], int]:
    """Draw the set-up of the unrolled GAN's baseline, which ends in one mode or few."""
    overrides = draw_world(random, modes=True)
    objective = random.choice(["minimax", "minimax", "non_saturating", "hinge"])
    overrides += ["model.name=gan", f"model.objective={objective}"]
    overrides += widths([128, 128], random.choice([[512], [128, 128]]))
    rate = log_uniform(random, 5e-4, 2e-3)
    overrides += rates(rate, rate, beta=0.5)
    overrides.append("network.initialisation=orthogonal")
    overrides.append(f"model.latent_size={random.choice([2, 64])}")
    return [*overrides, *random.choice([[], ["model.ema_decay=0.99"]])], random.randint(10, 20)


def _settled(random: Random) -> tuple[list[str], int]:
    overrides, _ = _healthy(random)
    steps = random.randint(28, 36)
    return [*overrides, *falling(steps)], steps


def _begun(random: Random) -> tuple[list[str], int]:
    overrides, _ = _cut_off(random)
    return overrides, random.choice([1, 1, 2])


FURTHER_PLANS: dict[str, tuple[int, Draw]] = {
    "one-mode": (28, _one_mode),
    "settled": (24, _settled),
    "begun": (16, _begun),
}
"""Plans of runs on points that came later, so that the seeds of the others stay the same."""
