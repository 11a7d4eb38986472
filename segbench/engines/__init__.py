"""The engines that run FCN8s: their graphs, their sessions, and what is built for them."""
