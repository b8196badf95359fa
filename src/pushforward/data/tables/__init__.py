"""Tables: read from files and frames, carried to coordinates and back."""
