"""The six rooms a pixel passes on its way from disk to polyline, and the story that joins them."""
