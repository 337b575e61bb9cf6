"""What a finished run shows: means, heat maps on a terminal and as pictures, tables in files."""
