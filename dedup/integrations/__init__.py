"""Ways into other people's programs; each imports what it needs when it is used."""
