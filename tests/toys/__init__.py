"""Two small drivers of unlike shape, to hold the frame against."""
