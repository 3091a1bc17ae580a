"""Questions to a header, a geometry or a peer, one kind a file."""
