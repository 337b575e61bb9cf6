"""What can be wrong with a model folder, looked for one kind at a time."""
