"""From pictures of any size to labelled shards: trays cut into tiles or parts, and the machine's own captures."""
