"""The public API: one resource a module, its models first."""
