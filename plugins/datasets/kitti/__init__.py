"""KITTI Road: its frames, bird's-eye view and official score."""
