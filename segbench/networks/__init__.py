"""What a network is, what every network needs around it, and FCN8s."""
