"""Pictures of the pages: maps as SVG, drawn from positions and outlines that lie beside the program."""
