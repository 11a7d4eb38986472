"""How fast a network is on each runtime, and whether that figure would reproduce."""
