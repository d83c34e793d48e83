"""Images, geometry, layers and loops that every network shares."""
