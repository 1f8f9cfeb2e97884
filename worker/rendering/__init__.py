"""Typesetting: style, segment, layout, draw. Pure, as imaging is."""
