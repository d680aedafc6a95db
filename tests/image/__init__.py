"""Image, rings and slots: properties against plain models, and processes killed at random."""
