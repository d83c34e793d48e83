"""The second look: the network that decides whether what the detector found is a face."""
