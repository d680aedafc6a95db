"""Function blocks alone, on a rig with an ideal output stage."""
