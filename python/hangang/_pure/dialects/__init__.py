"""Dialects: frames to typed events. The four stand side by side on `wire` and import nothing of each other."""
