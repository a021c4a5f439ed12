"""Roads of known geometry with known cracks, and finished runs over them."""
