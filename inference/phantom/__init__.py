"""Cases whose truth is known in voxels, mm and ml. Synthetic, and called so."""
