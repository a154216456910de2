"""The list of configurations of the corpus, the same at each call.

A plan draws configurations that are likely to end in one state; what state they end in is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from random import Random

__all__ = ["FIRST_SEED", "Configuration", "configurations", "planned_runs"]

FIRST_SEED = 1000
STEP = 60
"""Updates are a multiple of it, so that every measurement falls on the end of a batch."""

PLAYERS = ("discriminator", "generator")

REPEATED = 8
"""One configuration in so many has three seeds, the others have one."""


@dataclass(frozen=True)
class Configuration:
    """What one or several runs of the corpus train.

    Args:
        name: of the plan and number within it; the unit by which the corpus is split.
        overrides: `key=value` on top of `BASE`.
        updates: generator updates of the run as the diagnosis sees it.
        seeds: seeds of its runs.
    """

    name: str
    overrides: tuple[str, ...]
    updates: int
    seeds: tuple[int, ...] = (FIRST_SEED,)

    @property
    def shows_digits(self) -> bool:
        """Whether the data are digits, not points."""
        return "data.name=mnist" in self.overrides


Draw = Callable[[Random], tuple[list[str], int]]
"""Draws overrides and the number of updates, in units of `STEP`."""


def configurations() -> list[Configuration]:
    """Return all configurations in the order of training: plans in turn, digits spread evenly."""
    drawn = [list(_draw_plan(name, *plan)) for name, plan in PLANS.items()]
    points = _in_turn([plan for plan in drawn if not plan[0].shows_digits])
    digits = _in_turn([plan for plan in drawn if plan[0].shows_digits])
    return _spread(points, digits)


def planned_runs() -> list[tuple[Configuration, int]]:
    """Return configurations and seeds in the order of training: all first seeds, then the others.

    A part of the list from its beginning is a fair sample of all configurations.
    """
    every = configurations()
    runs = [(each, each.seeds[0]) for each in every]
    return runs + [(each, seed) for each in every for seed in each.seeds[1:]]


def _draw_plan(name: str, count: int, draw: Draw) -> Iterator[Configuration]:
    """Yield the configurations of a plan; no two of all have the same seed."""
    plan = list(PLANS).index(name)
    for number in range(count):
        overrides, steps = draw(Random(f"{name} {number}"))
        first = FIRST_SEED + 300 * plan + 3 * number
        seeds = (first, first + 1, first + 2) if number % REPEATED == 0 else (first,)
        yield Configuration(f"{name}-{number:02}", tuple(overrides), steps * STEP, seeds)


def _in_turn(plans: list[list[Configuration]]) -> list[Configuration]:
    """Return the first of each plan, then the second of each, and so on."""
    return [each for row in zip_longest(*plans) for each in row if each is not None]


def _spread(points: list[Configuration], digits: list[Configuration]) -> list[Configuration]:
    """Return both lists as one, in which each is spread evenly."""
    places = [((index + 0.5) / len(points), each) for index, each in enumerate(points)]
    places += [((index + 0.5) / len(digits), each) for index, each in enumerate(digits)]
    return [each for _, each in sorted(places, key=lambda place: (place[0], place[1].name))]


def _rates(discriminator: float, generator: float, *, beta: float = 0.0) -> list[str]:
    """Return the overrides of both players' Adam."""
    overrides = []
    for player, rate in zip(PLAYERS, (discriminator, generator), strict=True):
        overrides += [
            f"model.{player}_optimizer.learning_rate={rate:.3g}",
            f"model.{player}_optimizer.betas=[{beta:g},0.9]",
        ]
    return overrides


def _sgd(discriminator: float, generator: float) -> list[str]:
    """Return the overrides of both players' stochastic gradient descent."""
    overrides = []
    for player, rate in zip(PLAYERS, (discriminator, generator), strict=True):
        overrides.append(f"model.{player}_optimizer.name=sgd")
        overrides.append(f"model.{player}_optimizer.learning_rate={rate:.3g}")
    return overrides


def _falling(steps: int) -> list[str]:
    """Return the overrides by which both learning rates fall until the end of the run."""
    schedule = f"{{kind: cosine, final: 0.05, updates: {steps * STEP}}}"
    return [f"model.{player}_optimizer.schedule={schedule}" for player in PLAYERS]


def _log_uniform(random: Random, low: float, high: float) -> float:
    return float(low * (high / low) ** random.random())


def _widths(generator: list[int], discriminator: list[int]) -> list[str]:
    return [
        f"network.generator_hidden={generator}",
        f"network.discriminator_hidden={discriminator}",
    ]


def _world(random: Random, *, modes: bool = False) -> list[str]:
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


def _average(random: Random) -> list[str]:
    return random.choice([[], ["model.ema_decay=0.99"], ["model.ema_decay=0.995"]])


def _stable_game(random: Random) -> list[str]:
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


def _plain_game(random: Random) -> list[str]:
    """Draw a variant without a penalty."""
    objective = random.choice(["non_saturating", "minimax", "hinge", "least_squares"])
    return ["model.name=gan", f"model.objective={objective}"]


