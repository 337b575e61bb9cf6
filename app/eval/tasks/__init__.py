"""Long-context tasks: each lists the cells of its grid and writes a prompt for any of them."""
