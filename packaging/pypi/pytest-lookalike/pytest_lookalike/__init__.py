"""Fixtures for tests of code that calls Amazon Rekognition's face API."""
