"""LaMa from official checkpoints to a verified Triton model repository (`python -m export`)."""
