"""One resource of the API a module: its options, then what they do."""
