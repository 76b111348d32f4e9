"""Which parts a universal model knows: chosen from the LDraw library by written rules, with their look-alikes."""
