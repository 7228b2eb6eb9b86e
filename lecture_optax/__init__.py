"""θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1): velocities, preconditioners and learning rates for Optax."""
