"""Prediction: recognize a frame that repeats an earlier one, and read only what changed."""
