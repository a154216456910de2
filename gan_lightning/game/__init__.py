"""Measures of the game itself: the field of both players' gradients, its Jacobian, its gap."""

from gan_lightning.game.accuracy import discriminator_auc
from gan_lightning.game.duality_gap import duality_gap
from gan_lightning.game.field import (
    GradientField,
    draw_inputs,
    field_minibatch,
    held_out_minibatch,
    initial_point,
    probe,
)
from gan_lightning.game.path_angle import PathAngle, path_angle
from gan_lightning.game.spectrum import eigenvalues, jacobian, summarise_spectrum
from gan_lightning.game.steps import successive_steps

__all__ = [
    "GradientField",
    "PathAngle",
    "discriminator_auc",
    "draw_inputs",
    "duality_gap",
    "eigenvalues",
    "field_minibatch",
    "held_out_minibatch",
    "initial_point",
    "jacobian",
    "path_angle",
    "probe",
    "successive_steps",
    "summarise_spectrum",
]
