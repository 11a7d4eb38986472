"""CamVid: 11 classes, as the SegNet tutorial distributes it."""
