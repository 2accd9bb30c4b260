"""Dialects: frames to typed events. The four stand side by side on `wire`; none imports another."""
