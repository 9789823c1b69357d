"""From the corpus to a registered model: one file a step, every step resumable.

prepare -> train -> export -> quantize -> calibrate -> evaluate -> register

A step reads the folders of the steps before it and writes one of its own; what a
version was made with is its recipe (``recipes/*.toml``).
"""
