"""Pixels only: numpy and OpenCV, no I/O, no await."""
