"""The recipe that trains the default pack, a package for each network and what they share."""
