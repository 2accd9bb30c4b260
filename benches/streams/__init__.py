"""Many live streams at once: what an event costs, when it arrives, and how many streams one core carries."""
