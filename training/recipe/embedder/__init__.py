"""The network that turns an aligned face into a vector."""
