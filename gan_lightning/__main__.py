"""`python -m gan_lightning`, and `torchrun -m gan_lightning`: the command line."""

from gan_lightning.cli.main import main

if __name__ == "__main__":
    main()
