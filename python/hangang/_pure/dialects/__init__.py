"""Dialects: frames to typed events. All four build on `wire`; none imports another."""
