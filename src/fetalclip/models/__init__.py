"""Torch modules without I/O or policy: image towers, text tower, the pair, weights in and out."""
