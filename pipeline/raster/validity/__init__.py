"""Which pixels are pavement to be inspected, told from arrays alone.

reasons     why a pixel is not inspected, and what a person is told"""
