"""operate-worker: translates the text inside product images."""
