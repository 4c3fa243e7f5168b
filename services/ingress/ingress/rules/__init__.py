"""Pure checks of what comes in."""
