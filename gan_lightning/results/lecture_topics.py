"""The topics from the two-player game to image-to-image translation."""

from __future__ import annotations

from gan_lightning.results.topic import Topic

__all__ = ["LECTURE_TOPICS"]

LECTURE_TOPICS: tuple[Topic, ...] = (
    Topic(
        slug="two-player-game",
        title="The two-player game",
        idea="A generator maps noise to samples, and a discriminator classifies samples as real or "
        "generated. At the equilibrium the generator's distribution is the data distribution.",
        equations=r"\min_G \max_D \; \mathbb{E}_{x \sim p_\text{data}}[\log D(x)]"
        r" + \mathbb{E}_{z \sim p_z}[\log(1 - D(G(z)))]",
        gans=("gan",),
        experiments=("gan_mnist",),
    ),
    Topic(
        slug="non-convergence",
        title="The game need not converge",
        idea="Each player follows its own gradient, and together they can circle the equilibrium "
        "for ever, as a game of two parameters shows. Noise on the data, or a penalty on the "
        "discriminator's gradient, makes them converge.",
        equations=r"\min_x \max_y \; xy: \qquad \dot x = -y, \quad \dot y = x"
        r" \quad\Rightarrow\quad \tfrac{d}{dt}(x^2 + y^2) = 0",
        gans=("dragan",),
        experiments=(
            "dirac_vanilla",
            "dirac_nonsaturating",
            "dirac_wgan",
            "dirac_wgan_gp",
            "dirac_instance_noise",
            "dirac_r1",
            "dirac_r1_r2",
        ),
    ),
    Topic(
        slug="mode-collapse",
        title="Mode collapse",
        idea="Against a fixed discriminator the best generator produces only the sample that the "
        "discriminator rates most real. On rings, grids and stacked digits the missing modes can "
        "be counted.",
        equations=r"\min_G \max_D V(G, D) \;\neq\; \max_D \min_G V(G, D), \qquad"
        r" G^*(z) = \operatorname{arg\,max}_x D(x) \;\; \text{for every } z",
        gans=(),
        experiments=(
            "gan_ring",
            "gan_grid",
            "gan_ring_paper",
            "gan_grid_paper",
            "gan_stacked_mnist",
            "gan_stacked_mnist_paper",
            "lsgan_ring",
            "sharp_ring_packed",
            "sharp_ring_wgan_gp",
            "sharp_ring_r1",
            "sharp_ring_r3gan",
            "sharp_grid_minibatch",
            "sharp_grid_wgan_gp",
            "sharp_grid_r1",
            "sharp_grid_r3gan",
            "sharp_grid_unrolled",
        ),
    ),
    Topic(
        slug="minibatches",
        title="More than one sample at a time",
        idea="A discriminator that receives the distances between a sample and the others of its "
        "minibatch, or several samples as one pack, can detect that they are all alike.",
        equations=r"o(x_i)_b = \sum_{j \neq i} \exp(-\lVert M_{i,b} - M_{j,b} \rVert_1),"
        r" \qquad D(x_1, \ldots, x_m)",
        gans=(),
        experiments=(
            "minibatch_ring",
            "minibatch_ring_paper",
            "minibatch_grid_paper",
            "minibatch_mnist",
            "packed_ring",
            "packed_grid",
            "packed_ring_paper",
            "packed_grid_paper",
            "packed_stacked_mnist",
            "packed_stacked_mnist_paper",
        ),
    ),
    Topic(
        slug="labels",
        title="Labels, many or few",
        idea="A discriminator that also predicts classes learns more from the same data: with few "
        "labels it becomes a good classifier, and with all labels it trains the generator to draw "
        "each class.",
        equations=r"p(y = k \mid x) = \frac{e^{l_k(x)}}{\sum_{j=1}^{K+1} e^{l_j(x)}}, \qquad"
        r" D(x) = 1 - p(y = K + 1 \mid x)",
        gans=("semi_supervised", "acgan"),
        experiments=("semi_supervised_mnist", "acgan_mnist", "acgan_faces"),
    ),
    Topic(
        slug="unrolled",
        title="Unrolled GAN",
        idea="The generator is trained against the discriminator as it will be after a few more "
        "steps, so that a collapse to which the discriminator would respond has no advantage.",
        equations=r"\theta_D^{k+1} = \theta_D^k + \eta\,"
        r"\frac{\partial V(\theta_G, \theta_D^k)}{\partial \theta_D^k}, \qquad"
        r" \min_{\theta_G} V(\theta_G, \theta_D^K(\theta_G, \theta_D))",
        gans=("unrolled",),
        experiments=(
            "unrolled_ring",
            "gan_ring_unrolled_baseline",
            "unrolled_stacked_mnist_inference",
            "gan_stacked_mnist_inference_baseline",
            "unrolled_ring_paper",
            "gan_ring_unrolled_baseline_paper",
            "unrolled_stacked_mnist",
            "gan_stacked_mnist_unrolled_baseline",
        ),
    ),
    Topic(
        slug="wasserstein",
        title="Wasserstein GAN",
        idea="A critic with a bounded slope estimates the Wasserstein distance between generated "
        "and real data, a loss that falls as samples improve. The slope is bounded by weight "
        "clipping or, better, by a penalty on the critic's gradient.",
        equations=r"\min_G \max_{\lVert f \rVert_L \leq 1} \; \mathbb{E}_{x}[f(x)] -"
        r" \mathbb{E}_{z}[f(G(z))], \qquad"
        r" \lambda\, \mathbb{E}_{\hat x}"
        r"\big[(\lVert \nabla_{\hat x} f(\hat x) \rVert_2 - 1)^2\big]",
        gans=("wgan", "wgan_gp"),
        experiments=(
            "wgan_ring",
            "wgan_grid",
            "wgan_mnist",
            "wgan_mnist_mlp",
            "gan_mnist_mlp_baseline",
            "wgan_gp_ring",
            "wgan_gp_grid",
            "wgan_gp_swissroll",
            "wgan_gp_ring_deep",
            "gan_ring_deep_baseline",
            "wgan_gp_mnist",
            "wgan_gp_stacked_mnist",
            "wgan_gp_celeba",
            "wgan_gp_lsun_bedroom",
        ),
    ),
    Topic(
        slug="energy-based",
        title="Energy-based GAN",
        idea="The discriminator is an autoencoder whose reconstruction error is an energy: low on "
        "real data, and raised on generated data up to a margin. A pulling-away term keeps the "
        "samples of a minibatch apart.",
        equations=r"\mathcal{L}_D = E(x) + [m - E(G(z))]^+, \qquad"
        r" \mathcal{L}_G = E(G(z)), \qquad E(x) = \lVert \mathrm{Dec}(\mathrm{Enc}(x)) - x \rVert",
        gans=("ebgan", "began"),
        experiments=("ebgan_mnist", "ebgan_pt_mnist"),
    ),
    Topic(
        slug="infogan",
        title="InfoGAN",
        idea="Part of the noise is a code that a second network head must predict from the image. "
        "Without labels the codes come to represent the digit, its slant and its width.",
        equations=r"\min_{G,Q} \max_D \; V(D, G) - \lambda L_I(G, Q), \qquad"
        r" L_I(G, Q) = \mathbb{E}_{c,\, x \sim G(z, c)}[\log Q(c \mid x)] + H(c)"
        r" \leq I(c; G(z, c))",
        gans=("infogan",),
        experiments=(
            "infogan_mnist",
            "infogan_mnist_paper",
            "infogan_control_mnist",
            "infogan_faces",
            "infogan_control_faces",
            "infogan_celeba",
        ),
    ),
    Topic(
        slug="conditional",
        title="Conditional GAN",
        idea="Both players receive the class label, so that the class of a sample can be chosen.",
        equations=r"\min_G \max_D \; \mathbb{E}_{x}[\log D(x \mid y)]"
        r" + \mathbb{E}_{z}[\log(1 - D(G(z \mid y) \mid y))]",
        gans=("cgan",),
        experiments=(
            "cgan_mnist",
            "dcgan_conditional_mnist",
            "cgan_faces",
            "projection_faces",
            "cgan_celeba",
            "cgan_cifar10",
        ),
    ),
    Topic(
        slug="coupled",
        title="Coupled GAN",
        idea="Two GANs that share the layers for high-level content generate pairs of images from "
        "two domains, although no pair is ever shown; and a classifier trained in one domain can "
        "read the other.",
        equations=r"\min_{G_1, G_2} \max_{D_1, D_2} \; V(D_1, G_1) + V(D_2, G_2) \quad"
        r" \text{subject to} \quad \theta_{G_1}^{(i)} = \theta_{G_2}^{(i)}, \;"
        r" \theta_{D_1}^{(j)} = \theta_{D_2}^{(j)} \;\; \text{for shared layers } i, j",
        gans=("cogan",),
        experiments=(
            "cogan_edges",
            "cogan_edges_paper",
            "cgan_edges",
            "cogan_negative",
            "cogan_negative_unshared",
            "cgan_negative",
            "cogan_adaptation",
            "cogan_adaptation_none",
        ),
    ),
    Topic(
        slug="dcgan",
        title="DCGAN: convolutional players",
        idea="Strided convolutions, batch normalisation and no hidden fully connected layers make "
        "GANs train on images, and interpolation in the latent space changes images smoothly.",
        equations=r"G(z):\; 100 \to 4 \times 4 \to 8 \times 8 \to 16 \times 16 \to 32 \times 32"
        r" \to 64 \times 64, \qquad G\big((1 - t) z_0 + t z_1\big), \;\; t \in [0, 1]",
        gans=(),
        experiments=(
            "dcgan_mnist",
            "gan_mnist_dcgan_baseline",
            "dcgan_mnist_features",
            "dcgan_celeba",
            "dcgan_lsun_bedroom",
            "sngan_cifar10",
        ),
    ),
    Topic(
        slug="pix2pix",
        title="pix2pix: an image into an image",
        idea="A conditional GAN whose condition is an image. The L1 loss gets the layout right, "
        "and a discriminator of patches makes the output sharp.",
        equations=r"\min_G \max_D \; \mathbb{E}_{x,y}[\log D(x, y)]"
        r" + \mathbb{E}_{x}[\log(1 - D(x, G(x)))]"
        r" + \lambda\, \mathbb{E}_{x,y}\big[\lVert y - G(x) \rVert_1\big]",
        gans=("pix2pix", "cyclegan"),
        experiments=(
            "pix2pix_edges_mnist",
            "pix2pix_edges_mnist_l1",
            "pix2pix_edges_mnist_cgan",
            "pix2pix_openmoji",
            "pix2pix_openmoji_l1",
            "pix2pix_openmoji_cgan",
            "cyclegan_openmoji",
            "cyclegan_openmoji_no_cycle",
            "pix2pix_facades",
        ),
    ),
)
"""In the order of the lecture."""
