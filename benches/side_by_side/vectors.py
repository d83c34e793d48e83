"""Unit vectors to search: independent ones, and clustered ones shaped like face embeddings."""

import numpy as np

DIMENSION = 128


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def random(count, generator):
    return unit(generator.standard_normal((count, DIMENSION), dtype=np.float32))


def faces(count, generator, faces_per_identity=10, spread=0.75):
    """Identities with a falling spectrum, faces around them: cosine about 0.65 to each other."""
    spectrum = (1 + np.arange(DIMENSION, dtype=np.float32) / 24) ** -0.5
    identities = unit(
        generator.standard_normal((-(-count // faces_per_identity), DIMENSION), dtype=np.float32)
        * spectrum
    )
    vectors = np.repeat(identities, faces_per_identity, axis=0)[:count]
    # Faces of an identity are scattered over the collection, as if indexed over years.
    vectors = vectors[generator.permutation(count)]
    noise = unit(generator.standard_normal((count, DIMENSION), dtype=np.float32) * spectrum)
    return unit(vectors + spread * noise)


def queries(vectors, count, generator, spread=0.75):
    """New faces of identities that are there."""
    chosen = vectors[generator.choice(len(vectors), count, replace=False)]
    return unit(chosen + spread * random(count, generator))
