"""Overrides of a config, as plans of the corpus draw them."""

from __future__ import annotations

from random import Random

__all__ = [
    "STEP",
    "draw_average",
    "draw_world",
    "falling",
    "log_uniform",
    "plain_game",
    "rates",
    "sgd",
    "stable_game",
    "widths",
]

STEP = 60
"""Updates are a multiple of it, so that every measurement falls on the end of a batch."""

PLAYERS = ("discriminator", "generator")


def rates(discriminator: float, generator: float, *, beta: float = 0.0) -> list[str]:
    """Return the overrides of both players' Adam."""
    overrides = []
    for player, rate in zip(PLAYERS, (discriminator, generator), strict=True):
        overrides += [
            f"model.{player}_optimizer.learning_rate={rate:.3g}",
            f"model.{player}_optimizer.betas=[{beta:g},0.9]",
        ]
    return overrides


def sgd(discriminator: float, generator: float) -> list[str]:
    """Return the overrides of both players' stochastic gradient descent."""
    overrides = []
    for player, rate in zip(PLAYERS, (discriminator, generator), strict=True):
        overrides.append(f"model.{player}_optimizer.name=sgd")
        overrides.append(f"model.{player}_optimizer.learning_rate={rate:.3g}")
    return overrides


def falling(steps: int) -> list[str]:
    """Return the overrides by which both learning rates fall until the end of the run."""
    schedule = f"{{kind: cosine, final: 0.05, updates: {steps * STEP}}}"
    return [f"model.{player}_optimizer.schedule={schedule}" for player in PLAYERS]


def log_uniform(random: Random, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(low * (high / low) ** random.random())


def widths(generator: list[int], discriminator: list[int]) -> list[str]:
    """Return the overrides of the hidden layers of both players."""
    return [
        f"network.generator_hidden={generator}",
        f"network.discriminator_hidden={discriminator}",
    ]


def draw_world(random: Random, *, modes: bool = False) -> list[str]:
    """Draw data of points, with modes where they are needed."""
    world = random.choice(["ring", "ring", "grid", "grid"] + ["swissroll"] * 2 * (not modes))
    deviation = random.choice([0.02, 0.05])
    keys = {
        "ring": ["data.name=ring", f"data.standard_deviation={deviation}"],
        "grid": [
            "data.name=grid",
            f"data.side={random.choice([3, 3, 4])}",
            "data.spacing=1.0",
            f"data.standard_deviation={deviation}",
        ],
        "swissroll": ["data.name=swissroll"],
    }
    return [*keys[world], f"data.batch_size={random.choice([64, 128])}"]


def draw_average(random: Random) -> list[str]:
    """Draw whether there is a running average of the generator, and its decay."""
    return random.choice([[], ["model.ema_decay=0.99"], ["model.ema_decay=0.995"]])


def stable_game(random: Random) -> list[str]:
    """Draw a variant that converges at most rates, with its penalty."""
    gamma = random.choice([0.02, 0.05, 0.1, 0.3])
    penalty = [f"model.regularisation.r1={gamma}"]
    objective = random.choice(["non_saturating", "hinge", "least_squares", "minimax"])
    games = {
        "r1": ["model.name=gan", f"model.objective={objective}", *penalty],
        "r3gan": [
            "model.name=gan",
            "model.objective=relativistic",
            *penalty,
            f"model.regularisation.r2={gamma}",
        ],
        "dragan": [
            "model.name=gan",
            f"model.objective={random.choice(['non_saturating', 'hinge'])}",
            "model.regularisation.gradient_penalty=1.0",
        ],
        "wgan_gp": [
            "model.name=wgan_gp",
            f"model.discriminator_steps={random.choice([2, 3])}",
            f"model.regularisation.gradient_penalty={random.choice([0.1, 1.0])}",
        ],
        "packed": ["model.name=gan", "network.packing=2", *penalty],
        "unrolled": ["model.name=unrolled", "model.unrolled_steps=2", "model.objective=minimax"],
    }
    return games[random.choice(sorted(games))]


def plain_game(random: Random) -> list[str]:
    """Draw a variant without a penalty."""
    objective = random.choice(["non_saturating", "minimax", "hinge", "least_squares"])
    return ["model.name=gan", f"model.objective={objective}"]
