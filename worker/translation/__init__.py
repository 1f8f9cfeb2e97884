"""Text only, but for `session`, which asks through the ports."""
