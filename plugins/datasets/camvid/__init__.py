"""CamVid: 11 classes, as distributed with the SegNet tutorial."""
