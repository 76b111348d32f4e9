"""From a trained float network to an int8 TFLite file."""
