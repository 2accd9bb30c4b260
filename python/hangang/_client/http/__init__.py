"""HTTP libraries behind one interface: `interface` declares it, `choose` picks the adapter of a library."""
