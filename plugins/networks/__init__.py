"""Whole networks: images to class logits, without a backbone to choose."""
