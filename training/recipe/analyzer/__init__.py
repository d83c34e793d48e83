"""The network that describes a face: landmarks, pose, age, emotions and attributes."""
