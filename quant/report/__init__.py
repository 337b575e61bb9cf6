"""What quantisation costs: divergence from the original, by text, by layer and by matrix."""
