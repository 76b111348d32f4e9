"""LDraw parts as triangle meshes in millimetres, with the poses they rest in."""
