"""Framing: bytes split anywhere to SSE events and to top-level JSON values. Nothing here reads a payload."""
