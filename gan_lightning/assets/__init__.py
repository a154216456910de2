"""Embedded files: MNIST and the weights of the digit classifier."""
