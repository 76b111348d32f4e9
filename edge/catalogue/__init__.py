"""Parts, categories and colours by name, as LDraw, Rebrickable, BrickLink and LEGO call them."""
