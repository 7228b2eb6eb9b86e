"""Where the segments of a search and the runs of a sweep are computed."""
