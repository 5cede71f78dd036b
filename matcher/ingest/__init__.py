"""Facts come in here: one module per source, each with a passport of publisher, licence and bounds."""
