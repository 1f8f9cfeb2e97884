"""How the shipped compact LaMa is made: sources, synthetic grounds, holes, held-out set, training."""
