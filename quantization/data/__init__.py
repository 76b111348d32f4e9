"""From rendered layers to training pictures: colour, belt, light and camera drawn anew for every look."""
