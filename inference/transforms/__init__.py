"""What happens to voxels between the source grid and the network, and back."""
