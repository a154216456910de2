"""Files shipped with the package: MNIST and the weights of the digit classifier."""
