"""Rules that find likely mistakes in any transformation, by probing and by its state."""
