"""The topics after translation: ways to step, pairs, losses compared, few data, attacks."""

from __future__ import annotations

from gan_lightning.results.topic import Topic

__all__ = ["LATER_TOPICS"]

LOSSES = ("gan", "lsgan", "hinge", "wgan_gp", "dragan", "began", "r3gan")
"""Losses of the one table, as the names of its experiments begin."""

RULES = (
    "simultaneous",
    "alternating",
    "extragradient",
    "optimistic",
    "lookahead",
    "consensus",
    "symplectic",
)
"""Update rules, as the names of their experiments end."""

LATER_TOPICS: tuple[Topic, ...] = (
    Topic(
        slug="ways-to-step",
        title="Ways to step",
        idea="The gradients of both players turn around the equilibrium. Steps that look ahead, "
        "remember, go back, or descend the norm of the field lead inwards, without a change of "
        "the losses.",
        equations=r"w' = w - \eta\, v\big(w - \eta\, v(w)\big), \qquad"
        r" w' = w - \eta\, \big(v(w) + \gamma\, \nabla \tfrac{1}{2} \lVert v(w) \rVert^2\big)",
        gans=(),
        experiments=(
            *(f"bilinear_{rule}" for rule in RULES),
            "dirac_extragradient",
            "dirac_consensus",
            *(f"sharp_ring_{rule}" for rule in RULES[2:]),
            "extragradient_mnist",
        ),
    ),
    Topic(
        slug="relativistic",
        title="Pairs and penalties: R3GAN",
        idea="A discriminator that compares each real sample with a generated one has a gradient "
        "at modes that were dropped. Penalties on its slope at real and at generated samples make "
        "the game converge, and networks without normalisation suffice.",
        equations=r"\min_G \max_D \; \mathbb{E}_{x,z}\big[\log \sigma\big(D(x) - D(G(z))\big)\big]"
        r" - \tfrac{\gamma}{2}\, \mathbb{E}_{x}\big[\lVert \nabla D(x) \rVert^2\big]"
        r" - \tfrac{\gamma}{2}\, \mathbb{E}_{z}\big[\lVert \nabla D(G(z)) \rVert^2\big]",
        gans=(),
        experiments=(
            "r3gan_ring",
            "r3gan_grid",
            "r3gan_mnist",
            "r3gan_stacked_mnist",
            "gan_r1_r2_stacked_mnist",
            "rpgan_r1_stacked_mnist",
            "gan_r1_stacked_mnist",
            "r3gan_cifar10",
            "r3gan_ffhq64",
        ),
    ),
    Topic(
        slug="losses",
        title="One table of losses",
        idea="Each paper compares its loss with earlier ones in networks, rates and budgets of its "
        "own. With the same ones for all, small pictures of clothes and faces tell them apart.",
        equations=r"\mathcal{L}_D = \mathbb{E}\big[f(D(x))\big] + \mathbb{E}\big[g(D(G(z)))\big],"
        r" \qquad \mathcal{L}_G = \mathbb{E}\big[h(D(G(z)))\big]",
        gans=("projected",),
        experiments=(
            *(f"{loss}_{data}" for data in ("fashion_mnist", "faces") for loss in LOSSES),
            "projected_fashion_mnist",
            "classifier_fashion_mnist",
            "classifier_faces",
        ),
    ),
    Topic(
        slug="limited-data",
        title="Few data",
        idea="With few images the discriminator remembers them, and its gradient no longer says "
        "what real images have in common. Augmented for both players alike, they last longer.",
        equations=r"\min_D \mathbb{E}\big[f(D(T(x)))\big] + \mathbb{E}\big[g(D(T(G(z))))\big],"
        r" \qquad \min_G \mathbb{E}\big[h(D(T(G(z))))\big], \quad T \text{ random}",
        gans=(),
        experiments=(
            "limited_faces_20000",
            "limited_faces_20000_diffaugment",
            "limited_faces_20000_ada",
            "limited_faces_20000_lecam",
            "limited_faces_4000",
            "limited_faces_4000_diffaugment",
            "limited_faces_2000",
            "limited_faces_2000_diffaugment",
            "limited_faces_2000_ada",
            "limited_faces_2000_lecam",
        ),
    ),
    Topic(
        slug="adversarial-examples",
        title="Adversarial examples and training",
        idea="A small step along the sign of the gradient makes an accurate classifier fail. "
        "Training on such inputs, a game between classifier and attacker, makes it robust.",
        equations=r"x' = x + \epsilon\, \operatorname{sign}(\nabla_x J(\theta, x, y)), \qquad"
        r" \min_\theta \mathbb{E}_{x,y}\Big[\max_{\lVert \delta \rVert_\infty \leq \epsilon}"
        r" J(\theta, x + \delta, y)\Big]",
        gans=(),
        experiments=(
            "classifier_mnist",
            "adversarial_plain_mnist",
            "adversarial_fgsm_mnist",
            "adversarial_mnist",
            "adversarial_mnist_paper",
        ),
    ),
)
"""In the order of the lecture's pages."""
