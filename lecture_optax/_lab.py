"""`lo.lab`: optimizers on a page whose hyperparameters one drags."""
