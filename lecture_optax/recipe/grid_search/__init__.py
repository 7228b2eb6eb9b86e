"""Every run of a grid: `recipe.sweep`."""
