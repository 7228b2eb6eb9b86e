"""Which method made a recorded stream of gradients and updates."""