def _healthy(random: Random) -> tuple[list[str], int]:
    rate = _log_uniform(random, 5e-4, 4e-3)
    width = random.choice([48, 64, 96])
    overrides = [*_world(random), *_stable_game(random), *_average(random)]
    overrides += _widths([width, width], [width, width])
    overrides += _rates(rate * random.choice([1, 1, 2]), rate)
    overrides.append(f"model.latent_size={random.choice([2, 4, 16])}")
    return overrides, random.randint(5, 14)


def _long(random: Random) -> tuple[list[str], int]:
    overrides, _ = _healthy(random)
    steps = random.randint(16, 26)
    return [*overrides, *_falling(steps)], steps


def _cut_off(random: Random) -> tuple[list[str], int]:
    overrides, _ = _healthy(random)
    if random.random() < 0.5:
        return overrides, random.randint(1, 3)
    slow = _log_uniform(random, 2e-5, 2e-4)
    return [*overrides, *_rates(slow, slow)], random.randint(3, 7)


def _won(random: Random) -> tuple[list[str], int]:
    fast = _log_uniform(random, 1e-3, 1e-2)
    overrides = [*_world(random), "model.name=gan"]
    overrides.append(f"model.objective={random.choice(['minimax', 'minimax', 'non_saturating'])}")
    overrides += _widths([random.choice([16, 64])] * 2, [random.choice([64, 128])] * 2)
    overrides += _rates(fast, fast / random.choice([30, 100, 300]))
    overrides.append(f"model.discriminator_steps={random.choice([1, 2, 4])}")
    overrides.append(f"model.latent_size={random.choice([2, 8])}")
    return overrides, random.randint(4, 8)


def _weak(random: Random) -> tuple[list[str], int]:
    rate = _log_uniform(random, 3e-4, 3e-3)
    overrides = [*_world(random), *_plain_game(random)]
    kind = random.choice(["slow", "slow", "tiny", "penalty", "clip"])
    width = {"tiny": random.choice([1, 2, 3])}.get(kind, 64)
    overrides += _widths([64, 64], [width])
    slow = rate / random.choice([100, 1000, 10000]) if kind == "slow" else rate
    overrides += _rates(slow, rate)
    if kind == "penalty":
        overrides.append(f"model.regularisation.r1={random.choice([30, 100, 300])}")
    if kind == "clip":
        overrides = [each for each in overrides if not each.startswith(("model.name", "model.obj"))]
        overrides += ["model.name=wgan", "model.discriminator_steps=1"]
        overrides += [f"model.clip={random.choice([0.001, 0.003])}"]
    overrides.append(f"model.latent_size={random.choice([2, 8])}")
    return overrides, random.randint(4, 8)


def _oscillating(random: Random) -> tuple[list[str], int]:
    overrides = [*_world(random), *_plain_game(random)]
    width = random.choice([16, 32, 64])
    overrides += _widths([width, width], [width] * random.choice([1, 2]))
    overrides.append(f"model.latent_size={random.choice([2, 8])}")
    kind = random.choice(["momentum", "fast", "simultaneous"])
    rate = _log_uniform(random, 2e-3, 2e-2)
    if kind == "simultaneous":
        overrides.append("model.update_rule.name=simultaneous")
    beta = {"momentum": random.choice([0.8, 0.9])}.get(kind, random.choice([0.0, 0.5]))
    if random.random() < 0.25:
        overrides += _sgd(rate * 30, rate * 30)
    else:
        overrides += _rates(rate, rate * random.choice([0.5, 1, 2]), beta=beta)
    return overrides, random.randint(5, 11)


def _diverging(random: Random) -> tuple[list[str], int]:
    overrides = _world(random)
    objective = random.choice(["least_squares", "hinge", "non_saturating", "minimax"])
    overrides += ["model.name=gan", f"model.objective={objective}"]
    width = random.choice([32, 64])
    overrides += [*_widths([width, width], [width, width]), "model.latent_size=4"]
    if random.random() < 0.5:
        overrides += _sgd(_log_uniform(random, 0.3, 10), _log_uniform(random, 0.3, 10))
    else:
        overrides += _rates(_log_uniform(random, 0.03, 1), _log_uniform(random, 0.03, 1))
    return overrides, random.randint(4, 7)


def _collapsing(random: Random) -> tuple[list[str], int]:
    overrides = _world(random, modes=True)
    objective = random.choice(["minimax", "non_saturating", "hinge", "least_squares"])
    overrides += ["model.name=gan", f"model.objective={objective}"]
    overrides += _widths([random.choice([64, 128])] * 2, [random.choice([32, 64, 128])])
    rate = _log_uniform(random, 5e-4, 2e-3)
    overrides += _rates(rate, rate * random.choice([1, 3, 10]), beta=0.5)
    overrides.append("network.initialisation=orthogonal")
    overrides.append(f"model.latent_size={random.choice([2, 64])}")
    return overrides, random.randint(6, 12)


