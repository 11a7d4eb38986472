"""Complete networks from images to class logits, without a choice of backbone."""
