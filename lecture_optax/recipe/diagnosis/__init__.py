"""What is wrong with a training run, and what helps: `recipe.diagnose` and `recipe.fork`."""