def _narrow(random: Random) -> tuple[list[str], int]:
    rate = _log_uniform(random, 1e-3, 4e-3)
    overrides = [*_world(random, modes=True), *_stable_game(random)]
    overrides += _widths([random.choice([2, 3, 4, 6])] * random.choice([1, 2]), [64, 64])
    overrides += _rates(rate, rate)
    overrides.append(f"model.latent_size={random.choice([1, 1, 2])}")
    return overrides, random.randint(8, 14)


def _few_points(random: Random) -> tuple[list[str], int]:
    """Draw a game on so few points that it can copy them, with rates that fall."""
    count = random.choice([6, 8, 8, 10, 12, 16])
    world = random.choice(["ring", "ring", "grid", "swissroll"])
    overrides = [f"data.name={world}", f"data.points={count}", f"data.batch_size={count}"]
    if world != "swissroll":
        overrides.append(f"data.standard_deviation={random.choice([0.3, 0.4])}")
    if world == "grid":
        overrides += ["data.side=3", "data.spacing=1.0"]
    gamma = random.choice([0.002, 0.005, 0.01])
    overrides += ["model.name=gan", "model.objective=relativistic"]
    overrides += [f"model.regularisation.r1={gamma}", f"model.regularisation.r2={gamma}"]
    rate = _log_uniform(random, 1.5e-3, 4e-3)
    steps = random.randint(10, 16)
    overrides += [*_widths([96, 96], [96, 96]), *_rates(rate, rate), *_falling(steps)]
    return [*overrides, "model.latent_size=2"], steps


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
    rate = _log_uniform(random, 7e-4, 2e-3)
    game = [each for each in _stable_game(random) if "gradient_penalty" not in each]
    game += ["model.regularisation.gradient_penalty=10"] * ("model.name=wgan_gp" in game)
    overrides = [*_digits(random), *game, *_average(random), *_rates(rate, 2 * rate, beta=0.5)]
    return overrides, random.randint(4, 10)


def _digits_cut_off(random: Random) -> tuple[list[str], int]:
    overrides, _ = _digits_healthy(random)
    return overrides, random.randint(1, 3)


def _digits_won(random: Random) -> tuple[list[str], int]:
    rate = _log_uniform(random, 5e-4, 3e-3)
    overrides = [*_digits(random), "model.name=gan"]
    overrides.append(f"model.objective={random.choice(['minimax', 'non_saturating'])}")
    overrides += _rates(rate, rate / random.choice([10, 100, 300]), beta=0.5)
    return overrides, random.randint(3, 7)


def _digits_weak(random: Random) -> tuple[list[str], int]:
    rate = _log_uniform(random, 3e-4, 1.5e-3)
    overrides = [*_digits(random), *_plain_game(random)]
    overrides += _rates(rate / random.choice([100, 1000, 10000]), rate, beta=0.5)
    return overrides, random.randint(3, 7)


def _digits_collapsing(random: Random) -> tuple[list[str], int]:
    rate = _log_uniform(random, 5e-4, 2e-3)
    overrides = [*_digits(random), *_plain_game(random)]
    overrides += _rates(rate, rate * random.choice([1, 3, 10]), beta=random.choice([0.5, 0.9]))
    return overrides, random.randint(4, 8)


def _digits_diverging(random: Random) -> tuple[list[str], int]:
    overrides = [*_digits(random), *_plain_game(random)]
    return [*overrides, *_sgd(*[_log_uniform(random, 0.3, 10) for _ in range(2)])], 4


def _few_digits(random: Random) -> tuple[list[str], int]:
    overrides = [*_digits(random), f"data.training_samples={random.choice([50, 50, 100, 200])}"]
    rate = _log_uniform(random, 7e-4, 2e-3)
    gamma = random.choice([0.01, 0.1])
    overrides += ["model.name=gan", f"model.objective={random.choice(['hinge', 'relativistic'])}"]
    overrides += [f"model.regularisation.r1={gamma}", *_rates(rate, 2 * rate, beta=0.5)]
    return overrides, random.randint(9, 15)


PLANS: dict[str, tuple[int, Draw]] = {
    "healthy": (60, _healthy),
    "won": (36, _won),
    "weak": (36, _weak),
    "collapsing": (36, _collapsing),
    "oscillating": (36, _oscillating),
    "few-points": (28, _few_points),
    "diverging": (28, _diverging),
    "cut-off": (32, _cut_off),
    "narrow": (20, _narrow),
    "long": (32, _long),
    "digits-healthy": (18, _digits_healthy),
    "digits-few": (16, _few_digits),
    "digits-won": (10, _digits_won),
    "digits-weak": (10, _digits_weak),
    "digits-collapsing": (10, _digits_collapsing),
    "digits-cut-off": (10, _digits_cut_off),
    "digits-diverging": (6, _digits_diverging),
}
"""Name -> number of configurations, and how they are drawn."""
