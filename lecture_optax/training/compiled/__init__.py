"""What JAX compiles: the step, the loop over a chunk of steps, the order of the examples."""
