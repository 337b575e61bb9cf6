"""What makes a folder of weights a model that others can open, check, share and take back."""
