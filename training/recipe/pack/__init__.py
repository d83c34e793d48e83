"""Figures, `pack.toml` and the model card of the exported networks."""
