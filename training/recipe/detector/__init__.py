"""The network that finds faces and their five landmarks."""
