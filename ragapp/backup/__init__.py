"""One file that holds a data folder, and the way back."""
